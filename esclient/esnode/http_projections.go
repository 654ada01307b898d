package esnode

import "net/http"

// systemProjection is a projection as HTTP tells of it. Those of the node are part of each append, so they are always
// up to date.
type systemProjection struct {
	Name          string  `json:"name"`
	EffectiveName string  `json:"effectiveName"`
	Status        string  `json:"status"`
	StateReason   string  `json:"stateReason"`
	Mode          string  `json:"mode"`
	Position      string  `json:"position"`
	Progress      float64 `json:"progress"`
	Checkpoint    string  `json:"lastCheckpoint"`
	Epoch         int     `json:"epoch"`
	Version       int     `json:"version"`
	EnableURL     string  `json:"enableCommandUrl"`
	DisableURL    string  `json:"disableCommandUrl"`
}

func (s *httpServer) projections() []systemProjection {
	status, progress := "Running", 100.0
	if !s.node.cfg.projections {
		status, progress = "Stopped", -1
	}
	var list []systemProjection
	for _, name := range []string{"$streams", "$stream_by_category", "$by_category", "$by_event_type"} {
		p := systemProjection{
			Name: name, EffectiveName: name, Status: status, Mode: "Continuous", Progress: progress, Epoch: -1, Version: 1,
			EnableURL: s.url() + "/projection/" + name + "/command/enable", DisableURL: s.url() + "/projection/" + name + "/command/disable",
		}
		if name == "$stream_by_category" {
			p.Status, p.Progress = "Stopped", -1
		}
		list = append(list, p)
	}
	return list
}

func (s *httpServer) getProjections(w http.ResponseWriter, r *http.Request) {
	list := []systemProjection{}
	switch r.PathValue("mode") {
	case "any", "all-non-transient", "continuous":
		list = s.projections()
	case "onetime", "transient":
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"projections": list})
}

func (s *httpServer) getProjection(w http.ResponseWriter, r *http.Request) {
	for _, p := range s.projections() {
		if p.Name == r.PathValue("name") {
			writeJSON(w, http.StatusOK, p)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}
