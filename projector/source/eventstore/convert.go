package eventstore

import (
	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/source"
)

// fill copies everything but the position.
func fill(dst *source.Event, e *esclient.Event) {
	*dst = source.Event{
		ID: e.ID, Type: e.Type, Stream: e.Stream, Number: e.Number, Data: e.Data, Metadata: e.Metadata, JSON: e.JSON,
		Created: e.Created,
	}
	if l := e.Link; l != nil {
		dst.Link = &source.Link{ID: l.ID, Stream: l.Stream, Number: l.Number, Unresolved: l.Unresolved}
	}
}

func fromStream(dst *source.Event, e *esclient.Event) {
	fill(dst, e)
	dst.Position = checkpoint.AtNumber(e.RecordNumber())
}

func fromLog(dst *source.Event, e *esclient.Event) {
	fill(dst, e)
	dst.Position = checkpoint.AtLog(e.Position.Commit, e.Position.Prepare)
}
