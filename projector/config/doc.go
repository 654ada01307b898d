// Package config reads projector.yaml: where the events are, where the rows go, and which events change which columns.
//
//	cfg, err := config.Load("projector.yaml")
//	if err != nil {
//		return err // every mistake, one a line: file:line:column: path: what is wrong
//	}
//	runner, err := projector.NewRunner(store, cfg.Build(client))
//	…
//	err = cfg.EnsureViews(ctx, store) // once the tables are there
//
// Each part of the file is described once, as a list of fields with their types and documentation. Loading, the reports
// of mistakes, [JSONSchema] for editors and [Reference] for people are all made from it.
//
// Expressions are compiled when the file is loaded, and checked against declared bodies and the columns of tables. Tables
// and rules become tables of package readmodel, with its guarantees and its speed: of a body, only the fields that expressions use
// are decoded, though all of it is checked.
//
// A file may hold tests, see [Test]: events, and the rows that must come of them. [Config.Warnings] lists what is no
// mistake, but most often not meant.
package config
