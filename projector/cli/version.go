package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newVersion(e *env) *cobra.Command {
	var asJSON bool
	c := e.command(&cobra.Command{
		Use: "version", Short: "Print version, commit and Go release of this binary",
		Example: "  projector version --json",
	}, func(context.Context, []string) error {
		b := readBuild()
		if asJSON {
			enc := json.NewEncoder(e.stdout)
			enc.SetIndent("", "  ")
			return enc.Encode(b)
		}
		e.printf("%v\n", b)
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return c
}

// build is where this binary comes from.
type build struct {
	Program  string `json:"program"`            // package of main
	Version  string `json:"version"`            // of its module; "devel" if it was built from a folder
	Commit   string `json:"commit,omitempty"`   // absent if it was not built in a repository
	Time     string `json:"time,omitempty"`     // of the commit
	Modified bool   `json:"modified,omitempty"` // what was built is not what was committed
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func readBuild() build {
	b := build{Version: "devel", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Program = info.Path
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String is like "projector v0.1.0 (commit 0123456789ab of 2026-01-02T15:04:05Z), go1.26.0, linux/amd64".
func (b build) String() string {
	var from []string
	if b.Commit != "" {
		text := "commit " + b.Commit[:min(12, len(b.Commit))]
		if b.Time != "" {
			text += " of " + b.Time
		}
		from = append(from, text)
	}
	if b.Modified {
		from = append(from, "modified")
	}
	text := "projector " + b.Version
	if len(from) > 0 {
		text += " (" + strings.Join(from, ", ") + ")"
	}
	return fmt.Sprintf("%s, %s, %s/%s", text, b.Go, b.OS, b.Arch)
}
