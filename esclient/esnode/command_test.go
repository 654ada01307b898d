package esnode

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// TestCommandsAreThoseOfTheWire holds the commands that users of the node see to those of the protocol.
func TestCommandsAreThoseOfTheWire(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("command.go")
	if err != nil {
		t.Fatal(err)
	}
	ours := map[wire.Command]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+) +Command = (0x\w+)`).FindAllStringSubmatch(string(source), -1) {
		n, err := strconv.ParseUint(m[2], 0, 8)
		if err != nil {
			t.Fatal(err)
		}
		ours[wire.Command(n)] = m[1]
	}
	for n := range 256 {
		c := wire.Command(n)
		switch name, there := ours[c]; {
		case c.Known() != there:
			t.Errorf("%v: known to the protocol %v, to the node %v", c, c.Known(), there)
		case there && name != c.String():
			t.Errorf("0x%02X is %s, here %s", n, c, name)
		}
	}
}
