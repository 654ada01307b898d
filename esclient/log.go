package esclient

import (
	"encoding/hex"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// Keys of log lines.
const (
	logConn        = "conn_id"
	logAddress     = "address"
	logAttempt     = "attempt"
	logCommand     = "command"
	logCorrelation = "correlation_id"
	logErr         = "err"
	logLogin       = "login"
)

func hexID(id wire.CorrelationID) string { return hex.EncodeToString(id[:]) }
