package wire

// RawID is an event id as it goes over the wire, see [IDBytes].
type RawID = [16]byte

// AppendAckBody appends the payload of PersistentSubscriptionAckEvents. There must be at least one id.
func AppendAckBody(dst []byte, subscription string, ids []RawID) []byte {
	dst = appendBytes(dst, 1, subscription)
	for i := range ids {
		dst = appendBytes(dst, 2, ids[i][:])
	}
	return dst
}

// AppendNakBody appends the payload of PersistentSubscriptionNakEvents. There must be at least one id.
func AppendNakBody(dst []byte, subscription string, ids []RawID, reason string, action int32) []byte {
	dst = AppendAckBody(dst, subscription, ids)
	if reason != "" {
		dst = appendBytes(dst, 3, reason)
	}
	return appendInt(dst, 4, int64(action))
}
