package esclient_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wiretest"
)

// exchange is a recorded request with its answers.
type exchange struct {
	where   string
	request wire.Package
	asked   fieldsJSON
	answers []wire.Package
	told    []fieldsJSON
}

type fieldsJSON map[string]any

func (f fieldsJSON) int(num string) int64 {
	n, ok := f[num].(json.Number)
	if !ok {
		return 0
	}
	v, _ := strconv.ParseInt(n.String(), 10, 64)
	return v
}

func (f fieldsJSON) text(num string) string {
	s, _ := f[num].(string)
	return s
}

func (f fieldsJSON) message(num string) fieldsJSON {
	m, _ := f[num].(map[string]any)
	return m
}

func (f fieldsJSON) list(num string) (all []fieldsJSON) {
	items, _ := f[num].([]any)
	for _, it := range items {
		m, _ := it.(map[string]any)
		all = append(all, m)
	}
	return all
}

// exchanges finds the answers to each request: the packages with its correlation id on its connection.
func exchanges(t *testing.T, c *wiretest.Conversation) (all []*exchange) {
	open := map[string]*exchange{}
	for i := range c.Lines {
		l := &c.Lines[i]
		p, ok := l.Package(t)
		if !ok || p.Correlation == (wire.CorrelationID{}) {
			continue
		}
		key := fmt.Sprint(l.Conn, p.Correlation)
		if l.Dir == "c2s" {
			if l.Decoded == nil && len(p.Payload) > 0 || p.Command == wire.UnsubscribeFromStream {
				continue
			}
			e := &exchange{where: fmt.Sprintf("%s:%d %v", c.Name, l.Number, p.Command), request: p, asked: l.Decoded}
			open[key] = e
			all = append(all, e)
			continue
		}
		if e := open[key]; e != nil && l.Dir == "s2c" {
			e.answers = append(e.answers, p)
			e.told = append(e.told, l.Decoded)
		}
	}
	return slices.DeleteFunc(all, func(e *exchange) bool { return len(e.answers) == 0 })
}
