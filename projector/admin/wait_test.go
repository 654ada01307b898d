package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
)

func TestWait(t *testing.T) {
	t.Parallel()
	cfg := config(live())
	cfg.WaitFor = func(ctx context.Context, name string, at checkpoint.Position) error {
		switch {
		case name != "ponies":
			return fmt.Errorf("%w: %q", projector.ErrUnknownProjection, name)
		case at == checkpoint.AtNumber(13):
			return errors.New("stopped")
		case at == checkpoint.AtNumber(99):
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	for _, tt := range []struct {
		query string
		code  int
		body  string
	}{
		{"projection=ponies&position=42", http.StatusOK, "ok"},
		{"projection=ponies&position=42/42", http.StatusOK, "ok"},
		{"projection=ponies&position=13", http.StatusConflict, "stopped"},
		{"projection=ponies&position=99&timeout=1ms", http.StatusGatewayTimeout, "deadline"},
		{"projection=horses&position=42", http.StatusNotFound, "horses"},
		{"projection=ponies", http.StatusBadRequest, "position"},
		{"projection=ponies&position=1&timeout=2h", http.StatusBadRequest, "up to 1m0s"},
		{"projection=ponies&position=1&timeout=x", http.StatusBadRequest, "timeout"},
	} {
		if code, body := get(t, cfg, "/wait?"+tt.query); code != tt.code || !strings.Contains(body, tt.body) {
			t.Errorf("%s: %d %q", tt.query, code, body)
		}
	}
	if code, _ := get(t, config(live()), "/wait?projection=ponies&position=1"); code != http.StatusNotFound {
		t.Errorf("without WaitFor: %d", code)
	}
}

func TestStalledFailsLiveness(t *testing.T) {
	t.Parallel()
	s := live()
	s.Stalled = true
	if code, body := get(t, config(live(), s), "/livez"); code != http.StatusServiceUnavailable || !strings.Contains(body, s.Name) {
		t.Errorf("%d %q", code, body)
	}
}
