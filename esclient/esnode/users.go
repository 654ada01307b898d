package esnode

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
)

const (
	groupAdmins = "$admins"
	groupOps    = "$ops"

	usersStream      = "$users"
	userStreamPrefix = "$user-"

	// hashRounds, hashSize and saltSize are those of the server, whose users the log can take over.
	hashRounds = 1000
	hashSize   = 20
	saltSize   = 16
)

// user is an account, and who sent a request. It is never changed: a change makes a new one.
type user struct {
	login    string
	fullName string
	groups   []string
	disabled bool
	updated  time.Time // zero: it came from the options
	salt     []byte
	hash     []byte

	verified atomic.Pointer[[sha256.Size]byte] // of the password that was right last, so that it is not hashed slowly again
}

func (u *user) in(group string) bool { return u != nil && slices.Contains(u.groups, group) }

func (u *user) isAdmin() bool { return u.in(groupAdmins) }

func newUser(login, fullName, password string, groups []string) (*user, error) {
	u := &user{login: login, fullName: fullName, groups: groups, salt: make([]byte, saltSize)}
	_, _ = rand.Read(u.salt) // never fails
	var err error
	u.hash, err = pbkdf2.Key(sha1.New, password, u.salt, hashRounds, hashSize)
	return u, err
}

func (u *user) knows(password string) bool {
	quick := sha256.Sum256([]byte(password))
	if v := u.verified.Load(); v != nil && subtle.ConstantTimeCompare(v[:], quick[:]) == 1 {
		return true
	}
	hash, err := pbkdf2.Key(sha1.New, password, u.salt, hashRounds, len(u.hash))
	if err != nil || len(u.hash) == 0 || subtle.ConstantTimeCompare(hash, u.hash) != 1 {
		return false
	}
	u.verified.Store(&quick)
	return true
}

// userData is a user in the log.
type userData struct {
	LoginName string   `json:"loginName"`
	FullName  string   `json:"fullName"`
	Salt      []byte   `json:"salt"`
	Hash      []byte   `json:"hash"`
	Disabled  bool     `json:"disabled,omitempty"`
	Groups    []string `json:"groups"`
}

// users are the accounts of a node: those of its options, and those in the log, which win.
type users struct {
	node *Node

	change sync.Mutex // held during a change, so that there is one at a time
	mu     sync.RWMutex
	list   map[string]*user
	order  []string
	listed map[string]bool // in $users
}

func newUsers(n *Node, accounts []Account) (*users, error) {
	s := &users{node: n, list: map[string]*user{}, listed: map[string]bool{}}
	for _, a := range accounts {
		u, err := newUser(a.Login, a.FullName, a.Password, a.Groups)
		if err != nil {
			return nil, err
		}
		quick := sha256.Sum256([]byte(a.Password))
		u.verified.Store(&quick)
		s.put(u)
	}
	return s, s.load()
}

func (s *users) put(u *user) {
	if s.list[u.login] == nil {
		s.order = append(s.order, u.login)
	}
	s.list[u.login] = u
}

// load takes over the users in the log.
func (s *users) load() error {
	for from := int64(0); ; {
		p := s.node.log.ReadStream(usersStream, from, maxPageCount, false, false)
		for i := range p.Events {
			if e, ok := eventlog.ParseEvent(p.Events[i].Event); ok {
				s.loadUser(string(e.Data))
			}
		}
		from = p.Next
		end, err := p.End, p.Err
		p.Release()
		if end || err != nil {
			return err
		}
	}
}

func (s *users) loadUser(login string) {
	s.listed[login] = true
	p := s.node.log.ReadEvent(userStreamPrefix+login, -1, false)
	defer p.Release()
	if len(p.Events) != 1 {
		delete(s.list, login) // deleted
		s.order = slices.DeleteFunc(s.order, func(l string) bool { return l == login })
		return
	}
	e, _ := eventlog.ParseEvent(p.Events[0].Event)
	var d userData
	if json.Unmarshal(e.Data, &d) == nil {
		s.put(&user{login: login, fullName: d.FullName, groups: d.Groups, disabled: d.Disabled, updated: e.Time(), salt: d.Salt, hash: d.Hash})
	}
}

// check returns the user of these credentials.
func (s *users) check(login, password string) (*user, bool) {
	u := s.find(login)
	if u == nil || u.disabled || !u.knows(password) {
		return nil, false
	}
	return u, true
}

func (s *users) find(login string) *user {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.list[login]
}

// all returns the users in the order in which they were made.
func (s *users) all() []*user {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []*user
	for _, login := range s.order {
		list = append(list, s.list[login])
	}
	return list
}

// save writes a user to the log and then makes it known. The caller holds the lock for changes.
func (s *users) save(ctx context.Context, u *user) error {
	eventType := "$UserUpdated"
	if s.find(u.login) == nil {
		eventType = "$UserCreated"
	}
	if !s.listed[u.login] {
		if err := s.append(ctx, usersStream, eventlog.Event{Type: "$User", Data: []byte(u.login)}); err != nil {
			return err
		}
		s.listed[u.login] = true
	}
	groups := u.groups
	if groups == nil {
		groups = []string{}
	}
	data, err := json.MarshalIndent(userData{u.login, u.fullName, u.salt, u.hash, u.disabled, groups}, "", "  ")
	if err != nil {
		return err
	}
	if err := s.append(ctx, userStreamPrefix+u.login, eventlog.Event{Type: eventType, JSON: true, Data: data}); err != nil {
		return err
	}
	u.updated = s.node.cfg.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(u)
	return nil
}

// remove deletes a user. The caller holds the lock for changes.
func (s *users) remove(ctx context.Context, u *user) error {
	if !s.listed[u.login] {
		if err := s.append(ctx, usersStream, eventlog.Event{Type: "$User", Data: []byte(u.login)}); err != nil {
			return err
		}
		s.listed[u.login] = true
	}
	if err := s.wait(ctx, func(done func(eventlog.Written)) {
		s.node.log.Delete(userStreamPrefix+u.login, eventlog.ExpectAny, false, done)
	}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.list, u.login)
	s.order = slices.DeleteFunc(s.order, func(login string) bool { return login == u.login })
	return nil
}

func (s *users) append(ctx context.Context, stream string, e eventlog.Event) error {
	e.ID = newGUID()
	return s.wait(ctx, func(done func(eventlog.Written)) {
		s.node.log.Append(stream, eventlog.ExpectAny, []eventlog.Event{e}, done)
	})
}

func (s *users) wait(ctx context.Context, do func(done func(eventlog.Written))) error {
	result := make(chan eventlog.Written, 1)
	do(func(w eventlog.Written) { result <- w })
	select {
	case w := <-result:
		if w.Outcome != eventlog.Success {
			return errors.Join(fmt.Errorf("user cannot be written: outcome %d", w.Outcome), w.Err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
