// Command run runs a program with a PostgreSQL server that lives as long as the program does:
//
//	go run ./checkpoint/postgres/pgtest/run go test ./...
//
// The program finds the server's URL in PROJECTOR_TEST_POSTGRES. If that is set already, no server is started. The exit
// code is that of the program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"

	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: run PROGRAM [ARGUMENT]...")
		return 2
	}
	// The program gets the interrupt as well, and decides what to do.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if os.Getenv(pgtest.Env) == "" {
		server, err := pgtest.Start(ctx)
		if err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			return 1
		}
		defer server.Stop()
		if err := os.Setenv(pgtest.Env, server.URL); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			return 1
		}
	}
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx // an interrupt is the program's own affair
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
