package config

import (
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// Build makes all projections, in the order of the file, reading through client.
func (c *Config) Build(client *esclient.Client) []*projector.Projection {
	projections := make([]*projector.Projection, len(c.Projections))
	for i, p := range c.Projections {
		projections[i] = p.Build(p.Source.Open(client))
	}
	return projections
}

// BuildReading makes all projections for who only looks: where one reads a group it reads the stream of the group instead,
// since to read a group is to take events from it.
func (c *Config) BuildReading(client *esclient.Client) []*projector.Projection {
	projections := make([]*projector.Projection, len(c.Projections))
	for i, p := range c.Projections {
		projections[i] = p.Build(p.Source.Reading(client))
	}
	return projections
}

// Open makes the source or group that is described.
func (s *Source) Open(client *esclient.Client) source.Feed {
	if s.Group != nil {
		return s.Group.open(client, s.groupStream())
	}
	return s.Reading(client)
}

// Reading makes the source that is described, and that of the stream for a group.
func (s *Source) Reading(client *esclient.Client) source.Source {
	switch {
	case s.Stream != "":
		return eventstore.Stream(client, s.Stream)
	case s.Category != "":
		return eventstore.Category(client, s.Category)
	case len(s.Streams) > 0:
		return eventstore.Streams(client, s.Streams...)
	}
	return eventstore.All(client, eventstore.Filter{Streams: s.All.Streams, Types: s.All.Types})
}
