package esnode

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// The numbers of the server's messages that its answers carry.
const (
	msgCreateGroup = 166
	msgUpdateGroup = 168
	msgDeleteGroup = 172
	msgReplay      = 179
)

type httpLink struct {
	Href string `json:"href"`
	Rel  string `json:"rel"`
}

// groupSummary is a group in a list.
type groupSummary struct {
	Links           []httpLink `json:"links"`
	Stream          string     `json:"eventStreamId"`
	Group           string     `json:"groupName"`
	ParkedURI       string     `json:"parkedMessageUri"`
	MessagesURI     string     `json:"getMessagesUri"`
	Status          string     `json:"status"`
	Pace            float64    `json:"averageItemsPerSecond"`
	Total           int64      `json:"totalItemsProcessed"`
	LastProcessed   int64      `json:"lastProcessedEventNumber"`
	LastKnown       int64      `json:"lastKnownEventNumber"`
	ConnectionCount int        `json:"connectionCount"`
	InFlight        int        `json:"totalInFlightMessages"`
}

// groupConfigJSON is the settings of a group over HTTP.
type groupConfigJSON struct {
	ResolveLinks    bool   `json:"resolveLinktos"`
	StartFrom       int64  `json:"startFrom"`
	MessageTimeout  int64  `json:"messageTimeoutMilliseconds"`
	Statistics      bool   `json:"extraStatistics"`
	MaxRetries      int    `json:"maxRetryCount"`
	LiveBuffer      int    `json:"liveBufferSize"`
	Buffer          int    `json:"bufferSize"`
	ReadBatch       int    `json:"readBatchSize"`
	RoundRobin      bool   `json:"preferRoundRobin"`
	CheckpointAfter int64  `json:"checkPointAfterMilliseconds"`
	CheckpointMin   int64  `json:"minCheckPointCount"`
	CheckpointMax   int64  `json:"maxCheckPointCount"`
	MaxSubscribers  int    `json:"maxSubscriberCount"`
	Strategy        string `json:"namedConsumerStrategy"`
}

// groupInfo is all there is to know about a group.
type groupInfo struct {
	Links         []httpLink      `json:"links"`
	Config        groupConfigJSON `json:"config"`
	Stream        string          `json:"eventStreamId"`
	Group         string          `json:"groupName"`
	Status        string          `json:"status"`
	Pace          float64         `json:"averageItemsPerSecond"`
	ParkedURI     string          `json:"parkedMessageUri"`
	MessagesURI   string          `json:"getMessagesUri"`
	Total         int64           `json:"totalItemsProcessed"`
	Since         int64           `json:"countSinceLastMeasurement"`
	LastProcessed int64           `json:"lastProcessedEventNumber"`
	LastKnown     int64           `json:"lastKnownEventNumber"`
	ReadBuffer    int             `json:"readBufferCount"`
	LiveBuffer    int             `json:"liveBufferCount"`
	RetryBuffer   int             `json:"retryBufferCount"`
	InFlight      int             `json:"totalInFlightMessages"`
	Outstanding   int             `json:"outstandingMessagesCount"`
	Connections   []consumerInfo  `json:"connections"`
}

type consumerInfo struct {
	From     string   `json:"from"`
	User     string   `json:"username"`
	Pace     float64  `json:"averageItemsPerSecond"`
	Total    int64    `json:"totalItemsProcessed"`
	Since    int64    `json:"countSinceLastMeasurement"`
	Extra    []string `json:"extraStatistics"`
	Slots    int      `json:"availableSlots"`
	InFlight int      `json:"inFlightMessages"`
}

func (s *httpServer) getGroups(w http.ResponseWriter, r *http.Request, _ *user) {
	stream := r.PathValue("stream")
	list := []groupSummary{}
	for _, g := range s.node.psubs.list(stream) {
		i := g.info(s.url())
		list = append(list, groupSummary{
			Links: i.Links[:1], Stream: i.Stream, Group: i.Group, ParkedURI: i.ParkedURI, MessagesURI: i.MessagesURI, Status: i.Status, Pace: i.Pace,
			Total: i.Total, LastProcessed: i.LastProcessed, LastKnown: i.LastKnown, ConnectionCount: len(i.Connections), InFlight: i.InFlight,
		})
	}
	status := http.StatusOK
	if stream != "" && len(list) == 0 {
		status = http.StatusNotFound
	}
	writeJSON(w, status, list)
}

