package esnode

const (
	// maxEventSize bounds data, metadata and twice the UTF-16 length of the type of one event, like on the server.
	maxEventSize = 16<<20 - 10_000

	// maxStreamName bounds the name of a stream, in bytes.
	maxStreamName = 8_000

	// maxPageCount is the largest number of events that one read may ask for, like on the server.
	maxPageCount = 4096
)
