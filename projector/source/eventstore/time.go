package eventstore

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
)

// Before implements [source.Timed] by halving, with one request of one event for each step.
func (s *stream) Before(ctx context.Context, t time.Time) (checkpoint.Position, error) {
	n, err := s.before(ctx, t)
	if err != nil || n < 0 {
		return checkpoint.Position{}, err
	}
	return checkpoint.AtNumber(n), nil
}

// before returns the number ahead of the first event created at t or later, -1 if all are.
func (s *stream) before(ctx context.Context, t time.Time) (int64, error) {
	last, err := s.last(ctx)
	if err != nil || last < 0 {
		return -1, err
	}
	first := sort.Search(int(last)+1, func(n int) bool {
		if err != nil {
			return true
		}
		var created time.Time
		created, err = s.createdFrom(ctx, int64(n))
		return created.IsZero() || !created.Before(t)
	})
	return int64(first) - 1, err
}

// createdFrom returns when the first event from a number on was created of which that is known; the zero time if there is
// none. Links have lost it that lead nowhere, and numbers may be missing.
func (s *stream) createdFrom(ctx context.Context, n int64) (time.Time, error) {
	for {
		page, err := s.client.ReadStream(ctx, s.name, n, esclient.ReadOptions{PageSize: 1})
		if errors.Is(err, esclient.ErrStreamNotFound) {
			return time.Time{}, nil
		}
		if err != nil {
			return time.Time{}, translate(s, err)
		}
		for i := range page.Events {
			if e := &page.Events[i]; (e.Link == nil || !e.Link.Unresolved) && !e.Created.IsZero() {
				return e.Created, nil
			}
		}
		if page.End || page.Next <= n {
			return time.Time{}, nil
		}
		n = page.Next
	}
}

// timePage is how many events of the log are asked for at once to find a time in it.
const timePage = 1000

// Before implements [source.Timed]. The log is read backwards from its end, since its positions cannot be halved: the cost
// grows with what was written since t.
func (s *all) Before(ctx context.Context, t time.Time) (checkpoint.Position, error) {
	from := esclient.End()
	for {
		page, err := s.client.ReadAll(ctx, from, esclient.ReadOptions{Backward: true, PageSize: timePage, KeepLinks: true})
		if err != nil {
			return checkpoint.Position{}, fmt.Errorf("read back from the end: %w", translate(s, err))
		}
		for i := range page.Events {
			if e := &page.Events[i]; e.Created.Before(t) {
				return checkpoint.AtLog(e.Position.Commit, e.Position.Prepare), nil
			}
		}
		if page.End || len(page.Events) == 0 {
			return checkpoint.Position{}, nil
		}
		from = page.Next
	}
}
