// Command gen writes the events of the ponies example: the same 10,000 lines every time.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
)

const (
	events = 10_000
	seed   = 20_240_301
)

func main() {
	output := flag.String("o", "events.jsonl", "`file` to write")
	flag.Parse()
	if err := writeFile(*output); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func writeFile(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // the second Close of the good path, or the way out of an error
	if err := generate(f); err != nil {
		return err
	}
	return f.Close()
}

func generate(w io.Writer) error {
	buffered := bufio.NewWriter(w)
	enc := json.NewEncoder(buffered)
	for _, l := range newHerd(seed).live(events) {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return buffered.Flush()
}
