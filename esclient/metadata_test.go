package esclient_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/esclient"
)

func TestStreamMetadata(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	ctx := t.Context()
	fill(t, c, "s", 10)
	m, version, err := c.StreamMetadata(ctx, "s")
	if diff := cmp.Diff(m, esclient.StreamMetadata{}); diff != "" || version != esclient.NoStream || err != nil {
		t.Errorf("none: %s %v %v", diff, version, err)
	}
	if _, version, err := c.StreamMetadata(ctx, "none"); version != esclient.NoStream || err != nil {
		t.Errorf("no stream: %v %v", version, err)
	}
	want := esclient.StreamMetadata{
		MaxCount: 3, MaxAge: time.Hour, TruncateBefore: 2, CacheControl: time.Minute,
		ACL:    &esclient.ACL{Read: []string{"$all"}, Write: []string{"ops", "admin"}},
		Custom: map[string]json.RawMessage{"owner": json.RawMessage(`{"team":"ponies"}`)},
	}
	if _, err := c.SetStreamMetadata(ctx, "s", version, want); err != nil {
		t.Fatal(err)
	}
	m, version, err = c.StreamMetadata(ctx, "s")
	if diff := cmp.Diff(m, want); diff != "" || version != 0 || err != nil {
		t.Errorf("set: %s %v %v", diff, version, err)
	}
	page, err := c.ReadStream(ctx, "s", 0, esclient.ReadOptions{})
	if err == nil && len(page.Events) == 0 {
		page, err = c.ReadStream(ctx, "s", page.Next, esclient.ReadOptions{})
	}
	if err != nil || len(page.Events) != 3 {
		t.Errorf("MaxCount has no effect: %d events, %v", len(page.Events), err)
	}
	if _, err := c.SetStreamMetadata(ctx, "s", esclient.NoStream, want); !errors.Is(err, esclient.ErrWrongExpectedVersion) {
		t.Errorf("wrong version: %v", err)
	}
	bad := esclient.StreamMetadata{Custom: map[string]json.RawMessage{"$maxCount": json.RawMessage("1")}}
	if _, err := c.SetStreamMetadata(ctx, "s", esclient.Any, bad); !errors.Is(err, esclient.ErrInvalidArgument) {
		t.Errorf("custom key of the system: %v", err)
	}
	if _, err := c.SetStreamMetadata(ctx, "s", esclient.Any, esclient.StreamMetadata{MaxAge: time.Millisecond}); !errors.Is(err, esclient.ErrInvalidArgument) {
		t.Errorf("not a whole second: %v", err)
	}
	var single esclient.StreamMetadata
	if err := json.Unmarshal([]byte(`{"$acl":{"$r":"one","$w":["a","b"]}}`), &single); err != nil || !slices.Equal(single.ACL.Read, []string{"one"}) || len(single.ACL.Write) != 2 {
		t.Errorf("single name: %+v %v", single.ACL, err)
	}
}

func TestSystemSettings(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	want := esclient.SystemSettings{
		UserStreams:   &esclient.ACL{Read: []string{"ops"}, Write: []string{}},
		SystemStreams: &esclient.ACL{Read: []string{"$admins"}},
	}
	if _, version, err := c.SystemSettings(t.Context()); version != esclient.NoStream || err != nil {
		t.Errorf("none: %v %v", version, err)
	}
	if _, err := c.SetSystemSettings(t.Context(), esclient.Any, want); err != nil {
		t.Fatal(err)
	}
	got, version, err := c.SystemSettings(t.Context())
	if diff := cmp.Diff(got, want); diff != "" || version != 0 || err != nil {
		t.Errorf("%s %v %v", diff, version, err)
	}
}
