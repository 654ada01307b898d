package cli

import (
	"fmt"
	"strings"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/cli/internal/progress"
)

// describeRun says what a projection has done in this process.
func describeRun(s *projector.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", s.Name)
	passed := s.Handled + s.Ignored + s.Skipped
	switch {
	case s.Epoch == 0 && passed == 0 && s.State == projector.StateStopped && s.Reason != "":
		b.WriteString("stopped, no event handled")
		return b.String()
	case s.Resumed.IsStart():
		fmt.Fprintf(&b, "started from the beginning, %s handled", plural(s.Handled, "event"))
	case passed == 0 && s.Position == s.Resumed:
		fmt.Fprintf(&b, "resumed after %v, nothing new, no event handled twice", s.Resumed)
	default:
		fmt.Fprintf(&b, "resumed after %v, %s handled", s.Resumed, plural(s.Handled, "new event"))
	}
	if s.Ignored > 0 {
		fmt.Fprintf(&b, ", %s ignored (no rule for their types)", progress.Count(s.Ignored))
	}
	if s.Skipped > 0 {
		fmt.Fprintf(&b, ", %s skipped after errors", progress.Count(s.Skipped))
	}
	if s.Parked > 0 {
		fmt.Fprintf(&b, ", %s parked (projector parked list %s)", progress.Count(s.Parked), s.Name)
	}
	if s.Position != s.Resumed {
		fmt.Fprintf(&b, ", now at %v", s.Position)
	}
	if s.State == projector.StateStopped && s.Reason != "" {
		b.WriteString(", stopped")
	}
	return b.String()
}

// plural is like "1 row" and "1,234 rows".
func plural(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return progress.Count(n) + " " + noun
}
