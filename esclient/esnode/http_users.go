package esnode

import (
	"encoding/json"
	"net/http"
	"slices"
)

// The numbers of the server's messages that its answers carry.
const (
	msgUserChanged = 124
	msgUser        = 125
	msgUsers       = 126
	msgCurrentUser = 127
)

// userJSON is a user over HTTP.
type userJSON struct {
	LoginName string     `json:"loginName"`
	FullName  string     `json:"fullName"`
	Groups    []string   `json:"groups"`
	Updated   string     `json:"dateLastUpdated,omitempty"`
	Disabled  bool       `json:"disabled"`
	Links     []httpLink `json:"links,omitempty"`
}

func (s *httpServer) userJSON(u *user, links bool) userJSON {
	j := userJSON{LoginName: u.login, FullName: u.fullName, Groups: u.groups, Disabled: u.disabled}
	if j.Groups == nil {
		j.Groups = []string{}
	}
	if !links {
		if !u.updated.IsZero() {
			j.Updated = u.updated.UTC().Format("2006-01-02T15:04:05.000000+00:00")
		}
		return j
	}
	at, toggle := s.url()+"/users/"+u.login, "disable"
	if u.disabled {
		toggle = "enable"
	}
	j.Links = []httpLink{
		{at + "/command/reset-password", "reset-password"},
		{at + "/command/change-password", "change-password"},
		{at, "edit"},
		{at, "delete"},
		{at + "/command/" + toggle, toggle},
	}
	return j
}

func (s *httpServer) getUsers(w http.ResponseWriter, _ *http.Request, _ *user) {
	data := []userJSON{}
	for _, u := range s.node.users.all() {
		data = append(data, s.userJSON(u, true))
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": data, "success": true, "error": "Success", "msgTypeId": msgUsers})
}

func (s *httpServer) getUser(w http.ResponseWriter, r *http.Request, u *user) {
	login := r.PathValue("login")
	if login == "$current" {
		writeJSON(w, http.StatusOK, map[string]any{"data": s.userJSON(u, false), "success": true, "error": "Success", "msgTypeId": msgCurrentUser})
		return
	}
	if !mayManage(u) && login != u.login {
		unauthorized(w)
		return
	}
	found := s.node.users.find(login)
	if found == nil {
		writeJSON(w, http.StatusNotFound, map[string]any{"success": false, "error": "NotFound", "msgTypeId": msgUser})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": s.userJSON(found, true), "success": true, "error": "Success", "msgTypeId": msgUser})
}

type userRequest struct {
	LoginName       string   `json:"loginName"`
	FullName        string   `json:"fullName"`
	Groups          []string `json:"groups"`
	Password        string   `json:"password"`
	NewPassword     string   `json:"newPassword"`
	CurrentPassword string   `json:"currentPassword"`
}

func readUserRequest(w http.ResponseWriter, r *http.Request) (q userRequest, ok bool) {
	if r.ContentLength == 0 {
		return q, true
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return q, false
	}
	return q, true
}

// postUser makes a user. Making the same again is a success.
func (s *httpServer) postUser(w http.ResponseWriter, r *http.Request, _ *user) {
	q, ok := readUserRequest(w, r)
	if !ok {
		return
	}
	if q.LoginName == "" || len(q.LoginName) > 127 || len(q.Password) > 127 {
		http.Error(w, "loginName must have 1 to 127 bytes and password at most 127", http.StatusBadRequest)
		return
	}
	users := s.node.users
	users.change.Lock()
	defer users.change.Unlock()
	if old := users.find(q.LoginName); old != nil {
		if old.fullName != q.FullName || !slices.Equal(old.groups, q.Groups) || !old.knows(q.Password) {
			userChanged(w, http.StatusConflict, q.LoginName, "Conflict")
			return
		}
		userChanged(w, http.StatusCreated, q.LoginName, "Success")
		return
	}
	u, err := newUser(q.LoginName, q.FullName, q.Password, q.Groups)
	if err == nil {
		err = users.save(r.Context(), u)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Location", s.url()+"/users/"+q.LoginName)
	userChanged(w, http.StatusCreated, q.LoginName, "Success")
}

func userChanged(w http.ResponseWriter, status int, login, result string) {
	writeJSON(w, status, struct {
		LoginName string `json:"loginName"`
		Success   bool   `json:"success"`
		Error     string `json:"error"`
		MsgTypeID int    `json:"msgTypeId"`
	}{login, result == "Success", result, msgUserChanged})
}

func (s *httpServer) putUser(w http.ResponseWriter, r *http.Request, _ *user) {
	q, ok := readUserRequest(w, r)
	if !ok {
		return
	}
	s.alterUser(w, r, func(old *user) (*user, bool) {
		u := old.copy()
		u.fullName, u.groups = q.FullName, q.Groups
		return u, true
	})
}

func (s *httpServer) deleteUser(w http.ResponseWriter, r *http.Request, _ *user) {
	login := r.PathValue("login")
	users := s.node.users
	users.change.Lock()
	defer users.change.Unlock()
	u := users.find(login)
	if u == nil {
		userChanged(w, http.StatusNotFound, login, "NotFound")
		return
	}
	if err := users.remove(r.Context(), u); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	userChanged(w, http.StatusOK, login, "Success")
}

// postUserCommand enables, disables, and sets passwords. Users may change their own password if they know it.
func (s *httpServer) postUserCommand(w http.ResponseWriter, r *http.Request, who *user) {
	q, ok := readUserRequest(w, r)
	if !ok {
		return
	}
	cmd := r.PathValue("command")
	if own := cmd == "change-password" && who.login == r.PathValue("login"); !own && !who.isAdmin() {
		unauthorized(w)
		return
	}
	switch cmd {
	case "enable", "disable":
		s.alterUser(w, r, func(old *user) (*user, bool) {
			u := old.copy()
			u.disabled = cmd == "disable"
			return u, true
		})
	case "reset-password", "change-password":
		s.alterUser(w, r, func(old *user) (*user, bool) {
			if cmd == "change-password" && !old.knows(q.CurrentPassword) {
				return nil, false
			}
			u, err := newUser(old.login, old.fullName, q.NewPassword, old.groups)
			if err != nil {
				return nil, false
			}
			u.disabled = old.disabled
			return u, true
		})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (u *user) copy() *user {
	return &user{login: u.login, fullName: u.fullName, groups: u.groups, disabled: u.disabled, updated: u.updated, salt: u.salt, hash: u.hash}
}

// alterUser replaces a user by what alter makes of it.
func (s *httpServer) alterUser(w http.ResponseWriter, r *http.Request, alter func(*user) (*user, bool)) {
	login := r.PathValue("login")
	users := s.node.users
	users.change.Lock()
	defer users.change.Unlock()
	old := users.find(login)
	if old == nil {
		userChanged(w, http.StatusNotFound, login, "NotFound")
		return
	}
	u, allowed := alter(old)
	if !allowed {
		unauthorized(w)
		return
	}
	if err := users.save(r.Context(), u); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	userChanged(w, http.StatusOK, login, "Success")
}
