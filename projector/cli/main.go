package cli

import (
	"context"
	"io"
	"os"
)

// Main runs the command line of the process and exits.
func Main() {
	os.Exit(Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Run executes one command and returns its exit code.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	_, _, _, _, _ = ctx, args, stdin, stdout, stderr
	return 0
}
