package projector

// routes knows what is done with events of each type. It is for one goroutine.
type routes struct {
	p     *Projection
	known map[string]*route
	last  string // type that was asked for last: runs of one type are the rule
	route *route
}

// route is what is done with events of one type.
type route struct {
	effect  *Handler // nil = none
	handled bool     // by any part
}

// maxRoutes bounds the memory for event types, of which a log may have any number.
const maxRoutes = 10_000

func (r *routes) to(eventType string) *route {
	if r.route == nil || r.last != eventType {
		r.last, r.route = eventType, r.find(eventType)
	}
	return r.route
}

func (r *routes) find(eventType string) *route {
	if found := r.known[eventType]; found != nil {
		return found
	}
	if r.known == nil || len(r.known) >= maxRoutes {
		r.known = make(map[string]*route)
	}
	made := &route{effect: r.p.effect(eventType), handled: r.p.handles(eventType)}
	r.known[eventType] = made
	return made
}

// route returns what is done with events of a type. It is for the goroutine of the session, as handles is.
func (s *session) route(eventType string) *route { return s.routes.to(eventType) }

// handles reports whether any part of the projection wants events of a type.
func (s *session) handles(eventType string) bool { return s.route(eventType).handled }
