// Package projector runs projections: handlers that keep something up to date from an event log.
package projector
