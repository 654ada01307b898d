package esnode

import (
	"net/http"
	"runtime"
	"strings"
	"time"
)

const (
	version5  = "5.0.11.0"
	version20 = "20.10.5.0"
)

func (s *httpServer) getInfo(w http.ResponseWriter, _ *http.Request) {
	info := map[string]any{"state": strings.ToLower(s.member.gossipState())}
	if s.node.cfg.version20 {
		info["esVersion"] = version20
		info["features"] = map[string]any{"projections": s.node.cfg.projections, "userManagement": true}
		info["authentication"] = map[string]any{"type": "internal", "properties": map[string]any{}}
	} else {
		info["esVersion"] = version5
		info["projectionsMode"] = s.node.projectionsMode()
	}
	writeJSON(w, http.StatusOK, info)
}

func (n *Node) projectionsMode() string {
	if !n.cfg.projections {
		return "None"
	}
	return "System"
}

func (s *httpServer) getPing(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"msgTypeId": 15, "text": "Ping request successfully handled"})
}

func (s *httpServer) postShutdown(w http.ResponseWriter, _ *http.Request, u *user) {
	s.node.cfg.log.Info("shutdown requested over http", "user", u.login)
	w.WriteHeader(http.StatusOK)
	s.node.stopSoon()
}

// getStats answers with a few figures of the process and the log, nested, or flat with ?group=false.
func (s *httpServer) getStats(w http.ResponseWriter, r *http.Request) {
	flat := s.stats()
	if r.URL.Query().Get("group") == "false" {
		writeJSON(w, http.StatusOK, flat)
		return
	}
	var found any = nested(flat)
	for _, part := range strings.FieldsFunc(r.PathValue("path"), func(c rune) bool { return c == '/' }) {
		m, ok := found.(map[string]any)
		if found = m[part]; !ok || found == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
	}
	writeJSON(w, http.StatusOK, found)
}

func (s *httpServer) stats() map[string]any {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	n := s.node
	return map[string]any{
		"proc-startTime":                         n.began.UTC().Format(time.RFC3339Nano),
		"proc-mem":                               mem.Sys,
		"proc-threadsCount":                      runtime.NumGoroutine(),
		"proc-tcp-connections":                   len(n.conns.all()),
		"proc-gc-gen0Size":                       mem.HeapAlloc,
		"sys-freeMem":                            mem.HeapIdle,
		"es-checksum":                            n.log.Head(),
		"es-checksumNonFlushed":                  n.log.Head(),
		"es-queue-MainQueue-queueName":           "MainQueue",
		"es-queue-MainQueue-length":              0,
		"es-queue-MainQueue-avgItemsPerSecond":   0,
		"es-queue-MainQueue-totalItemsProcessed": n.requests.Load(),
	}
}

// nested turns keys like es-queue-MainQueue-length into objects.
func nested(flat map[string]any) map[string]any {
	root := map[string]any{}
	for key, v := range flat {
		at := root
		parts := strings.Split(key, "-")
		for _, part := range parts[:len(parts)-1] {
			part = strings.ToLower(part[:1]) + part[1:]
			next, ok := at[part].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[part] = next
			}
			at = next
		}
		at[parts[len(parts)-1]] = v
	}
	return root
}
