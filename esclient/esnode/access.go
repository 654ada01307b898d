package esnode

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
)

const (
	allStreams     = "$all"
	settingsStream = "$settings"
	everyone       = "$all" // in an ACL
)

// right is something that an ACL may allow.
type right int

const (
	rightRead right = iota
	rightWrite
	rightDelete
	rightMetaRead
	rightMetaWrite
)

func (r right) of(acl *eventlog.ACL) []string {
	if acl == nil {
		return nil
	}
	return [...][]string{acl.Read, acl.Write, acl.Delete, acl.MetaRead, acl.MetaWrite}[r]
}

func (n *Node) mayRead(u *user, stream string) bool {
	return n.allowed(u, stream, rightRead, rightMetaRead)
}

func (n *Node) mayWrite(u *user, stream string) bool {
	return stream != allStreams && n.allowed(u, stream, rightWrite, rightMetaWrite)
}

func (n *Node) mayDelete(u *user, stream string) bool {
	return stream != allStreams && !eventlog.IsMetadata(stream) && n.allowed(u, stream, rightDelete, rightDelete)
}

// allowed says whether a user has a right on a stream, or, if that is a metadata stream, another right on its original.
// Nobody has rights on the metadata of metadata.
func (n *Node) allowed(u *user, stream string, own, meta right) bool {
	if eventlog.IsMetadata(stream) {
		if stream = eventlog.OriginalOf(stream); eventlog.IsMetadata(stream) {
			return false
		}
		own = meta
	}
	if u.isAdmin() {
		return true
	}
	m, err := n.log.Metadata(stream)
	if err != nil {
		n.readFailed(err)
		return false
	}
	names := own.of(m.ACL)
	if names == nil {
		names = n.defaultACL(stream, own)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		return name == everyone || u != nil && (name == u.login || u.in(name))
	})
}

// defaultACL returns who has a right on a stream that says nothing itself: what the system settings say, or everyone for
// the streams of users and $admins for those of the system.
func (n *Node) defaultACL(stream string, r right) []string {
	system := strings.HasPrefix(stream, "$")
	if names := r.of(n.settingsACL(system)); names != nil {
		return names
	}
	if system {
		return []string{groupAdmins}
	}
	return []string{everyone}
}

// settingsACL returns what the last event of $settings says, or nil.
func (n *Node) settingsACL(system bool) *eventlog.ACL {
	if n.log.LastNumber(settingsStream) < 0 {
		return nil
	}
	p := n.log.ReadEvent(settingsStream, -1, false)
	defer p.Release()
	if len(p.Events) != 1 {
		return nil
	}
	e, ok := eventlog.ParseEvent(p.Events[0].Event)
	var settings struct {
		User   json.RawMessage `json:"$userStreamAcl"`
		System json.RawMessage `json:"$systemStreamAcl"`
	}
	if !ok || json.Unmarshal(e.Data, &settings) != nil {
		return nil
	}
	acl, _ := eventlog.ParseACL(settings.User)
	if system {
		acl, _ = eventlog.ParseACL(settings.System)
	}
	return acl
}

// mayReadTarget says whether a user may read what a link points to.
func (n *Node) mayReadTarget(u *user, e eventlog.Resolved) bool {
	if e.Link == nil || e.Event == nil || u.isAdmin() {
		return true
	}
	target, ok := eventlog.ParseEvent(e.Event)
	return ok && n.mayRead(u, string(target.Stream))
}

func (n *Node) mayReadTargets(u *user, events []eventlog.Resolved) bool {
	if u.isAdmin() {
		return true
	}
	for i := range events {
		if !n.mayReadTarget(u, events[i]) {
			return false
		}
	}
	return true
}
