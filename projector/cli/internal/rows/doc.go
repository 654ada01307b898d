// Package rows prints the rows of read models: as a table for people, as JSON, as CSV.
package rows
