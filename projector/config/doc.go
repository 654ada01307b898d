// Package config reads projector.yaml: where the events are, where the rows go, and which events change which columns.
//
//	cfg, err := config.Load("projector.yaml")
//	if err != nil {
//		return err // every mistake, one a line: file:line:column: path: what is wrong
//	}
//	projections := cfg.Build(client)
//
// Each part of the file is described once, as a list of fields with their types and documentation. Loading, the reports
// of mistakes, the JSON Schema for editors and the reference are all made from it.
package config
