package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
)

const answerEvery = 100 * time.Millisecond // between two looks for the answer to a command

// await waits for the answer to a command. If nobody owns the projection, it is run here until there is one.
func (e *env) await(ctx context.Context, store checkpoint.ParkingStore, name string, request *projector.Request) (checkpoint.Command, error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var ran chan error
	ticker := time.NewTicker(answerEvery)
	defer ticker.Stop()
	for {
		c, done, err := request.Answer(ctx)
		if err != nil || done {
			return c, err
		}
		if ran == nil {
			held, err := isHeld(ctx, store, name)
			if err != nil {
				return c, err
			}
			if !held {
				ran = make(chan error, 1)
				running.Go(func() { ran <- e.runOne(ctx, name) }) // ends with ctx
			}
		}
		select {
		case <-ctx.Done():
			return c, errors.New("interrupted; the command stays, and is executed when the projection runs next")
		case err := <-ran:
			return c, fmt.Errorf("projection %s has ended without an answer: %w", name, err)
		case <-ticker.C:
		}
	}
}

func isHeld(ctx context.Context, store checkpoint.Store, name string) (bool, error) {
	known, err := store.List(ctx)
	for _, s := range known {
		if s.Name == name {
			return s.Held, err
		}
	}
	return false, err
}

// runOne runs one projection until ctx ends.
func (e *env) runOne(ctx context.Context, name string) error {
	cfg, err := e.config(false)
	if err != nil {
		return err
	}
	es, err := e.openEventStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer es.Close() //nolint:errcheck // what counts is committed
	defined, err := e.define(cfg, es.client)
	if err != nil {
		return err
	}
	p, err := findProjection(defined, name)
	if err != nil {
		return err
	}
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // what counts is committed
	opts := append([]projector.Option{projector.WithLogger(e.logger())}, cfg.Run.Options()...)
	runner, err := projector.NewRunner(store, []*projector.Projection{p}, opts...)
	if err != nil {
		return err
	}
	return runner.Run(ctx)
}
