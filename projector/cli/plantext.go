package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/cli/internal/progress"
	"github.com/photonpump/projector/projector/cli/internal/style"
)

// text says in a line what run would do for a projection.
func (w *plannedWork) text(s style.Style) string {
	text := ""
	switch w.Action {
	case actionBuild:
		text = s.Good("new") + ", reads " + w.distance()
	case actionContinue:
		text = fmt.Sprintf("goes on after %s, reads %s", w.From, w.distance())
	case actionNothing:
		text = "up to date at " + w.From
		if w.from.IsStart() {
			text = "nothing to read yet"
		}
	case actionReset:
		text = fmt.Sprintf("%s; will not go on until `projector reset %s`, then reads %s", s.Bad("changed: "+w.Reason), w.Name, w.distance())
	case actionRefuse:
		text = fmt.Sprintf("%s; will not go on until it is, or until `projector reset %s`", s.Bad(w.Reason), w.Name)
	}
	if w.Owner != "" {
		text += ", run by " + w.Owner + " now"
	}
	return text
}

// distance says how much there is to read, and how long that takes.
func (w *plannedWork) distance() string {
	text := fmt.Sprintf("the log up to %s", w.To)
	if w.Events >= 0 {
		text = plural(w.Events, "event")
	}
	if w.Seconds >= 0 {
		text += ", " + roughly(time.Duration(w.Seconds*float64(time.Second)))
	}
	return text
}

// roughly leaves of a duration what an estimate can know.
func roughly(d time.Duration) string {
	if d < time.Second {
		return "in less than a second"
	}
	if d < time.Minute {
		return "in about " + d.Round(time.Second).String()
	}
	return "in about " + progress.Age(d)
}

func (t *plannedTable) print(e *env, action string) {
	s := e.style()
	if t.Create {
		indexes := ""
		if n := len(t.Indexes); n > 0 {
			indexes = ", " + strings.TrimSuffix(plural(int64(n), "index"), "s") + pluralEnd(n)
		}
		e.printf("  %s\n", s.Good(fmt.Sprintf("+ table %s with %s%s", t.Name, plural(int64(len(t.Columns)), "column"), indexes)))
		return
	}
	e.printf("    table %s has %s\n", t.Name, plural(t.Rows, "row"))
	for _, c := range t.Columns {
		e.printf("  %s\n", s.Good("+ column "+c))
	}
	for _, ix := range t.Indexes {
		e.printf("  %s\n", s.Good("+ "+ix))
	}
	for _, d := range t.Drift {
		if action == actionReset {
			e.printf("  %s\n", s.Notice("~ "+d+" (the reset makes the table anew)"))
		} else {
			e.printf("  %s\n", s.Bad("! "+d))
		}
	}
}

func pluralEnd(n int) string {
	if n == 1 {
		return ""
	}
	return "es"
}

func describeColumn(c *checkpoint.Column) string {
	text := c.Name + " " + c.Type.String()
	if c.Default != nil {
		text += fmt.Sprintf(" default %v", c.Default)
	}
	return text
}

func describeIndex(ix checkpoint.Index) string {
	kind := "index"
	if ix.Unique {
		kind = "unique index"
	}
	return fmt.Sprintf("%s on (%s)", kind, strings.Join(ix.Columns, ", "))
}
