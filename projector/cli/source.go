package cli

import (
	"errors"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/config"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// sourcesOf opens the sources of a configuration in an event store.
func sourcesOf(client *esclient.Client) func(*config.Source) (source.Source, error) {
	return func(s *config.Source) (source.Source, error) {
		switch {
		case s.Stream != "":
			return eventstore.Stream(client, s.Stream), nil
		case len(s.Streams) > 0:
			return nil, errors.New("a list of streams cannot be read yet; `all: {streams: […]}` reads them in the order of the log")
		case s.Category != "":
			return eventstore.Category(client, s.Category), nil
		}
		return eventstore.All(client, eventstore.Filter{Streams: s.All.Streams, Types: s.All.Types}), nil
	}
}
