// Package progress shows how a long task goes on: as one live line on a terminal, as a line now and then elsewhere.
package progress
