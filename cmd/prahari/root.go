package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"prahari/evidence"
)

const rootLong = `Prahari watches public Telegram channels and bots for leaked personal records,
keeps masked and sealed evidence of them, and drafts takedown and incident notices.
It reads; it never posts, and it sends nothing: a person does.

Start here:
  prahari demo                   the whole job on an embedded data centre, no account needed
  prahari scan result.json       look through a Telegram Desktop export
  prahari init                   make a workspace for your own team`

func newRoot(e env) *cobra.Command {
	root := &cobra.Command{
		Use: "prahari", Short: "Find leaked personal records on Telegram and get them taken down",
		Long: rootLong, SilenceErrors: true, SilenceUsage: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageErrorf(cmd, "unknown command %q%s", evidence.Caption(args[0], 40), meant(cmd, args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(e.in)
	root.SetOut(e.out)
	root.SetErr(e.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{cmd.CommandPath(), wanted(err)} })
	f := root.PersistentFlags()
	f.StringVarP(&e.global.workspace, "workspace", "w", "", "the workspace's folder (default $PRAHARI_WORKSPACE or ./prahari-workspace)")
	f.StringVar(&e.global.database, "db", "", "the database on PostgreSQL, postgres://user@host/name (default 'database' of prahari.yaml, or a file in the workspace)")
	f.StringVar(&e.global.operator, "operator", "", "who acts, for the custody log (default $PRAHARI_OPERATOR or $USER)")
	f.BoolVar(&e.global.json, "json", false, "print one JSON object a line")
	f.BoolVarP(&e.global.quiet, "quiet", "q", false, "no progress on stderr")
	f.BoolVar(&e.global.verbose, "verbose", false, "log everything that happens, to stderr or --log-file")
	f.StringVar(&e.global.logging.format, "log-format", "", "log what happens to stderr as text or json; with json nothing else goes there")
	f.StringVar(&e.global.logging.path, "log-file", "", "log what happens to this file instead")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := flagsFit(cmd); err != nil {
			return usageError{cmd.CommandPath(), err}
		}
		if dry := cmd.Flags().Lookup("dry-run"); dry != nil {
			e.global.dryRun = dry.Value.String() == "true"
		}
		return e.global.logging.open()
	}
	root.AddCommand(
		newInit(e), newDoctor(e), newAccount(e), newSource(e), newCandidate(e), newDiscover(e), newBot(e), newCanary(e), newAuthorisation(e), newWatch(e), newStatus(e), newScan(e),
		newFinding(e), newTriage(e), newCase(e), newDeadlines(e), newNotice(e), newBundle(e), newCustody(e), newEvidence(e), newRecipient(e), newRules(e),
		newHold(e), newPurge(e), newBackup(e), newToken(e), newAlert(e), newReport(e),
		newRecheck(e),
		newDemo(e), newFixture(e), newVersion(e), newExitCodes(),
	)
	return root
}

// noun groups the verbs of one thing; alone it prints its help, and a verb it
// does not know is a usage error.
func noun(use, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageErrorf(cmd, "there is no 'prahari %s %s'%s", use, evidence.Caption(args[0], 40), meant(cmd, args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(verbs...)
	return cmd
}

// meant names the verbs that were perhaps meant.
func meant(cmd *cobra.Command, typed string) string {
	cmd.SuggestionsMinimumDistance = 2
	near := cmd.SuggestionsFor(typed)
	if len(near) == 0 {
		return ""
	}
	return ": did you mean '" + strings.Join(near, "' or '") + "'?"
}

// wanted says what a flag takes, where its value cannot be read as that.
func wanted(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	what := map[string]string{"duration": "length of time such as 30m or 24h", "int": "whole number"}[bad.GetFlag().Value.Type()]
	if what == "" {
		return err
	}
	return fmt.Errorf("--%s %q is no %s", bad.GetFlag().Name, evidence.Caption(bad.GetValue(), 40), what)
}

// flagsFit refuses flags that exclude each other, and lengths and numbers below
// nothing: no flag means anything by one, and most would take it for none given.
func flagsFit(cmd *cobra.Command) error {
	err := cmd.ValidateFlagGroups()
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if kind := f.Value.Type(); (kind == "duration" || kind == "int") && strings.HasPrefix(f.Value.String(), "-") {
			err = errors.Join(err, fmt.Errorf("--%s %s is less than nothing", f.Name, f.Value))
		}
	})
	return err
}

// usageArgs makes a wrong number of arguments a usage error that shows which
// ones the command takes.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			return nil
		}
		_, takes, _ := strings.Cut(cmd.Use, " ")
		switch {
		case len(args) == 0:
			err = fmt.Errorf("'%s' needs more: %s", cmd.CommandPath(), takes)
		case takes == "":
			err = fmt.Errorf("'%s' takes flags only, not %q", cmd.CommandPath(), evidence.Caption(args[0], 40))
		default:
			err = fmt.Errorf("'%s' takes %s, and not what was given (%s); put words with blanks in quotes", cmd.CommandPath(), takes, count(len(args), "argument"))
		}
		return usageError{cmd.CommandPath(), err}
	}
}

func examples(lines ...string) string { return "  " + strings.Join(lines, "\n  ") }
