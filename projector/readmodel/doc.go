// Package readmodel keeps tables up to date from events.
//
// A table is described by a Go struct and by what each type of event does to one of its rows. The framework loads the
// rows that a batch of events needs, calls the functions in the order of the events, and writes what has changed in one
// transaction together with the projection's position. So every event counts exactly once, also across crashes.
//
//	type Pony struct {
//		Name  string `db:"name,key"`
//		Jumps int64
//		BestM float64
//	}
//
//	ponies := readmodel.Table("ponies",
//		readmodel.On("pony.jumped",
//			func(e projector.Event[PonyJumped]) string { return e.Body.Name },
//			func(r *readmodel.Row[Pony], e projector.Event[PonyJumped]) error {
//				r.Value.Jumps++
//				r.Value.BestM = max(r.Value.BestM, e.Body.HeightM)
//				return nil
//			}))
//
// [On] folds an event into one row, [OnEach] into several, such as the lines of an order, and [Insert] writes a row for the
// event itself without reading first. [Join] makes one model of several tables, so that bodies are decoded only once.
//
// # Columns
//
// Each exported field of the row struct is a column, named as the field in snake_case unless its tag says otherwise:
// `db:"name,options"`, or `db:"-"` for no column. Options: key (the column is part of the primary key, in the order of
// the fields), json (any Go value, stored as JSON), decimal (a string of digits, kept exactly), index, unique.
//
//	string, text marshalers  text        time.Time         time (UTC, microseconds; the zero time is NULL)
//	ints, uints              int         uuid.UUID         uuid
//	floats                   float       []byte            bytes
//	bool                     bool        json.RawMessage,  json
//	slices of these          list of …   structs, maps     json
//
// A pointer to one of them is a column that may be NULL.
//
// # Keys
//
// A row's key may be any comparable type: one value, or a struct of several. Its columns are filled from the key, so a
// fold function neither has to set them nor can change them. If the row struct has no key field, the columns of the key
// come first in the table: one named "key", or one for each field of a struct.
//
// # Values
//
// What a function finds in a row never depends on whether the row was in memory or in the database: after each call,
// values are brought to the form in which every database returns them (times in UTC and microseconds, empty slices nil,
// JSON compact with sorted keys). A value that no database can hold is an error that names the column.
package readmodel
