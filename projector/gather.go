package projector

import "time"

// How many events are gathered for one commit adapts within these and what [WithBatchSize] allows.
const (
	// gatheredByAll is how many it is in all projections of a runner together, if that is less, which bounds their memory.
	gatheredByAll = 20_000
	// firstGathered is how many it is at first, and at least.
	firstGathered = 1000
	// dearCommit is the part of the time of gathering a batch from which on a commit is dear: the next batch is twice as big.
	dearCommit = 1. / 4
	// cheapCommit is the part below which it is cheap: the next batch is half as big, for less memory and less to repeat.
	cheapCommit = 1. / 32
)

// gatherer decides how many events are gathered for one commit.
type gatherer struct {
	size int           // events
	most int           // that size may be
	took time.Duration // the last commit
}

// newGatherer makes one for a projection whose commits hold so many events at most, in a runner of so many projections.
func newGatherer(most, projections int) gatherer {
	first := min(firstGathered, most)
	return gatherer{size: first, most: max(first, min(most, gatheredByAll/max(projections, 1)))}
}

// committed notes how long it took to gather so many events, and to commit them.
func (g *gatherer) committed(events int, gathered, took time.Duration) {
	g.took = took
	part := float64(took) / float64(max(gathered, 1))
	switch {
	case part > dearCommit && events >= g.size:
		g.size = min(2*g.size, g.most)
	case part < cheapCommit:
		g.size = max(g.size/2, min(firstGathered, g.most))
	}
}
