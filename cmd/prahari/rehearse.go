package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/store"
)

// rehearsable gives a command that changes the workspace's database, once and
// nothing else, a --dry-run: all is checked and done in the database, and taken
// back before the command says what it did.
func rehearsable(e env, cmd *cobra.Command) *cobra.Command {
	var dry bool
	cmd.Flags().BoolVar(&dry, "dry-run", false, "check everything and say what would be recorded, change nothing")
	do := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		e.global.rehearse = dry
		err := do(cmd, args)
		var r *store.Rehearsal
		if errors.As(err, &r) {
			return e.rehearsed(r)
		}
		return err
	}
	return cmd
}

// rehearsedView is an entry that would be in the custody log.
type rehearsedView struct {
	Action   string `json:"action"`
	Object   string `json:"object"`
	Case     string `json:"case,omitempty"`
	Actor    string `json:"actor"`
	Approver string `json:"approver,omitempty"`
	Reason   string `json:"reason,omitempty"`
	DryRun   bool   `json:"dry_run"`
}

// rehearsed says what a dry run came to.
func (e env) rehearsed(r *store.Rehearsal) error {
	for _, entry := range r.Entries {
		v := rehearsedView{entry.Action, entry.Object, entry.CaseID, entry.Actor, entry.Approver, entry.Reason, true}
		line := v.Action + " " + v.Object + " by " + v.Actor
		if v.Approver != "" {
			line += ", approved by " + v.Approver
		}
		if v.Reason != "" {
			line += ": " + v.Reason
		}
		if err := e.done(v, "would be recorded: %s\n", evidence.OneLine(line, 300)); err != nil {
			return err
		}
	}
	if e.global.json {
		return nil
	}
	_, err := fmt.Fprintln(e.out, "Nothing was changed.")
	return err
}
