package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector/config"
)

// errNoLog means that the embedded event store has never been run.
var errNoLog = errors.New("there is no event store yet")

// peek connects to the event store of the configuration without changing it: the embedded one is not seeded, and if no
// process runs it, its log is opened for this command alone.
func (e *env) peek(ctx context.Context, cfg *config.Config) (*eventStore, error) {
	if !cfg.EventStore.IsEmbedded() {
		return e.connect(ctx, cfg)
	}
	dir := cfg.EventStore.Embedded.Dir
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("embedded event store: %w: %w", errNoLog, err)
	}
	alone := *cfg
	alone.EventStore.Embedded.TCP, alone.EventStore.Embedded.HTTP = "127.0.0.1:0", ""
	return e.embedded(ctx, cfg, &alone)
}

// imagine is peek, but an embedded event store that is not there yet is made in memory, as run would seed it.
func (e *env) imagine(ctx context.Context, cfg *config.Config) (*eventStore, error) {
	s, err := e.peek(ctx, cfg)
	if !errors.Is(err, errNoLog) {
		return s, err
	}
	node, err := esnode.Start(esnode.Logger(e.logger()), esnode.SystemProjections(true))
	if s, err = e.useNode(ctx, node, err, ""); err != nil {
		return nil, err
	}
	if _, err := e.importSeed(ctx, s, cfg.EventStore.Embedded.Seed); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}
