// Package measure tells what a piece of work takes of this process: time, CPU, memory.
package measure

import (
	"runtime"
	"runtime/metrics"
	"time"
)

// Cost is what a piece of work took.
type Cost struct {
	Elapsed time.Duration
	CPU     time.Duration // of all threads of the process, in user mode and in the kernel
	Memory  uint64        // bytes that the Go runtime held of the system, at the highest it was seen
}

// Meter measures from its start on. It counts everything that the process does meanwhile.
type Meter struct {
	began time.Time
	cpu   time.Duration
	peak  uint64 // of the sampler
	stop  chan struct{}
	done  chan struct{}
}

// sampleEvery is how often the memory is looked at.
const sampleEvery = 20 * time.Millisecond

// Start makes a meter. It must be stopped.
func Start() *Meter {
	runtime.GC() // what is left of the work before must not count
	m := &Meter{stop: make(chan struct{}), done: make(chan struct{}), peak: memory()}
	m.cpu, m.began = cpuTime(), time.Now()
	go m.sample() // ends with Stop, which waits for it
	return m
}

// Stop returns what was measured. It may be called once.
func (m *Meter) Stop() Cost {
	c := Cost{Elapsed: time.Since(m.began), CPU: cpuTime() - m.cpu}
	close(m.stop)
	<-m.done
	c.Memory = max(m.peak, memory())
	return c
}

func (m *Meter) sample() {
	defer close(m.done)
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-ticker.C:
			m.peak = max(m.peak, memory())
		}
	}
}

// memory is what the Go runtime holds of the system and has not given back.
func memory() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}
