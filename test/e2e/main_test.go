//go:build e2e

package e2e

import (
	"os"
	"testing"

	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
