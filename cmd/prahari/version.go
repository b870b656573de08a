package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newVersion(e env) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of this build", Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			t := thisTool()
			if e.global.json {
				return printJSON(e.out, t)
			}
			_, err := fmt.Fprintf(e.out, "prahari %s (%s, %s)\n", t.Version, t.GoVersion, t.Library)
			return err
		},
	}
}

// newExitCodes is a help topic: 'prahari help exit-codes'.
func newExitCodes() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: "Exit codes:\n" + exitCodes}
}
