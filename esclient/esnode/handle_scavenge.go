package esnode

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// scavengeTime is how long a scavenge seems to take.
const scavengeTime = time.Second

// scavenge is the one that seems to be running. The log of a node is never scavenged.
type scavenge struct {
	mu   sync.Mutex
	id   string
	ends time.Time
}

// begin returns the id of the running scavenge, and whether it was running before.
func (s *scavenge) begin(now time.Time) (id string, running bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != "" && now.Before(s.ends) {
		return s.id, true
	}
	s.id, s.ends = uuid.NewString(), now.Add(scavengeTime)
	return s.id, false
}

func handleScavenge(c *conn, r *request) {
	m := &wirepb.ScavengeDatabaseResponse{Result: wirepb.ScavengeDatabaseResponse_RESULT_UNAUTHORIZED.Enum()}
	if mayManage(r.user) {
		id, running := c.node.scavenge.begin(c.node.cfg.clock.Now())
		m.ScavengeId, m.Result = &id, wirepb.ScavengeDatabaseResponse_RESULT_STARTED.Enum()
		if running {
			m.Result = wirepb.ScavengeDatabaseResponse_RESULT_IN_PROGRESS.Enum()
		}
	}
	c.send(ScavengeDatabaseResponse, r.Correlation, message{m})
}
