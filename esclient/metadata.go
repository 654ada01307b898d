package esclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"
)

// Names of the system's own streams and types.
const (
	metadataPrefix = "$$"
	metadataType   = "$metadata"
	settingsStream = "$settings"
	settingsType   = "$settings"
)

// StreamMetadata is what the system knows about a stream, and what users have added. The zero value of a field is its
// absence.
type StreamMetadata struct {
	MaxCount       int64         // keep the last so many events
	MaxAge         time.Duration // hide older events; whole seconds
	TruncateBefore int64         // hide events before this number; [Tombstone] for a stream that was deleted softly
	CacheControl   time.Duration // of the HTTP interface; whole seconds
	ACL            *ACL          // nil = the default
	Custom         map[string]json.RawMessage
}

// ACL says who may do what with a stream: names of users and groups, "$all" for everybody. "$admins" may do everything. A
// nil list is the default, an empty one is nobody.
type ACL struct {
	Read, Write, Delete, MetaRead, MetaWrite []string
}

// StreamMetadata reads the metadata of a stream. The version is what a change of it expects, [NoStream] if there is none.
func (c *Client) StreamMetadata(ctx context.Context, stream string) (m StreamMetadata, version ExpectedVersion, err error) {
	e, err := c.ReadEvent(ctx, metadataPrefix+stream, EndOfStream, ReadOptions{KeepLinks: true})
	switch {
	case errors.Is(err, ErrEventNotFound), errors.Is(err, ErrStreamNotFound):
		return StreamMetadata{}, NoStream, nil
	case err != nil:
		return StreamMetadata{}, NoStream, err
	}
	if err := json.Unmarshal(e.Data, &m); err != nil {
		return StreamMetadata{}, ExpectedVersion(e.Number), fmt.Errorf("metadata of %q: %w", stream, err)
	}
	return m, ExpectedVersion(e.Number), nil
}

// SetStreamMetadata replaces the metadata of a stream: what m does not have is gone afterwards. Read it first, and expect
// the version read, to change a part of it.
func (c *Client) SetStreamMetadata(ctx context.Context, stream string, expected ExpectedVersion, m StreamMetadata) (WriteResult, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return WriteResult{}, invalidArgument("set metadata", stream, "%w", err)
	}
	return c.Append(ctx, metadataPrefix+stream, expected, NewEvent{Type: metadataType, Body: json.RawMessage(body)})
}

// metadataJSON is the form of the server. Custom keys stand beside these.
type metadataJSON struct {
	MaxCount       int64    `json:"$maxCount,omitempty"`
	MaxAge         int64    `json:"$maxAge,omitempty"`
	TruncateBefore int64    `json:"$tb,omitempty"`
	CacheControl   int64    `json:"$cacheControl,omitempty"`
	ACL            *aclJSON `json:"$acl,omitempty"`
}

// MarshalJSON writes the form of the server.
func (m StreamMetadata) MarshalJSON() ([]byte, error) {
	if m.MaxCount < 0 || m.MaxAge < 0 || m.TruncateBefore < 0 || m.CacheControl < 0 {
		return nil, errors.New("MaxCount, MaxAge, TruncateBefore and CacheControl must not be negative")
	}
	if m.MaxAge%time.Second != 0 || m.CacheControl%time.Second != 0 {
		return nil, errors.New("MaxAge and CacheControl must be whole seconds")
	}
	known, err := json.Marshal(metadataJSON{
		MaxCount: m.MaxCount, MaxAge: int64(m.MaxAge / time.Second), TruncateBefore: m.TruncateBefore,
		CacheControl: int64(m.CacheControl / time.Second), ACL: m.ACL.json(),
	})
	if err != nil || len(m.Custom) == 0 {
		return known, err
	}
	all := maps.Clone(m.Custom)
	system := map[string]json.RawMessage{}
	if err := json.Unmarshal(known, &system); err != nil {
		return nil, err
	}
	for key := range m.Custom {
		if systemKey(key) {
			return nil, fmt.Errorf("custom key %q is one of the system", key)
		}
	}
	maps.Copy(all, system)
	return json.Marshal(all)
}

