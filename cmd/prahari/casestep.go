package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/store"
)

// caseDo opens the workspace, finds a case and does one thing to it.
func (e env) caseDo(ctx context.Context, id string, do func(*workspace, evidence.Case) error) error {
	return e.inWorkspace(ctx, func(w *workspace) error {
		c, err := w.db.Case(ctx, id)
		if err != nil {
			return caseUnknown(id, err)
		}
		return do(w, c)
	})
}

// free reads what a person writes about a case. It may hold no identifier: it is
// stored and shown as it is.
func free(cmd *cobra.Command, name, text string, maxRunes int) (string, error) {
	text = strings.TrimSpace(evidence.Printable(text))
	switch {
	case len([]rune(text)) > maxRunes:
		return "", usageErrorf(cmd, "%s is longer than %d characters", name, maxRunes)
	case len(leaks(text)) > 0 || evidence.Sweep(text) != text:
		return "", usageErrorf(cmd, "%s holds an identifier; nothing was kept. Write it masked, such as XXXXXX1234", name)
	}
	return text, nil
}

// step takes one step of a case and says where it is now.
func (e env) step(ctx context.Context, id string, to evidence.Decision, reason string) error {
	return e.caseDo(ctx, id, func(w *workspace, c evidence.Case) error {
		after, err := w.db.DecideCase(ctx, evidence.Step{CaseID: c.ID, To: to, Actor: e.operator(), Reason: reason, At: time.Now()})
		if errors.Is(err, store.ErrSecondPerson) {
			return fmt.Errorf("case %s: %w; that person names themselves with --operator NAME", c.ID, err)
		}
		if err != nil {
			return fmt.Errorf("case %s: %w", c.ID, err)
		}
		if e.global.json {
			return printJSON(e.out, viewCase(after))
		}
		_, err = fmt.Fprintf(e.out, "%s: %s -> %s\n", c.ID, c.Status, after.Status)
		return err
	})
}

func newCaseConfirm(e env) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "confirm CASE", Short: "Say that a case is a leak: the first of two people", Args: usageArgs(cobra.ExactArgs(1)),
		Example: examples("prahari case confirm CASE0001 --reason 'three records checked by hand'"), ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			reason, err := free(cmd, "--reason", reason, 400)
			if err != nil {
				return err
			}
			return e.step(cmd.Context(), args[0], evidence.Confirmed, reason)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what it rests on")
	return cmd
}

func newCaseApprove(e env) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "approve CASE", Short: "Agree that a case be noticed: the second of two people", Args: usageArgs(cobra.ExactArgs(1)),
		Long: `Agree that notices of a confirmed case may be drafted and sent. It takes another person
than the one who confirmed it: two names, compared without case.`,
		Example: examples("prahari case approve CASE0001 --operator counsel"), ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			reason, err := free(cmd, "--reason", reason, 400)
			if err != nil {
				return err
			}
			return e.step(cmd.Context(), args[0], evidence.Approved, reason)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what it rests on")
	return cmd
}

func newCaseClose(e env) *cobra.Command {
	var reason, as string
	cmd := &cobra.Command{
		Use: "close CASE --reason TEXT", Short: "End a case: done, a false positive, or withdrawn", Args: usageArgs(cobra.ExactArgs(1)),
		Example: examples("prahari case close CASE0001 --reason 'channel is gone'", "prahari case close 2 --as 'false positive' --reason 'a test page'",
			"prahari case close 3 --as removed --reason 'seen gone by two accounts'"),
		ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			to, ok := map[string]evidence.Decision{
				"closed": evidence.Closed, "false positive": evidence.FalsePositive, "false-positive": evidence.FalsePositive,
				"withdrawn": evidence.Withdrawn, "removed": evidence.Removed,
			}[as]
			if !ok {
				return usageErrorf(cmd, "--as is closed, removed, withdrawn or 'false positive'")
			}
			reason, err := free(cmd, "--reason", reason, 400)
			if err != nil {
				return err
			}
			if reason == "" {
				return usageErrorf(cmd, "a case is closed with a --reason")
			}
			return e.step(cmd.Context(), args[0], to, reason)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why it ends")
	cmd.Flags().StringVar(&as, "as", "closed", "closed, removed, withdrawn or 'false positive'")
	return cmd
}

func newCaseReopen(e env) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "reopen CASE --reason TEXT", Short: "Begin again with a case that had ended", Args: usageArgs(cobra.ExactArgs(1)),
		Example: examples("prahari case reopen CASE0001 --reason 'the bot is back as @name'"), ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			reason, err := free(cmd, "--reason", reason, 400)
			if err != nil {
				return err
			}
			if reason == "" {
				return usageErrorf(cmd, "a case is reopened with a --reason")
			}
			return e.step(cmd.Context(), args[0], evidence.Triage, reason)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why it begins again")
	return cmd
}

