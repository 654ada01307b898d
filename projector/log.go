package projector

// Keys of log records.
const (
	keyProjection  = "projection"
	keyState       = "state"
	keyReason      = "reason"
	keyOwner       = "owner"
	keyEpoch       = "epoch"
	keyPosition    = "position"
	keyEventType   = "event_type"
	keyStream      = "stream"
	keyNumber      = "event_number"
	keyOrderingKey = "ordering_key"
	keyMissing     = "missing"
	keyDeaths      = "deaths"
	keyBy          = "by"
	keyShard       = "shard"
	keyCommand     = "command"
	keyAttempt     = "attempt"
	keyDelay       = "delay"
	keyErr         = "err"
	keyGroup       = "group"
	keyInFlight    = "in_flight"
	keyInHand      = "in_hand"
	keyTimeout     = "timeout"
	keyTable       = "table"
	keyRows        = "rows"
)
