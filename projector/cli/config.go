package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/photonpump/projector/projector/config"
)

const defaultConfig = "projector.yaml"

// config reads the file and lets flags override it. The file may be absent if the command needs no projections, or the
// program has some; its defaults hold then.
func (e *env) config(mayBeAbsent bool) (*config.Config, error) {
	cfg, err := config.Load(e.flags.config)
	switch {
	case errors.Is(err, fs.ErrNotExist) && (mayBeAbsent || len(e.projections) > 0) && e.flags.config == defaultConfig:
		cfg = config.Default()
	case errors.Is(err, fs.ErrNotExist):
		return nil, usage(fmt.Errorf("there is no file %s here; name one with --config", e.flags.config))
	case err != nil:
		return nil, usage(err)
	}
	if e.flags.eventStore != "" {
		cfg.EventStore.URL = config.NewSecret(e.flags.eventStore)
	}
	if e.flags.database != "" {
		cfg.Database.URL = config.NewSecret(e.flags.database)
	}
	return cfg, nil
}
