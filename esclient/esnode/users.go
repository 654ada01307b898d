package esnode

import (
	"crypto/subtle"
	"slices"
	"sync"
)

// user is who sent a request.
type user struct {
	login    string
	fullName string
	groups   []string
	disabled bool
	password string
}

func (u *user) in(group string) bool { return u != nil && slices.Contains(u.groups, group) }

func (u *user) isAdmin() bool { return u.in(groupAdmins) }

const (
	groupAdmins = "$admins"
	groupOps    = "$ops"
)

// users are the accounts of a node.
type users struct {
	mu   sync.RWMutex
	list map[string]*user
}

func newUsers(_ *Node, accounts []Account) *users {
	s := &users{list: map[string]*user{}}
	for _, a := range accounts {
		s.list[a.Login] = &user{login: a.Login, fullName: a.FullName, groups: a.Groups, password: a.Password}
	}
	return s
}

// check returns the user of these credentials.
func (s *users) check(login, password string) (*user, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	u := s.list[login]
	if u == nil || u.disabled || subtle.ConstantTimeCompare([]byte(u.password), []byte(password)) != 1 {
		return nil, false
	}
	return u, true
}
