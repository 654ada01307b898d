package projector_test

import (
	"testing"
	"time"

	"github.com/photonpump/projector/projector"
)

func TestRetryPolicyInWords(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]projector.RetryPolicy{
		"attempt 2 after 200ms, 3 after 300ms, 4 after 450ms, 5 after 675ms, then park": projector.DefaultRetryPolicy(),
		"then stop": {Attempts: 1, Delay: time.Second, MaxDelay: time.Second},
		"attempt 2 after 1s, 3 after 1.5s, 4 after 2s, then skip": {Attempts: 4, Delay: time.Second, MaxDelay: 2 * time.Second, Then: projector.ActionSkip},
		"attempt 2 after 1s, 3 after 1s, 4 after 1s, 5 after 1s, 6 after 1s, 7 after 1s, 8 after 1s, 9 after 1s, 10 after 1s, 11 after 1s, … 1000000 in all, then stop": {
			Attempts: 1_000_000, Delay: time.Second, MaxDelay: time.Second,
		},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
