//go:build unix

// Bench measures the project against the limit of the machine: small programs that do the same work by hand ("sticks"),
// run in turn with ours in one go, so that their ratio holds on a noisy machine.
//
//	go run ./test/bench -sticks DIR [-rounds 3] [-only read,append] [-scale 0.1] [-markdown]
//
// DIR holds the sources of the sticks: the programs limit, rows and the fake node blaster. Work that needs Postgres runs
// where PROJECTOR_TEST_POSTGRES names one. Every measured program is a process of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) > 2 && os.Args[1] == "work" {
		if err := work(os.Args[2], os.Args[3:]); err != nil {
			log.Fatalf("work %s: %v", os.Args[2], err)
		}
		return
	}
	sticks := flag.String("sticks", os.Getenv("PROJECTOR_STICKS"), "folder with the sources of the measuring sticks")
	rounds := flag.Int("rounds", 3, "how often each pair runs; the medians count")
	only := flag.String("only", "", "names of work to run, by their beginnings, separated by commas; empty = all")
	markdown := flag.Bool("markdown", false, "print the table for a document")
	scale := flag.Float64("scale", 1, "factor for the number of events")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *sticks, *rounds, *scale, split(*only), *markdown); err != nil {
		log.Print(err)
		stop()
		os.Exit(1)
	}
}

func split(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

func run(ctx context.Context, sticks string, rounds int, scale float64, only []string, markdown bool) error {
	if sticks == "" {
		return errors.New("no measuring sticks: name the folder with their sources by -sticks or PROJECTOR_STICKS")
	}
	b, err := newBench(ctx, sticks, scale)
	if err != nil {
		return err
	}
	defer b.close()
	pairs := selected(b.pairs(), only)
	results := make([]result, len(pairs))
	for round := range rounds {
		for i, p := range pairs {
			if p.skip != "" || results[i].err != nil {
				continue
			}
			_, _ = fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, p.name)
			if err := b.measure(p, &results[i]); err != nil {
				results[i].err = fmt.Errorf("%s: %w", p.name, err)
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	if markdown {
		printMarkdown(os.Stdout, pairs, results)
	} else {
		print(os.Stdout, pairs, results)
	}
	var errs []error
	for i := range results {
		errs = append(errs, results[i].err)
	}
	return errors.Join(errs...)
}

func selected(pairs []pair, only []string) []pair {
	if len(only) == 0 {
		return pairs
	}
	var some []pair
	for _, p := range pairs {
		for _, name := range only {
			if strings.HasPrefix(p.name, name) {
				some = append(some, p)
				break
			}
		}
	}
	return some
}
