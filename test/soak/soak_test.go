// Package soak injects faults into real processes and real databases, and counts what is lost or repeated. The tests are
// small by default; with PROJECTOR_SOAK set they have their full size.
package soak

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(envJob); text != "" {
		var j job
		if err := json.Unmarshal([]byte(text), &j); err != nil {
			panic(err)
		}
		os.Exit(j.main())
	}
	// Processes, servers and leases are mostly waited for.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	code := pgtest.Main(m)
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// size chooses between what is done by default and with PROJECTOR_SOAK.
func size[N any](t *testing.T, small, full N) N {
	t.Helper()
	switch {
	case os.Getenv("PROJECTOR_SOAK") != "":
		return full
	case testing.Short():
		t.Skip("takes seconds, which -short leaves out")
	}
	return small
}

const ponies = 97

type jumped struct {
	Name   string `json:"name"`
	Height int64  `json:"height"`
}

type pony struct {
	Name  string `db:"name,key"`
	Jumps int64
	Best  int64
	Last  int64
}

// eventAt is the i-th event of a log that is the same in every process.
func eventAt(i int) (stream string, e source.Event) {
	name := fmt.Sprintf("pony-%d", i*i%ponies)
	e = sourcetest.JSON("pony.jumped", fmt.Sprintf(`{"name":%q,"height":%d}`, name, i*7919%1000))
	e.ID = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i))
	e.Created = time.Unix(int64(i), 0)
	return name, e
}

// isEvent reports whether e is the i-th event.
func isEvent[B any](e projector.Event[B], i int) bool { return e.Created.Unix() == int64(i) }

// newLog has the first events.
func newLog(events int) *sourcetest.Log {
	log := sourcetest.New()
	appendTo(log, 0, events)
	return log
}

func appendTo(log *sourcetest.Log, from, to int) {
	for i := from; i < to; i++ {
		stream, e := eventAt(i)
		log.Append(stream, e)
	}
}

// byStream is the ordering key of a projection that has tables and handlers.
func byStream() projector.Setting {
	return projector.OrderBy(func(e *source.Event) string { return e.Stream })
}

func table() *readmodel.Model { return tableWith(nil) }

// tableWith calls a function for each event before it is folded.
func tableWith(before func(projector.Event[jumped]) error) *readmodel.Model {
	return readmodel.Table("ponies",
		readmodel.On("pony.jumped",
			func(e projector.Event[jumped]) string { return e.Body.Name },
			func(r *readmodel.Row[pony], e projector.Event[jumped]) error {
				if before != nil {
					if err := before(e); err != nil {
						return err
					}
				}
				r.Value.Jumps++
				r.Value.Best = max(r.Value.Best, e.Body.Height)
				r.Value.Last = e.Number
				return nil
			}))
}

// wanted works the table out by itself.
func wanted(events int) map[string][]int64 {
	want := map[string][]int64{}
	for i := range events {
		name, _ := eventAt(i)
		row := want[name]
		if row == nil {
			row = []int64{0, 0, -1}
			want[name] = row
		}
		row[0]++
		row[1] = max(row[1], int64(i*7919%1000))
		row[2]++
	}
	return want
}
