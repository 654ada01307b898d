package eventstore

import (
	"errors"
	"fmt"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/source"
)

// translate says in words of the framework what an error of the client means for a projection.
func translate(s source.Feed, err error) error {
	if errors.Is(err, esclient.ErrStreamDeleted) {
		return fmt.Errorf("%s: %w: %w", s, source.ErrStreamDeleted, err)
	}
	for _, refusal := range []error{
		esclient.ErrAccessDenied, esclient.ErrNotAuthenticated, esclient.ErrUnsupported, esclient.ErrInvalidArgument,
	} {
		if errors.Is(err, refusal) {
			return fmt.Errorf("%s: %w: %w", s, source.ErrRefused, err)
		}
	}
	return fmt.Errorf("%s: %w", s, err)
}
