package esnode

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// comparer compares one answer with the recorded one.
type comparer struct {
	cmd   wire.Command
	empty bool // the log is
	made  map[string]string
	errs  []string
}

func (c *comparer) errorf(format string, args ...any) {
	c.errs = append(c.errs, fmt.Sprintf(format, args...))
}

func (c *comparer) payload(want map[string]any, got []byte) {
	if t, isText := want["text"]; isText {
		if c.cmd != wire.BadRequest && t != string(got) {
			c.errorf("text: want %q, got %q", t, got)
		}
		return
	}
	if want == nil && len(got) > 0 && c.cmd != wire.BadRequest {
		c.errorf("want no payload, got %x", got)
	}
	if c.cmd == wire.BadRequest {
		return
	}
	c.message(nil, want, got)
}

func (c *comparer) message(path []int, want map[string]any, got []byte) {
	fields, err := parseFields(got)
	if err != nil {
		c.errorf("%v: %v in %x", path, err, got)
		return
	}
	if want["1"] == configStream { // holds all groups that the recorder ever made
		want = maps.Clone(want)
		want["2"], want["7"] = json.Number(strconv.FormatUint(fields[2][0].varint, 10)), string(fields[7][0].bytes)
	}
	for key, value := range want {
		num, _ := strconv.Atoi(key)
		at := append(append([]int(nil), path...), num)
		list, repeated := value.([]any)
		if !repeated {
			list = []any{value}
		}
		if len(fields[num]) != len(list) {
			c.errorf("%v: want %d of them, got %d", at, len(list), len(fields[num]))
			continue
		}
		for i := range list {
			c.value(at, list[i], fields[num][i])
		}
	}
	for num := range fields {
		if _, ok := want[strconv.Itoa(num)]; !ok {
			c.errorf("%v: unexpected field %d: %v", path, num, fields[num])
		}
	}
}

func (c *comparer) value(path []int, want any, got field) {
	switch w := want.(type) {
	case map[string]any:
		c.message(path, w, got.bytes)
	case json.Number:
		n, _ := w.Int64()
		if c.cmd == wire.SubscriptionConfirmation && c.isPosition(path) && c.empty && int64(got.varint) == -1 {
			return // nothing was written yet; the log of a fresh server is never empty
		}
		if c.cmd == wire.NotHandled && len(path) == 2 && path[1]%2 == 0 {
			return // a port
		}
		if c.isPosition(path) && n != 0 && n != -1 && n != wire.FailedNumber {
			if int64(got.varint) <= 0 {
				c.errorf("%v: want a position, got %d", path, int64(got.varint))
			}
			return
		}
		if last := path[len(path)-1]; c.inRecord(path) && (last == 9 || last == 10) {
			return
		}
		if int64(got.varint) != n {
			c.errorf("%v: want %d, got %d", path, n, int64(got.varint))
		}
	case string:
		c.bytes(path, w, got.bytes)
	default:
		c.errorf("%v: cannot compare %T", path, want)
	}
}

func (c *comparer) bytes(path []int, want string, got []byte) {
	w := []byte(want)
	if text, isHex := strings.CutPrefix(want, "hex:"); isHex {
		w, _ = hex.DecodeString(text)
	}
	last := path[len(path)-1]
	switch {
	case string(w) == string(got):
	case c.inRecord(path) && last == 3 && len(got) == 16 && (len(w) == 0 || w[0] != 0xe0):
		c.made[string(w)] = string(got)
	case c.inRecord(path) && last == 8 && sameButAdded(w, got):
	case c.cmd == wire.ScavengeDatabaseResponse && last == 2 && len(got) == len(w):
	case c.freeText(path):
	default:
		c.errorf("%v: want %q, got %q", path, w, got)
	}
}

// freeText says whether the text is the server's own wording.
func (c *comparer) freeText(path []int) bool {
	switch c.cmd {
	case wire.CreatePersistentSubscriptionCompleted, wire.UpdatePersistentSubscriptionCompleted, wire.DeletePersistentSubscriptionCompleted:
		return path[0] == 2
	case wire.ReadStreamEventsForwardCompleted, wire.ReadStreamEventsBackwardCompleted, wire.ReadAllEventsForwardCompleted, wire.ReadAllEventsBackwardCompleted:
		return path[0] == 7
	}
	return false
}

// sameButAdded compares the metadata of parked events, which says when they were parked.
func sameButAdded(want, got []byte) bool {
	var w, g map[string]any
	if json.Unmarshal(want, &w) != nil || json.Unmarshal(got, &g) != nil || g["added"] == nil {
		return false
	}
	delete(w, "added")
	delete(g, "added")
	return fmt.Sprint(w) == fmt.Sprint(g)
}

// inRecord says whether the path leads into an event record.
func (c *comparer) inRecord(path []int) bool {
	if len(path) != 3 || path[1] > 2 {
		return false
	}
	switch c.cmd {
	case wire.ReadEventCompleted:
		return path[0] == 2
	case wire.ReadAllEventsForwardCompleted, wire.ReadAllEventsBackwardCompleted:
		return path[0] == 3
	}
	return path[0] == 1
}

func (c *comparer) isPosition(path []int) bool {
	first, last := path[0], path[len(path)-1]
	switch c.cmd {
	case wire.WriteEventsCompleted:
		return first == 5 || first == 6
	case wire.DeleteStreamCompleted:
		return first == 3 || first == 4
	case wire.TransactionStartCompleted, wire.TransactionWriteCompleted:
		return first == 1
	case wire.TransactionCommitCompleted:
		return first == 1 || first == 6 || first == 7
	case wire.ReadStreamEventsForwardCompleted, wire.ReadStreamEventsBackwardCompleted:
		return first == 6
	case wire.ReadAllEventsForwardCompleted, wire.ReadAllEventsBackwardCompleted:
		return len(path) == 1 && last != 6 || len(path) == 2
	case wire.SubscriptionConfirmation, wire.PersistentSubscriptionConfirmation:
		return first == 1
	case wire.StreamEventAppeared:
		return len(path) == 2
	}
	return false
}
