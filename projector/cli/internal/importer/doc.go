// Package importer appends files of events to an event log, each event once, however often it is interrupted and started
// again.
//
// An event has the same id in every run, and every append names the exact number that the stream's last event must have.
// So an append that was carried out before cannot be carried out again: the log answers that the stream has moved on,
// and the ids of what it holds there tell whether that was this file. Nothing else is remembered between two runs, by
// neither side, so it holds also when the log was restarted meanwhile.
//
// A stream must have been started by the file: its event number 0 is the file's first line of that stream. With
// [Options.Append] it need not be: the file's lines then follow what is there, and what an earlier run has appended is
// found by its ids.
package importer
