package config

import (
	"fmt"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

// Build makes all projections, in the order of the file. open opens the source that a projection describes.
func (c *Config) Build(open func(s *Source) (source.Source, error)) ([]*projector.Projection, error) {
	projections := make([]*projector.Projection, len(c.Projections))
	for i, p := range c.Projections {
		src, err := open(&p.Source)
		if err != nil {
			return nil, fmt.Errorf("projection %q: source %v: %w", p.Name, &p.Source, err)
		}
		projections[i] = p.Build(src)
	}
	return projections, nil
}
