package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector/config"
)

const nodeLong = `Runs the embedded event store alone, until Ctrl-C. It keeps its log on disk and speaks the TCP protocol of Event Store.
Production is a real Event Store.

Without --dir it is the event store that projector.yaml describes, seeded from the file named there. With --dir it is a plain
one: projector.yaml is read only if --config names it, nothing is seeded unless --seed says so, and HTTP is off unless
--http or the named file says where.`

type nodeFlags struct {
	tcp, tls, http, dir, fsync, seed string
	users                            []string
	noProjections                    bool
	fileNamed                        bool // by --config
}

func newNode(e *env) *cobra.Command {
	var f nodeFlags
	c := e.command(&cobra.Command{
		Use: "node", Short: "Run the embedded event store alone", Long: nodeLong,
		Example: "  projector node\n  projector node --dir off --tcp 127.0.0.1:1113   # empty, in memory",
	}, func(ctx context.Context, _ []string) error { return e.runNode(ctx, f) })
	c.PreRun = func(c *cobra.Command, _ []string) {
		if !c.Flags().Changed("log") {
			e.flags.logLevel = slog.LevelInfo
		}
		f.fileNamed = c.Flags().Changed("config")
	}
	c.Flags().StringVar(&f.tcp, "tcp", "", "`address` of the TCP protocol, in place of the file's")
	c.Flags().StringVar(&f.tls, "tls", "", "`address` of the TCP protocol over TLS, with a certificate made on the spot")
	c.Flags().StringVar(&f.http, "http", "", "`address` of the HTTP interface, in place of the file's; off for none")
	c.Flags().StringVar(&f.dir, "dir", "", "`folder` of the log of a plain event store, in place of that of projector.yaml; off keeps it in memory")
	c.Flags().StringVar(&f.fsync, "fsync", "", "`when` an append is acknowledged: always, never (survives a killed process, not a power cut)")
	c.Flags().StringVar(&f.seed, "seed", "", "`file` of events to begin with, in place of the file's; off for none")
	c.Flags().StringArrayVar(&f.users, "user", nil, "an account beside admin and ops, as `name:password:group,group`; may be repeated")
	c.Flags().BoolVar(&f.noProjections, "no-projections", false, "write no links of the system projections ($ce-, $et-, $streams), like a server without them")
	return c
}

func (e *env) runNode(ctx context.Context, f nodeFlags) error {
	opts, err := f.options()
	if err != nil {
		return err
	}
	cfg, err := e.nodeConfig(f)
	if err != nil {
		return err
	}
	c := cfg.EventStore.Embedded
	node, err := e.startNode(cfg, opts...)
	if err != nil {
		return err
	}
	defer node.Close() //nolint:errcheck // closed below on the good path
	if err := e.seedNode(ctx, node, c.Seed); err != nil {
		return err
	}
	e.printf("event store %s\n", redact(node.URL()))
	for _, url := range []string{node.TLSURL(), node.HTTPURL()} {
		if url != "" {
			e.printf("            %s\n", redact(url))
		}
	}
	select {
	case <-ctx.Done():
	case <-node.Done(): // asked for over HTTP
	}
	return node.Close()
}

// nodeConfig is the configuration of the file and of the flags, which win.
func (e *env) nodeConfig(f nodeFlags) (cfg *config.Config, err error) {
	switch plain := f.dir != ""; {
	case plain && !f.fileNamed:
		cfg = config.Default()
		cfg.EventStore.Embedded.HTTP = ""
	default:
		if cfg, err = e.config(true); err != nil {
			return nil, err
		}
		if plain {
			cfg.EventStore.Embedded.Seed = ""
		}
	}
	c := &cfg.EventStore.Embedded
	override(&c.TCP, f.tcp)
	override(&c.HTTP, f.http)
	override(&c.Dir, f.dir)
	override(&c.Fsync, f.fsync)
	override(&c.Seed, f.seed)
	return cfg, nil
}

// override replaces the value of the file by that of a flag.
func override(value *string, flag string) {
	switch flag {
	case "":
	case "off":
		*value = ""
	default:
		*value = flag
	}
}

func (f *nodeFlags) options() ([]esnode.Option, error) {
	opts := []esnode.Option{esnode.SystemProjections(!f.noProjections)}
	if f.tcp == "off" {
		return nil, usage(errors.New("--tcp off: the TCP protocol cannot be off; --tcp 127.0.0.1:0 takes a free port"))
	}
	if f.fsync != "" && f.fsync != "always" && f.fsync != "never" {
		return nil, usage(fmt.Errorf("--fsync %q: want always or never", f.fsync))
	}
	if f.tls != "" && f.tls != "off" {
		opts = append(opts, esnode.TLS(f.tls, nil))
	}
	for _, u := range f.users {
		parts := strings.SplitN(u, ":", 3)
		if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
			return nil, usage(errors.New("--user wants name:password or name:password:group,group"))
		}
		var groups []string
		if len(parts) == 3 && parts[2] != "" {
			groups = strings.Split(parts[2], ",")
		}
		opts = append(opts, esnode.User(parts[0], parts[1], groups...))
	}
	return opts, nil
}

func (e *env) seedNode(ctx context.Context, node *esnode.Node, file string) error {
	if file == "" {
		return nil
	}
	client, err := esclient.Dial(ctx, node.URL(), esclient.WithLogger(e.logger()))
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what counts is acknowledged
	return e.seed(ctx, &eventStore{client: client, node: node}, file)
}