func newCaseAssign(e env) *cobra.Command {
	var nobody bool
	cmd := &cobra.Command{
		Use: "assign CASE NAME", Short: "Say who works on a case",
		Example: examples("prahari case assign CASE0001 ana", "prahari case assign CASE0001 --nobody"), ValidArgsFunction: e.completeCases,
		Args: usageArgs(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if nobody == (len(args) == 2) {
				return usageErrorf(cmd, "name one person, or --nobody")
			}
			name := ""
			if len(args) == 2 {
				name = evidence.Caption(args[1], 60)
			}
			return e.caseDo(cmd.Context(), args[0], func(w *workspace, c evidence.Case) error {
				if err := w.db.AssignCase(cmd.Context(), c.ID, name, e.operator()); err != nil {
					return err
				}
				_, err := fmt.Fprintf(e.out, "%s: assigned to %s\n", c.ID, orNobody(name))
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&nobody, "nobody", false, "nobody works on it")
	return cmd
}

func orNobody(name string) string {
	if name == "" {
		return "nobody"
	}
	return name
}

func newCaseNote(e env) *cobra.Command {
	return &cobra.Command{
		Use: "note CASE TEXT", Short: "Write a note into a case, without any identifier", Args: usageArgs(cobra.ExactArgs(2)),
		Example: examples("prahari case note CASE0001 'the owner answers on weekdays'", "prahari case note CASE0001 - < note.txt"), ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			text := args[1]
			if text == "-" {
				read, err := io.ReadAll(io.LimitReader(e.in, 64<<10))
				if err != nil {
					return fmt.Errorf("reading the note from standard input: %w", err)
				}
				text = string(read)
			}
			text, err := free(cmd, "the note", text, 4000)
			if err != nil {
				return err
			}
			if text == "" {
				return usageErrorf(cmd, "the note is empty")
			}
			return e.caseDo(cmd.Context(), args[0], func(w *workspace, c evidence.Case) error {
				if err := w.db.AddNote(cmd.Context(), c.ID, evidence.Note{At: time.Now(), By: e.operator(), Text: text}); err != nil {
					return err
				}
				_, err := fmt.Fprintf(e.out, "%s: note kept\n", c.ID)
				return err
			})
		},
	}
}

func newCaseMerge(e env) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "merge INTO FROM", Short: "Add one case's findings to another and close the first", Args: usageArgs(cobra.ExactArgs(2)),
		Long: `Add the findings of FROM to INTO and close FROM, which keeps its notices and history.
Use it where two cases turn out to be about one abuser.`,
		Example: examples("prahari case merge CASE0001 CASE0002 --reason 'one bot, two names'"), ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			reason, err := free(cmd, "--reason", reason, 400)
			if err != nil {
				return err
			}
			return e.caseDo(cmd.Context(), args[0], func(w *workspace, into evidence.Case) error {
				from, err := w.db.Case(cmd.Context(), args[1])
				if err != nil {
					return caseUnknown(args[1], err)
				}
				if from.ID == into.ID {
					return usageErrorf(cmd, "a case is not merged with itself")
				}
				added, err := w.db.MergeCase(cmd.Context(), into.ID, from.ID, e.operator(), reason)
				if err != nil {
					return fmt.Errorf("merging %s into %s: %w", from.ID, into.ID, err)
				}
				_, err = fmt.Fprintf(e.out, "%s: %s added from %s, which is closed\n", into.ID, count(added, "finding"), from.ID)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why they are one")
	return cmd
}
