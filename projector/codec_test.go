package projector_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

func TestUpcastersComeBeforeHandlersAndTables(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mended := false
		u, err := codec.NewUpcasters([]codec.Schema{{Type: "pony.jumped", Version: 2}}, []codec.Upcast{{
			From: codec.Schema{Type: "horse.jumped", Version: 1}, To: codec.Schema{Type: "pony.jumped", Version: 2},
			Fn: func(data, _ []byte) ([]byte, error) {
				if bytes.Contains(data, []byte("lame")) && !mended {
					return nil, errors.New("no jump")
				}
				return bytes.ReplaceAll(data, []byte(`"cm"`), []byte(`"height_m"`)), nil
			},
		}})
		if err != nil {
			t.Fatal(err)
		}
		log, store, tab := sourcetest.New(), newStore(), newTally("jumps")
		log.Append("a", sourcetest.JSON("horse.jumped", `{"cm":1}`), sourcetest.JSON("pony.jumped", `{"height_m":2}`))
		log.Append("b", sourcetest.JSON("horse.jumped", `{"name":"lame","cm":3}`))
		log.Append("a", sourcetest.JSON("horse.jumped", `{"cm":4}`))
		var heights []float64
		p := projector.New("ponies", log.All(nil), tab, projector.On("pony.jumped", func(_ context.Context, e projector.Event[jumped]) error {
			heights = append(heights, e.Body.Height)
			return nil
		})).With(projector.WithUpcasters(u), projector.OrderBy(func(e *source.Event) string { return e.Stream }))
		if err := newRunner(t, store, p, projector.Once()).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows := parked(t, store, nil)
		if len(rows) != 1 || rows[0].Type != "horse.jumped" || string(rows[0].Data) != `{"name":"lame","cm":3}` ||
			rows[0].Class != "decode" || !strings.Contains(rows[0].Error, "no jump") || rows[0].Attempts != 1 {
			t.Errorf("parked %+v", rows)
		}
		mended = true
		r := newRunner(t, store, p)
		c, err := r.Execute(t.Context(), "ponies", projector.NewCommand(projector.CommandRetry, projector.Which{}, "test"))
		if err != nil || c.Answer != "1 handled, 0 still parked" {
			t.Errorf("%+v, %v", c, err)
		}
		if diff := gocmp.Diff([]float64{1, 2, 4, 3}, heights); diff != "" {
			t.Error(diff)
		}
		if diff := gocmp.Diff(map[string]int64{"a": 3, "b": 1}, counts(t, store, tab)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCodecIsChosen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		add := func(c codec.Codec, metadata string, name string) {
			data, err := c.Encode(nil, jumped{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			log.Append("s", source.Event{Type: "pony.jumped", Data: data, Metadata: []byte(metadata)})
		}
		add(codec.JSON(), "", "default")
		add(codec.CBOR(), `{"codec":"cbor"}`, "metadata")
		add(codec.Zstd(codec.Gob()), `{"codec":"gob+zstd"}`, "compressed")
		add(codec.JSON(), `{"codec":"morse"}`, "unknown")
		add(codec.JSON(), `not json`, "after")
		var got []string
		p := projector.New("p", log.All(nil), projector.On("pony.jumped", func(_ context.Context, e projector.Event[jumped]) error {
			got = append(got, e.Body.Name)
			return nil
		})).With(projector.WithCodecFromMetadata("codec", codec.NewRegistry()))
		r := newRunner(t, store, p, projector.Once(), then(projector.ActionSkip))
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff([]string{"default", "metadata", "compressed", "after"}, got); diff != "" {
			t.Error(diff)
		}
		if st := r.Status()[0]; st.Skipped != 1 {
			t.Errorf("status %+v", st)
		}
	})
}
