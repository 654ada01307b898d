package esnode

import (
	"bytes"
	"fmt"
	"regexp"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// filterOf compiles a filter of version 20. It looks at the event as it was received, links not resolved.
func filterOf(m *wirepb.Filter) (eventlog.Filter, error) {
	// An undefined number of a closed enum is an unknown field.
	if m != nil && len(m.ProtoReflect().GetUnknown()) > 0 {
		return nil, fmt.Errorf("unknown kind of filter")
	}
	if len(m.GetData()) == 0 {
		return func(_, _ []byte) bool { return true }, nil
	}
	match := prefixes(m.GetData())
	if m.GetType() == wirepb.Filter_TYPE_REGEX {
		re, err := regexp.Compile(m.GetData()[0])
		if err != nil {
			return nil, err
		}
		match = re.Match
	}
	if m.GetContext() == wirepb.Filter_CONTEXT_EVENT_TYPE {
		return func(_, eventType []byte) bool { return match(eventType) }, nil
	}
	return func(stream, _ []byte) bool { return match(stream) }, nil
}

func prefixes(list []string) func([]byte) bool {
	return func(b []byte) bool {
		for _, p := range list {
			if bytes.HasPrefix(b, []byte(p)) {
				return true
			}
		}
		return false
	}
}
