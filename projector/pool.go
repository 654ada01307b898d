package projector

import (
	"context"
	"sync"

	"github.com/photonpump/projector/projector/source"
)

// job is the side effect of one event. seq numbers the events of a session.
type job struct {
	seq   int64
	lane  string // ordering key: jobs of one lane run one after the other
	event *source.Event
	of    *pending // of a group
	free  bool     // has no lane
}

type result struct {
	job
	err error
}

// pool runs side effects of different ordering keys beside each other. All of it but the workers belongs to the goroutine of
// the session.
type pool struct {
	jobs    chan job // as many wait in it as there are workers, so that none waits for the session
	results chan result
	workers sync.WaitGroup

	ready   []job            // first of their lane, not yet on their way to a worker
	waiting map[string][]job // behind another of their lane; the lane is a key as long as one of its jobs is ready or running
	pending int              // jobs that were added and have no result yet
	keep    bool             // a failure does not end its lane
}

func newPool(ctx context.Context, s *session, workers int) *pool {
	p := &pool{jobs: make(chan job, workers), results: make(chan result, workers), waiting: make(map[string][]job)}
	for range workers {
		p.workers.Go(func() { // ends when jobs is closed
			caller := newCaller(s)
			for j := range p.jobs {
				p.results <- result{j, caller.call(ctx, s.p.effect(j.event.Type), nil, j.event)}
			}
		})
	}
	return p
}

// add takes a job on.
func (p *pool) add(j job) {
	p.pending++
	if j.free {
		p.ready = append(p.ready, j)
		return
	}
	if queue, busy := p.waiting[j.lane]; busy {
		p.waiting[j.lane] = append(queue, j)
		return
	}
	p.waiting[j.lane] = nil
	p.ready = append(p.ready, j)
}

// next returns the channel and the job to be given to a worker; the channel is nil if there is none.
func (p *pool) next() (chan<- job, job) {
	if len(p.ready) == 0 {
		return nil, job{}
	}
	return p.jobs, p.ready[0]
}

// given notes that the next job is on its way to a worker.
func (p *pool) given() { p.ready = p.ready[1:] }

// done notes a result, and lets the next job of its lane follow, or forgets them all if it has failed and that is to end the
// lane.
func (p *pool) done(r result) {
	p.pending--
	if r.free {
		return
	}
	queue := p.waiting[r.lane]
	switch {
	case r.err != nil && !p.keep:
		p.pending -= len(queue)
		delete(p.waiting, r.lane)
	case len(queue) == 0:
		delete(p.waiting, r.lane)
	default:
		p.waiting[r.lane] = queue[1:]
		p.ready = append(p.ready, queue[0])
	}
}

// forget drops the jobs that no worker has taken yet.
func (p *pool) forget() {
	for taken := false; !taken; {
		select {
		case j := <-p.jobs:
			p.ready = append(p.ready, j)
		default:
			taken = true
		}
	}
	p.pending -= len(p.ready)
	for _, j := range p.ready {
		if j.free {
			continue
		}
		p.pending -= len(p.waiting[j.lane])
		delete(p.waiting, j.lane)
	}
	for lane, queue := range p.waiting {
		p.pending -= len(queue)
		p.waiting[lane] = nil
	}
	p.ready = nil
}

// close ends the workers and waits for them. There must be no pending jobs.
func (p *pool) close() {
	close(p.jobs)
	p.workers.Wait()
}
