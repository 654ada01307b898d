package projector

// Part is what a projection is made of: a handler ([On], [OnTx]) or a [Folder] such as the tables of package readmodel.
type Part interface {
	// Handles reports whether the part wants events of this type.
	Handles(eventType string) bool
}
