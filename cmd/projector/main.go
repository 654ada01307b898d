// Command projector keeps read models up to date from an event store, as a YAML file describes them.
package main

import "github.com/photonpump/projector/projector/cli"

func main() { cli.Main() }