func (s *httpServer) getGroup(w http.ResponseWriter, r *http.Request, _ *user) {
	g := s.node.psubs.find(r.PathValue("stream"), r.PathValue("group"))
	if g == nil {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	writeJSON(w, http.StatusOK, g.info(s.url()))
}

// info returns the state of a group; base is the URL that the links in it begin with.
func (g *group) info(base string) groupInfo {
	s := &g.settings
	at := base + "/subscriptions/" + url.PathEscape(s.Stream) + "/" + url.PathEscape(s.Group)
	last := g.node.log.LastNumber(s.Stream)
	g.mu.Lock()
	defer g.mu.Unlock()
	i := groupInfo{
		Links:  []httpLink{{at + "/info", "detail"}, {at + "/replayParked", "replayParked"}},
		Config: s.json(), Stream: s.Stream, Group: s.Group, Status: "Behind", Pace: float64(g.pace),
		ParkedURI: base + "/streams/%24persistentsubscription-" + s.key() + "-parked", MessagesURI: at + "/1",
		Total: g.total, Since: g.pace, LastProcessed: g.checkpoint.last, LastKnown: last, ReadBuffer: len(g.ready), RetryBuffer: len(g.retry),
		Outstanding: len(g.outstanding), Connections: []consumerInfo{},
	}
	if g.live {
		i.Status = "Live"
	}
	for _, c := range g.consumers {
		i.InFlight += c.inFlight
		i.Connections = append(i.Connections, consumerInfo{
			From: c.conn.nc.RemoteAddr().String(), User: c.user, Pace: float64(c.pace), Total: c.total, Since: c.pace,
			Extra: []string{}, Slots: c.credits - c.inFlight, InFlight: c.inFlight,
		})
	}
	return i
}

func (s *groupSettings) json() groupConfigJSON {
	return groupConfigJSON{
		ResolveLinks: s.ResolveLinks, StartFrom: s.StartFrom, MessageTimeout: s.MessageTimeout, Statistics: s.Statistics, MaxRetries: s.MaxRetries,
		LiveBuffer: s.LiveBuffer, Buffer: s.Buffer, ReadBatch: s.ReadBatch, RoundRobin: s.Strategy == roundRobin, CheckpointAfter: s.CheckpointAfter,
		CheckpointMin: s.CheckpointMin, CheckpointMax: s.CheckpointMax, MaxSubscribers: s.MaxSubscribers, Strategy: s.Strategy,
	}
}

// httpSettings reads the settings in a request; what it does not say has the defaults of the HTTP interface.
func httpSettings(r *http.Request) (groupSettings, error) {
	c := groupConfigJSON{
		MessageTimeout: 10_000, MaxRetries: 10, LiveBuffer: 500, Buffer: 500, ReadBatch: 20, RoundRobin: true, CheckpointAfter: 1000,
		CheckpointMin: 10, CheckpointMax: 500, MaxSubscribers: 10,
	}
	if r.ContentLength != 0 {
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			return groupSettings{}, err
		}
	}
	if c.Strategy == "" {
		c.Strategy = strategyFor(c.RoundRobin)
	}
	return groupSettings{
		Stream: r.PathValue("stream"), Group: r.PathValue("group"), ResolveLinks: c.ResolveLinks, Statistics: c.Statistics,
		MessageTimeout: c.MessageTimeout, StartFrom: c.StartFrom, LiveBuffer: c.LiveBuffer, Buffer: c.Buffer, MaxRetries: c.MaxRetries,
		ReadBatch: c.ReadBatch, CheckpointAfter: c.CheckpointAfter, CheckpointMin: c.CheckpointMin, CheckpointMax: c.CheckpointMax,
		MaxSubscribers: c.MaxSubscribers, Strategy: c.Strategy,
	}, nil
}

func (s *httpServer) putGroup(w http.ResponseWriter, r *http.Request, u *user) {
	settings, err := httpSettings(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.node.psubs.find(settings.Stream, settings.Group) == nil && mayManage(u) {
		w.Header().Set("Location", s.url()+"/subscriptions/"+url.PathEscape(settings.Stream)+"/"+url.PathEscape(settings.Group))
	}
	s.change(w, msgCreateGroup, http.StatusCreated, func(done func(change)) { s.node.psubs.create(u, settings, done) })
}

func (s *httpServer) postGroup(w http.ResponseWriter, r *http.Request, u *user) {
	settings, err := httpSettings(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.change(w, msgUpdateGroup, http.StatusOK, func(done func(change)) { s.node.psubs.update(u, settings, done) })
}

func (s *httpServer) deleteGroup(w http.ResponseWriter, r *http.Request, u *user) {
	s.change(w, msgDeleteGroup, http.StatusOK, func(done func(change)) {
		s.node.psubs.delete(u, r.PathValue("stream"), r.PathValue("group"), done)
	})
}

// change changes a group and answers how that ended.
func (s *httpServer) change(w http.ResponseWriter, msg, good int, do func(done func(change))) {
	result := make(chan change, 1)
	do(func(c change) { result <- c })
	c := <-result
	switch {
	case c.result == wirepb.CreatePersistentSubscriptionCompleted_RESULT_SUCCESS:
		writeGroupResult(w, good, msg, "Success", "")
	case c.result == changeDenied:
		unauthorized(w)
	case c.result == changeFailed:
		writeGroupResult(w, http.StatusBadRequest, msg, "Fail", c.reason)
	case msg == msgCreateGroup:
		writeGroupResult(w, http.StatusConflict, msg, "AlreadyExists", c.reason)
	default:
		writeGroupResult(w, http.StatusNotFound, msg, "DoesNotExist", c.reason)
	}
}

func (s *httpServer) postReplay(w http.ResponseWriter, r *http.Request, u *user) {
	if !mayManage(u) {
		unauthorized(w)
		return
	}
	stream, name := r.PathValue("stream"), r.PathValue("group")
	g := s.node.psubs.find(stream, name)
	if g == nil {
		writeGroupResult(w, http.StatusNotFound, msgReplay, "DoesNotExist", "Unable to locate '"+stream+"::"+name+"'")
		return
	}
	g.replayParked()
	writeGroupResult(w, http.StatusOK, msgReplay, "Success", "")
}

func writeGroupResult(w http.ResponseWriter, status, msg int, result, reason string) {
	writeJSON(w, status, struct {
		CorrelationID string `json:"correlationId"`
		Reason        string `json:"reason"`
		Result        string `json:"result"`
		MsgTypeID     int    `json:"msgTypeId"`
	}{uuid.NewString(), reason, result, msg})
}
