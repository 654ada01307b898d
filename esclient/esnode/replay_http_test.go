package esnode

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/photonpump/projector/esclient/internal/wire/wiretest"
)

// http plays one recorded HTTP request, without a socket.
func (r *replayer) http(line wiretest.Line) {
	body, _ := line.Request.(string)
	req := httptest.NewRequest(line.Method, line.Path, strings.NewReader(body))
	if line.AuthFields != nil {
		req.SetBasicAuth(line.AuthFields.Login, line.AuthFields.Password)
	}
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, req)
	if answer.Code != line.Status {
		r.t.Errorf("line %d: %s %s: want status %d, got %d %s", line.Number, line.Method, line.Path, line.Status, answer.Code, answer.Body)
	}
	want, ok := line.Response.(string)
	if !ok {
		return
	}
	var w, g any
	if json.Unmarshal([]byte(want), &w) != nil || json.Unmarshal(answer.Body.Bytes(), &g) != nil {
		r.t.Errorf("line %d: %s %s: want %s, got %s", line.Number, line.Method, line.Path, want, answer.Body)
		return
	}
	for _, problem := range diffJSON("", w, g) {
		r.t.Errorf("line %d: %s %s: %s", line.Number, line.Method, line.Path, problem)
	}
}

// diffJSON compares answers over HTTP, but for what depends on the server, the connection or the time.
func diffJSON(path string, want, got any) (problems []string) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: want an object, got %v", path, got)}
		}
		for key, v := range w {
			if strings.HasPrefix(key, "average") || strings.HasPrefix(key, "count") || httpVolatile[key] {
				if _, there := g[key]; !there {
					problems = append(problems, path+"."+key+" is missing")
				}
				continue
			}
			problems = append(problems, diffJSON(path+"."+key, v, g[key])...)
		}
		for key := range g {
			if _, known := w[key]; !known {
				problems = append(problems, path+"."+key+" is not known")
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return []string{fmt.Sprintf("%s: want %v, got %v", path, want, got)}
		}
		for i := range w {
			problems = append(problems, diffJSON(fmt.Sprintf("%s[%d]", path, i), w[i], g[i])...)
		}
	case string:
		if g, ok := got.(string); !ok || noHost(g) != noHost(w) {
			return []string{fmt.Sprintf("%s: want %q, got %v", path, want, got)}
		}
	default:
		if fmt.Sprint(want) != fmt.Sprint(got) {
			return []string{fmt.Sprintf("%s: want %v, got %v", path, want, got)}
		}
	}
	return problems
}

var httpVolatile = map[string]bool{
	"correlationId": true, "timeStamp": true, "instanceId": true, "epochId": true, "dateLastUpdated": true, "from": true,
	"liveBufferCount": true, // of the server's buffer for live events, which the node has no need of
}

// noHost removes host and port of a URL.
func noHost(s string) string {
	if rest, ok := strings.CutPrefix(s, "http://"); ok {
		_, path, _ := strings.Cut(rest, "/")
		return path
	}
	return s
}
