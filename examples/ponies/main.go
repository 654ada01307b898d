// Command ponies is a projection service in code: a handler that cheers, and a table of jumps, over the same events. It
// brings its own event store and database, in memory. End it with Ctrl-C.
package main

//go:generate go run ./gen

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source/eventstore"
)

const stream = "pony_stream"

// PonyJumped is the body of pony.jumped.
type PonyJumped struct {
	Name    string  `json:"name"`
	HeightM float64 `json:"height_m"`
}

// Pony is a row of the table ponies.
type Pony struct {
	Name  string `db:"name,key"`
	Jumps int64
	BestM float64
}

//go:embed events.jsonl
var events []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	node, err := esnode.Start()
	if err != nil {
		return err
	}
	defer node.Close() //nolint:errcheck // it is in memory
	client, err := esclient.Dial(ctx, node.URL())
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what counts is acknowledged
	for batch := range slices.Chunk(ponyEvents(), 500) {
		if _, err := client.Append(ctx, stream, esclient.Any, batch...); err != nil {
			return err
		}
	}

	jumps := readmodel.Table("ponies",
		readmodel.On("pony.jumped",
			func(e projector.Event[PonyJumped]) string { return e.Body.Name },
			func(r *readmodel.Row[Pony], e projector.Event[PonyJumped]) error {
				r.Value.Jumps++
				r.Value.BestM = max(r.Value.BestM, e.Body.HeightM)
				return nil
			}))
	best := 0.0
	cheer := projector.On("pony.jumped", func(_ context.Context, e projector.Event[PonyJumped]) error {
		if e.Body.HeightM > best {
			best = e.Body.HeightM
			fmt.Printf("event %d: %s holds the record now, with %.2f m\n", e.Number, e.Body.Name, best)
		}
		return nil
	})
	store := memory.Open()
	source := eventstore.Stream(client, stream)
	runner, err := projector.NewRunner(store, []*projector.Projection{
		projector.New("records", source, cheer),
		projector.New("jumps", source, jumps),
	})
	if err != nil {
		return err
	}

	var jumping sync.WaitGroup
	jumping.Go(func() { jump(ctx, client) }) // ends with ctx
	err = runner.Run(ctx)
	jumping.Wait()
	return errors.Join(err, printBest(store, jumps.Tables()[0]))
}

// ponyEvents returns the events of the file that are about ponies.
func ponyEvents() []esclient.NewEvent {
	var all []esclient.NewEvent
	for lines := bufio.NewScanner(bytes.NewReader(events)); lines.Scan(); {
		var line struct {
			Stream, Type string
			Data         json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			panic(err) // the file is part of the program
		}
		if line.Stream == stream {
			all = append(all, esclient.NewEvent{Type: line.Type, Body: line.Data})
		}
	}
	return all
}

// jump appends a jump every second, higher and higher.
func jump(ctx context.Context, client *esclient.Client) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		body := PonyJumped{Name: "Applejack", HeightM: 1.35 + float64(n)/20 + rand.Float64()/20}
		_, err := client.Append(ctx, stream, esclient.Any, esclient.NewEvent{Type: "pony.jumped", Body: body})
		if err != nil && ctx.Err() == nil {
			log.Print(err)
		}
	}
}

// printBest prints the five ponies that have jumped highest.
func printBest(store checkpoint.Store, table *checkpoint.Table) error {
	type pony struct {
		name  string
		jumps int64
		best  float64
	}
	var ponies []pony
	err := store.Rows(context.Background(), table, 0, func(row []any) bool {
		ponies = append(ponies, pony{row[0].(string), row[1].(int64), row[2].(float64)})
		return true
	})
	if err != nil {
		return err
	}
	slices.SortFunc(ponies, func(a, b pony) int { return int(1e6 * (b.best - a.best)) })
	fmt.Printf("\n%d ponies have jumped; the best:\n", len(ponies))
	for _, p := range ponies[:min(5, len(ponies))] {
		fmt.Printf("  %-16s %4d jumps, best %.2f m\n", p.name, p.jumps, p.best)
	}
	return nil
}
