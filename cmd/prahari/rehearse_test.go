package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command has a --dry-run, but for those that only read or whose doing is
// all that there is to say of it.
func TestWhatChangesSomethingHasADryRun(t *testing.T) {
	reads := []string{
		"account limits", "account list", "alert list", "authorisation list", "bundle verify", "canary list", "candidate list", "case deadlines", "case list",
		"case show", "custody show", "custody verify", "deadlines", "deadlines rows", "doctor", "exit-codes", "finding list", "finding show",
		"finding suppressions", "hold list", "notice lint", "notice list", "notice routes", "notice show", "recheck history", "recheck outcomes",
		"recipient list", "report summary", "rules lint", "rules list", "rules show", "rules test", "scan", "source coverage", "source list", "source show",
		"status", "token status", "version",
	}
	others := []string{
		"account login",    // a conversation with Telegram that the person leads
		"demo",             // makes a workspace of its own
		"fixture serve",    // a data centre to practise on
		"init",             // makes a workspace where there is none
		"notice templates", // writes into the folder that --out names, over no file
		"triage",           // a conversation; each act can be undone
		"watch",            // says what it records as it does
	}
	var found []string
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			walk(c)
		}
		name := strings.TrimPrefix(cmd.CommandPath(), "prahari ")
		grouping := cmd.HasSubCommands() && cmd.LocalNonPersistentFlags().FlagUsages() == ""
		if !grouping && cmd.Flags().Lookup("dry-run") == nil {
			found = append(found, name)
		}
	}
	walk(newRoot(env{in: strings.NewReader(""), out: io.Discard, err: io.Discard, getenv: func(string) string { return "" }, global: &globals{}}))
	slices.Sort(found)
	if want := slices.Sorted(slices.Values(slices.Concat(reads, others))); !slices.Equal(found, want) {
		t.Errorf("commands without --dry-run:\n%q\nknown to need none:\n%q", found, want)
	}
}
