package projector

// Keys of log records.
const (
	keyProjection = "projection"
	keyState      = "state"
	keyReason     = "reason"
	keyOwner      = "owner"
	keyEpoch      = "epoch"
	keyPosition   = "position"
	keyEventType  = "event_type"
	keyStream     = "stream"
	keyNumber     = "event_number"
	keyAttempt    = "attempt"
	keyDelay      = "delay"
	keyErr        = "err"
)
