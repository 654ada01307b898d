package config

import (
	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/projector"
)

// shardCount is a number of shards that remembers where it stands.
type shardCount struct {
	n    int
	node *yaml.Node
}

// shardKind is a number of shards.
type shardKind struct{}

func (shardKind) describe() *Description { return integer{}.describe() }

func (shardKind) read(w *walker, n *yaml.Node, path string, v *shardCount) {
	v.node = n
	integer{min: 1, max: projector.MaxShards}.read(w, n, path, &v.n)
}

// compileShards makes the setting for the number of shards, and notes why there can be only one.
func (w *walker) compileShards(p *rawProjection, path string, compilers []*tableCompiler, sql *sqlPart) []projector.Setting {
	if p.shards.n <= 1 {
		return nil
	}
	const want = "so that it has no shard of its own: want order_by, or no shards"
	fail := func(format string, args ...any) { w.fail(p.shards.node, join(path, "shards"), format, args...) }
	switch {
	case p.park.text == parkProjection:
		fail("everything waits behind a parked event, so there is nothing to divide: want order_by in place of park: projection, or no shards")
	case p.orderBy != nil:
	case len(sql.tables) > 0:
		fail("which rows sql changes is not known, nor what key an event has, " + want)
	default:
		if why, at, node := w.crossing(compilers); why != "" {
			fail("an event of %s (line %d) %s, "+want, at, node.Line, why)
		}
	}
	return []projector.Setting{projector.Shards(p.shards.n)}
}
