package esnode

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// The names of the consumer strategies.
const (
	roundRobin          = "RoundRobin"
	dispatchToSingle    = "DispatchToSingle"
	pinned              = "Pinned"
	pinnedByCorrelation = "PinnedByCorrelation" // version 20
)

// maxGroupRead bounds how many events a group reads at once, whatever its settings say.
const maxGroupRead = 100

// groupSettings are the settings of a persistent subscription as they are kept in the log.
type groupSettings struct {
	Stream          string `json:"stream"`
	Group           string `json:"group"`
	ResolveLinks    bool   `json:"resolveLinkTos,omitempty"`
	Statistics      bool   `json:"extraStatistics,omitempty"`
	MessageTimeout  int64  `json:"messageTimeout,omitempty"` // ms; 0: never
	StartFrom       int64  `json:"startFrom,omitempty"`
	LiveBuffer      int    `json:"liveBufferSize,omitempty"`
	Buffer          int    `json:"historyBufferSize,omitempty"`
	MaxRetries      int    `json:"maxRetryCount,omitempty"`
	ReadBatch       int    `json:"readBatchSize,omitempty"`
	CheckpointAfter int64  `json:"checkPointAfter,omitempty"` // ms; 0: not by time
	CheckpointMin   int64  `json:"minCheckPointCount,omitempty"`
	CheckpointMax   int64  `json:"maxCheckPointCount,omitempty"`
	MaxSubscribers  int    `json:"maxSubscriberCount,omitempty"` // 0: any number
	Strategy        string `json:"namedConsumerStrategy"`
}

func settingsOf(m *wirepb.PersistentSubscriptionSettings) groupSettings {
	s := groupSettings{
		Stream: m.GetEventStreamId(), Group: m.GetSubscriptionGroupName(), ResolveLinks: m.GetResolveLinkTos(), Statistics: m.GetRecordStatistics(),
		MessageTimeout: int64(m.GetMessageTimeoutMilliseconds()), StartFrom: m.GetStartFrom(), LiveBuffer: int(m.GetLiveBufferSize()),
		Buffer: int(m.GetBufferSize()), MaxRetries: int(m.GetMaxRetryCount()), ReadBatch: int(m.GetReadBatchSize()),
		CheckpointAfter: int64(m.GetCheckpointAfterTime()), CheckpointMin: int64(m.GetCheckpointMinCount()), CheckpointMax: int64(m.GetCheckpointMaxCount()),
		MaxSubscribers: int(m.GetSubscriberMaxCount()), Strategy: m.GetNamedConsumerStrategy(),
	}
	if s.Strategy == "" {
		s.Strategy = strategyFor(m.GetPreferRoundRobin())
	}
	return s
}

func strategyFor(preferRoundRobin bool) string {
	if preferRoundRobin {
		return roundRobin
	}
	return dispatchToSingle
}

func (s *groupSettings) key() string { return s.Stream + "::" + s.Group }

func (s *groupSettings) parkedStream() string {
	return "$persistentsubscription-" + s.key() + "-parked"
}

func (s *groupSettings) checkpointStream() string {
	return "$persistentsubscription-" + s.key() + "-checkpoint"
}

func (s *groupSettings) timeout() time.Duration {
	return time.Duration(s.MessageTimeout) * time.Millisecond
}

func (s *groupSettings) checkpointAfter() time.Duration {
	return time.Duration(s.CheckpointAfter) * time.Millisecond
}

func decodeSettings(payload []byte) (groupSettings, error) {
	var m wirepb.PersistentSubscriptionSettings
	if err := proto.Unmarshal(payload, &m); err != nil {
		return groupSettings{}, err
	}
	return settingsOf(&m), nil
}
