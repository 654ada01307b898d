package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/photonpump/projector/projector/config"
)

// didYouMean hints at the name that is most like what was written, or at all of them.
func didYouMean(got string, names []string) string {
	const shown = 12
	switch near := config.Nearest(got, names); {
	case near != "":
		return fmt.Sprintf("; did you mean %q?", near)
	case len(names) == 1:
		return "; there is " + names[0]
	case len(names) > 0 && len(names) <= shown:
		return "; there are " + strings.Join(names, ", ")
	}
	return ""
}

// suggestFlag hints at the flag that was meant.
func suggestFlag(c *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := config.Nearest(unknown.GetSpecifiedName(), names); near != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
}

// errUnknown says that there is nothing of that name, and what there is.
func errUnknown(what, got string, names []string) error {
	return fmt.Errorf("there is no %s %q%s", what, got, didYouMean(got, names))
}
