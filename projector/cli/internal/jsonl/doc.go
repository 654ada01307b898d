// Package jsonl reads events from files of JSON lines, plain or compressed with gzip:
//
//	{"stream":"pony_stream","type":"pony.born","data":{"name":"Applejack"},"metadata":{"keeper":"ada"}}
//
// "id" and "metadata" are optional. Blank lines are passed over. A line without id has one of its own all the same, made
// of the content of the file and the number of the line, so that importing a file twice names the same events.
package jsonl
