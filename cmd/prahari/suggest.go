package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/store"
)

type suggestOptions struct {
	refuse, reason string
}

func newCaseSuggest(e env) *cobra.Command {
	var o suggestOptions
	cmd := &cobra.Command{
		Use: "suggest CASE", Short: "List findings that seem to belong to a case, with the reason", Args: usageArgs(cobra.ExactArgs(1)),
		Long: `List findings that seem to belong to a case: of the same source, in the same form of text
(a bot's template), naming the same identifiers, or leading to the same public name. A
suggestion is only that: 'prahari case add CASE --suggestion ID' takes it up.`,
		Example: examples("prahari case suggest CASE0001", "prahari case add CASE0001 --suggestion s-k3j9x2ab",
			"prahari case suggest CASE0001 --refuse s-k3j9x2ab --reason 'a news channel that quotes it'"),
		ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.reason, err = free(cmd, "--reason", o.reason, 400); err != nil {
				return err
			}
			if (o.refuse == "") != (o.reason == "") {
				return usageErrorf(cmd, "--refuse ID and --reason TEXT go together")
			}
			return e.caseSuggest(cmd.Context(), args[0], o)
		},
	}
	cmd.Flags().StringVar(&o.refuse, "refuse", "", "do not make this suggestion again")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why it is refused")
	return cmd
}

func (e env) caseSuggest(ctx context.Context, id string, o suggestOptions) error {
	return e.caseDo(ctx, id, func(w *workspace, c evidence.Case) error {
		if o.refuse != "" {
			s, err := w.suggestion(ctx, c.ID, o.refuse)
			if err != nil {
				return err
			}
			if err := w.db.RefuseSuggestion(ctx, s, e.operator(), o.reason); err != nil {
				return err
			}
			_, err = fmt.Fprintf(e.out, "%s: %s is not suggested again\n", c.ID, s.ID)
			return err
		}
		all, err := w.db.Suggestions(ctx, c.ID)
		if err != nil {
			return err
		}
		err = printList(e, all, "Nothing else seems to belong to "+c.ID+".",
			column[evidence.Suggestion]{"suggestion", func(s evidence.Suggestion) string { return s.ID }, 0},
			column[evidence.Suggestion]{"by", func(s evidence.Suggestion) string { return string(s.How) }, 0},
			column[evidence.Suggestion]{"findings", func(s evidence.Suggestion) string { return fmt.Sprint(len(s.Findings)) }, 0},
			column[evidence.Suggestion]{"in", func(s evidence.Suggestion) string { return strings.Join(s.Cases, ", ") }, 20},
			column[evidence.Suggestion]{"because", func(s evidence.Suggestion) string { return s.Reason }, 80})
		if len(all) > 0 {
			e.say("'prahari case add %s --suggestion ID' takes one up; 'case merge' joins two cases.", c.ID)
		}
		return err
	})
}

func (w *workspace) suggestion(ctx context.Context, caseID, id string) (evidence.Suggestion, error) {
	s, err := w.db.Suggestion(ctx, caseID, id)
	if errors.Is(err, store.ErrNoSuggestion) {
		return s, fmt.Errorf("%w: %s; 'prahari case suggest %s' lists them", err, evidence.Caption(id, 40), caseID)
	}
	return s, err
}
