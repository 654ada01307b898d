package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/checkpointtest"
	"github.com/photonpump/projector/checkpoint/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	checkpointtest.Run(t, func(*testing.T) checkpointtest.Database {
		s := memory.Open()
		return checkpointtest.Database{Open: func(*testing.T) checkpoint.Store { return s }}
	})
}
