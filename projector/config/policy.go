package config

import (
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
)

func policyOf(p *rawProjection) *rawPolicy { return &p.policy }

// unhandledKind is what is done about events that nobody wants or can have.
type unhandledKind struct {
	setting func(projector.Unhandled) projector.Tuning
	words   string
}

func (k unhandledKind) describe() *Description {
	return &Description{Type: KindText, Values: strings.Fields(k.words)}
}

func (k unhandledKind) read(w *walker, n *yaml.Node, path string, v *rawPolicy) {
	var s string
	if (choice{strings.Fields(k.words)}).read(w, n, path, &s); s == "" {
		return
	}
	all := []projector.Unhandled{projector.UnhandledIgnore, projector.UnhandledWarn, projector.UnhandledPark, projector.UnhandledStop}
	i := slices.IndexFunc(all, func(u projector.Unhandled) bool { return u.String() == s })
	v.settings = append(v.settings, k.setting(all[i]))
}

// startKind is where a projection starts the first time.
type startKind struct{}

func (startKind) describe() *Description { return &Description{Type: KindText} }

func (startKind) read(w *walker, n *yaml.Node, path string, v *rawPolicy) {
	s, ok := scalar(w, n, path, "beginning, end, a time or a position")
	switch {
	case !ok, s == "beginning":
		return
	case s == "end":
		v.settings = append(v.settings, projector.StartAtEnd())
		return
	}
	if at, err := checkpoint.ParsePosition(s); err == nil {
		v.settings = append(v.settings, projector.StartAt(at))
		return
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			v.settings = append(v.settings, projector.StartAtTime(t))
			return
		}
	}
	w.fail(n, path, "%q is not known; want beginning, end, a time such as 2024-03-01T06:00:00Z, or a position such as 42", s)
}
