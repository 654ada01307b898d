package esclient

// ReadOptions say how to read. The zero value reads forward, resolves links, and asks for 500 events at once.
type ReadOptions struct {
	Backward  bool
	KeepLinks bool // do not resolve links
	PageSize  int  // events per request, 1 to [MaxPageSize]; 0 = [DefaultPageSize]
	Max       int  // iterators only: events to read at most; 0 = all there are
	Filter    *Filter
}

// Limits of a page.
const (
	DefaultPageSize = 500
	MaxPageSize     = 4096
)

// EndOfStream is where a backward read starts to get the last event first.
const EndOfStream = -1

// StreamPage is a page of a stream.
type StreamPage struct {
	Events []Event
	Next   int64 // where the next page starts
	Last   int64 // number of the last event of the stream; -1 = none
	End    bool  // there is no next page, for now
}

// AllPage is a page of $all.
type AllPage struct {
	Events []Event
	From   Position // where the page was read from, with [End] replaced by the real position
	Next   Position // where the next page starts
	End    bool     // there is no next page, for now
}

// Filter selects events of $all in the server, from 20.6 on. Older ones answer [ErrUnsupported]. Exactly one of its
// fields is set. Filters look at links, not at what they point to.
type Filter struct {
	StreamPrefixes []string // streams whose names start with one of these
	StreamRegex    string   // .NET syntax, not anchored
	TypePrefixes   []string
	TypeRegex      string
	Window         int // events to examine per request at most; 0 = as many as PageSize
}