// UnmarshalJSON reads the form of the server.
func (m *StreamMetadata) UnmarshalJSON(data []byte) error {
	var known metadataJSON
	if err := json.Unmarshal(data, &known); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(key string, _ json.RawMessage) bool { return systemKey(key) })
	*m = StreamMetadata{
		MaxCount: known.MaxCount, MaxAge: time.Duration(known.MaxAge) * time.Second, TruncateBefore: known.TruncateBefore,
		CacheControl: time.Duration(known.CacheControl) * time.Second, ACL: known.ACL.acl(),
	}
	if len(all) > 0 {
		m.Custom = all
	}
	return nil
}

func systemKey(key string) bool {
	switch key {
	case "$maxCount", "$maxAge", "$tb", "$cacheControl", "$acl":
		return true
	}
	return false
}

type aclJSON struct {
	Read      names `json:"$r,omitzero"`
	Write     names `json:"$w,omitzero"`
	Delete    names `json:"$d,omitzero"`
	MetaRead  names `json:"$mr,omitzero"`
	MetaWrite names `json:"$mw,omitzero"`
}

func (a *ACL) json() *aclJSON {
	if a == nil {
		return nil
	}
	return &aclJSON{Read: a.Read, Write: a.Write, Delete: a.Delete, MetaRead: a.MetaRead, MetaWrite: a.MetaWrite}
}

func (a *aclJSON) acl() *ACL {
	if a == nil {
		return nil
	}
	return &ACL{Read: a.Read, Write: a.Write, Delete: a.Delete, MetaRead: a.MetaRead, MetaWrite: a.MetaWrite}
}

// names is a list that may also be a single text.
type names []string

// UnmarshalJSON reads a text or a list of texts.
func (n *names) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*n = names{one}
		return nil
	}
	var all []string
	err := json.Unmarshal(data, &all)
	*n = all
	return err
}

// SystemSettings are the default ACLs of the server. They replace the built-in ones.
type SystemSettings struct {
	UserStreams   *ACL // nil = the default
	SystemStreams *ACL // nil = the default
}

type settingsJSON struct {
	UserStreams   *aclJSON `json:"$userStreamAcl,omitempty"`
	SystemStreams *aclJSON `json:"$systemStreamAcl,omitempty"`
}

// SystemSettings reads the settings. It needs a user who may read $settings.
func (c *Client) SystemSettings(ctx context.Context) (s SystemSettings, version ExpectedVersion, err error) {
	e, err := c.ReadEvent(ctx, settingsStream, EndOfStream, ReadOptions{KeepLinks: true})
	switch {
	case errors.Is(err, ErrEventNotFound), errors.Is(err, ErrStreamNotFound):
		return SystemSettings{}, NoStream, nil
	case err != nil:
		return SystemSettings{}, NoStream, err
	}
	var body settingsJSON
	if err := json.Unmarshal(e.Data, &body); err != nil {
		return SystemSettings{}, ExpectedVersion(e.Number), fmt.Errorf("system settings: %w", err)
	}
	return SystemSettings{UserStreams: body.UserStreams.acl(), SystemStreams: body.SystemStreams.acl()}, ExpectedVersion(e.Number), nil
}

// SetSystemSettings replaces the settings. It needs a user who may write to $settings.
func (c *Client) SetSystemSettings(ctx context.Context, expected ExpectedVersion, s SystemSettings) (WriteResult, error) {
	body, err := json.Marshal(settingsJSON{UserStreams: s.UserStreams.json(), SystemStreams: s.SystemStreams.json()})
	if err != nil {
		return WriteResult{}, invalidArgument("set", settingsStream, "%w", err)
	}
	return c.Append(ctx, settingsStream, expected, NewEvent{Type: settingsType, Body: json.RawMessage(body)})
}
