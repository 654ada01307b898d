// Package projectortest tests projections: given these events, the tables hold those rows.
//
//	func TestPonies(t *testing.T) {
//		projectortest.Run(t, newPonies, projectortest.Case{
//			Name: "jumps are counted",
//			Given: []projectortest.Event{
//				{Stream: "pony-1", Type: "pony.jumped", Body: PonyJumped{Name: "Applejack", HeightM: 0.6}},
//				{Stream: "pony-1", Type: "pony.jumped", Body: PonyJumped{Name: "Applejack", HeightM: 0.5}},
//			},
//			Rows: map[string][]projectortest.Row{
//				"ponies": {{"name": "Applejack", "jumps": 2, "best_m": 0.6}},
//			},
//		})
//	}
//
// Every case runs in several ways, and must end the same in all of them: all events in one transaction; each in one of its
// own, begun again in a new process after every one; and with the commit of every event failing once, so that everything is
// done twice, as after a crash. That shows whether side effects are idempotent. It runs on a store in memory and on SQLite,
// and on whatever other stores are given.
//
// [Start] runs a projection live, for tests that append events and look at the rows in turn.
package projectortest
