package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
)

// Projection makes a projection that reads through client. It is called once for each command that needs it; client
// connects on its first use.
type Projection func(client *esclient.Client) *projector.Projection

// Main runs the command line of the process and exits. The first interrupt (Ctrl-C, SIGTERM) ends the command in order,
// the second at once.
func Main(projections ...Projection) {
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the process
		<-signals
		stop()
		<-signals
		os.Exit(ExitForced)
	}()
	os.Exit(Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, projections...))
}

// Run executes one command and returns its exit code. The command ends in order when ctx does. Progress is shown on a
// live line if stderr is a terminal.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, projections ...Projection) int {
	e := newEnv(stdin, stdout, stderr, projections)
	root := newRoot(e)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	e.line.Clear()
	if err == nil {
		return ExitOK
	}
	e.complain(root.Name(), err)
	if !e.started {
		return ExitUsage
	}
	return codeOf(err)
}
