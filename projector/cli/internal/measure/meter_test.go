package measure

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestMeter works for a while and holds memory, and expects to see both.
func TestMeter(t *testing.T) {
	const size = 32 << 20
	m := Start()
	before := memory()
	held := make([]byte, size)
	sum := 0
	for busy := cpuTime(); cpuTime()-busy < 20*time.Millisecond; {
		for i := 0; i < len(held); i += 4096 {
			held[i]++
			sum += int(held[i])
		}
	}
	c := m.Stop()
	if sum == 0 || c.CPU < 20*time.Millisecond || c.Elapsed <= 0 {
		t.Errorf("%+v", c)
	}
	if c.Memory < before+size/2 {
		t.Errorf("memory %d, was %d before %d more", c.Memory, before, size)
	}
}
