package readmodel

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

func TestCodecs(t *testing.T) {
	t.Parallel()
	type length struct{ N, Raw int }
	one := func(projector.Event[string]) int { return 1 }
	m := Join(
		Table("texts",
			On("text", one, func(r *Row[length], e projector.Event[string]) error { r.Value.N = len(e.Body); return nil }),
			On("json", one, func(r *Row[length], e projector.Event[string]) error { r.Value.N = len(e.Body); return nil }).WithCodec(codec.JSON()),
		).WithCodec(codec.Text()),
		Table("bytes", On("text", func(projector.Event[[]byte]) int { return 2 },
			func(r *Row[length], e projector.Event[[]byte]) error { r.Value.Raw = len(e.Body); return nil })).WithCodec(codec.Raw()))
	for name, tt := range map[string]struct {
		event source.Event
		want  [][][]any
	}{
		"text": {source.Event{Type: "text", Data: []byte(`"four"`)}, [][][]any{{{int64(1), int64(6), int64(0)}}, {{int64(2), int64(0), int64(6)}}}},
		"json": {source.Event{Type: "json", Data: []byte(`"four"`)}, [][][]any{{{int64(1), int64(4), int64(0)}}, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, m)
			b.fold(tt.event)
			if diff := cmp.Diff(tt.want, [][][]any{b.rows(0), b.rows(1)}); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}
