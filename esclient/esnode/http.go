package esnode

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// maxHTTPBody bounds the body of an HTTP request.
const maxHTTPBody = 64 << 20

// httpServer is the HTTP interface of a member.
type httpServer struct {
	node     *Node
	member   *member
	listener net.Listener
	server   *http.Server
}

func (m *member) listenHTTP() error {
	s := &httpServer{node: m.node, member: m}
	l, err := net.Listen("tcp", m.node.cfg.httpListen)
	if err != nil {
		return err
	}
	s.listener = l
	s.server = &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(m.node.cfg.log.Handler(), slog.LevelWarn),
	}
	m.http = s
	return nil
}

// serve answers until close. Its goroutine ends then.
func (s *httpServer) serve() {
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.node.cfg.log.Error("http failed", "err", err)
	}
}

func (s *httpServer) url() string { return "http://" + s.listener.Addr().String() }

// routes is the whole HTTP interface.
func (s *httpServer) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /gossip", s.getGossip)
	mux.HandleFunc("GET /info", s.getInfo)
	mux.HandleFunc("GET /ping", s.getPing)
	mux.HandleFunc("GET /stats", s.getStats)
	mux.HandleFunc("GET /stats/{path...}", s.getStats)
	if s.node.cfg.version20 {
		mux.HandleFunc("GET /health/live", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	}
	mux.HandleFunc("POST /admin/shutdown", s.operator(s.postShutdown))

	mux.HandleFunc("GET /subscriptions", s.authenticated(s.getGroups))
	mux.HandleFunc("GET /subscriptions/{stream}", s.authenticated(s.getGroups))
	mux.HandleFunc("GET /subscriptions/{stream}/{group}/info", s.authenticated(s.getGroup))
	mux.HandleFunc("PUT /subscriptions/{stream}/{group}", s.authenticated(s.putGroup))
	mux.HandleFunc("POST /subscriptions/{stream}/{group}", s.authenticated(s.postGroup))
	mux.HandleFunc("DELETE /subscriptions/{stream}/{group}", s.authenticated(s.deleteGroup))
	mux.HandleFunc("POST /subscriptions/{stream}/{group}/replayParked", s.authenticated(s.postReplay))

	mux.HandleFunc("GET /users/{$}", s.operator(s.getUsers))
	mux.HandleFunc("GET /users", s.operator(s.getUsers))
	mux.HandleFunc("POST /users/{$}", s.admin(s.postUser))
	mux.HandleFunc("POST /users", s.admin(s.postUser))
	mux.HandleFunc("GET /users/{login}", s.authenticated(s.getUser))
	mux.HandleFunc("PUT /users/{login}", s.admin(s.putUser))
	mux.HandleFunc("DELETE /users/{login}", s.admin(s.deleteUser))
	mux.HandleFunc("POST /users/{login}/command/{command}", s.authenticated(s.postUserCommand))

	mux.HandleFunc("GET /projections/{mode}", s.getProjections)
	mux.HandleFunc("GET /projection/{name}", s.getProjection)

	s.streamRoutes(mux)
	return s.checked(mux)
}

// checked refuses wrong credentials, whatever is asked for, and asks while the node stops.
func (s *httpServer) checked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.node.stopping.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if _, ok := s.user(r); !ok {
			unauthorized(w)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxHTTPBody)
		next.ServeHTTP(w, r)
	})
}

// user returns who sent a request, nil for anonymous, and false for wrong credentials.
func (s *httpServer) user(r *http.Request) (*user, bool) {
	login, password, ok := r.BasicAuth()
	if !ok {
		return nil, true
	}
	return s.node.users.check(login, password)
}

type userHandler func(w http.ResponseWriter, r *http.Request, u *user)

func (s *httpServer) restricted(next userHandler, may func(*user) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u, _ := s.user(r)
		if u == nil || !may(u) {
			unauthorized(w)
			return
		}
		next(w, r, u)
	}
}

func (s *httpServer) authenticated(next userHandler) http.HandlerFunc {
	return s.restricted(next, func(*user) bool { return true })
}

func (s *httpServer) operator(next userHandler) http.HandlerFunc {
	return s.restricted(next, mayManage)
}

func (s *httpServer) admin(next userHandler) http.HandlerFunc {
	return s.restricted(next, (*user).isAdmin)
}

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="ES"`)
	w.WriteHeader(http.StatusUnauthorized)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	writeJSONAs(w, status, "application/json; charset=utf-8", v)
}

func writeJSONAs(w http.ResponseWriter, status int, contentType string, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client has gone
}
