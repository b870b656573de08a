package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newCustody(e env) *cobra.Command {
	return noun("custody", "The log of everything done to evidence and cases", newCustodyShow(e), newCustodyVerify(e))
}

func newCustodyShow(e env) *cobra.Command {
	var last int
	cmd := &cobra.Command{
		Use: "show", Short: "Print the log, one JSON object a line, as it is chained",
		Example: examples("prahari custody show --last 20", "prahari custody show > custody.jsonl"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := e.openWorkspace(cmd.Context())
			if err != nil {
				return err
			}
			defer w.close(&err)
			entries, err := w.db.Custody(cmd.Context(), 0)
			if err != nil {
				return err
			}
			if last > 0 && len(entries) > last {
				entries = entries[len(entries)-last:]
			}
			for _, entry := range entries {
				line, err := entry.Line()
				if err != nil {
					return err
				}
				if _, err := e.out.Write(line); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&last, "last", 0, "only this many of the newest")
	return cmd
}

func newCustodyVerify(e env) *cobra.Command {
	return &cobra.Command{
		Use: "verify", Short: "Check that no entry was changed, removed or reordered",
		Long: "Check the chain of the log. Exit code 5 when it is broken, with the first entry that does not fit.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := e.openWorkspace(cmd.Context())
			if err != nil {
				return err
			}
			defer w.close(&err)
			entries, head, err := w.db.VerifyCustody(cmd.Context())
			if err != nil {
				return err
			}
			if e.global.json {
				return printJSON(e.out, map[string]any{"entries": entries, "head": head})
			}
			_, err = fmt.Fprintf(e.out, "%d entries, unbroken; head %s\n", entries, head)
			return err
		},
	}
}
