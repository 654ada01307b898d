package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
)

// Bounds of the parameter timeout of /wait.
const (
	DefaultWait = 5 * time.Second
	MaxWait     = time.Minute
)

// wait answers when a projection has reached a position, so that whoever wrote an event can read what came of it:
//
//	GET /wait?projection=ponies&position=42&timeout=5s
//
// The answer is 200 when it has, 504 when the time is over first, 409 when the projection has stopped.
func (h *handler) wait(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	name := q.Get("projection")
	at, err := checkpoint.ParsePosition(q.Get("position"))
	if err != nil {
		plain(w, http.StatusBadRequest, fmt.Sprintf("position: %v\n", err))
		return
	}
	limit := DefaultWait
	if text := q.Get("timeout"); text != "" {
		if limit, err = time.ParseDuration(text); err != nil || limit <= 0 || limit > MaxWait {
			plain(w, http.StatusBadRequest, fmt.Sprintf("timeout: %q: want a duration such as 5s, up to %v\n", text, MaxWait))
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	err = h.WaitFor(ctx, name, at)
	switch {
	case err == nil:
		plain(w, http.StatusOK, "ok\n")
	case errors.Is(err, projector.ErrUnknownProjection):
		plain(w, http.StatusNotFound, err.Error()+"\n")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		plain(w, http.StatusGatewayTimeout, err.Error()+"\n")
	default:
		plain(w, http.StatusConflict, err.Error()+"\n")
	}
}
