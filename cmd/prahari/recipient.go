package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"prahari/evidence"
)

func newRecipient(e env) *cobra.Command {
	return noun("recipient", "The public keys that evidence is sealed to", newRecipientAdd(e), newRecipientList(e), newRecipientRemove(e))
}

// recipientObject names a key in the custody log.
const recipientObject = "recipient:"

// recipientView is a key as printed.
type recipientView struct {
	Key       string    `json:"key"`
	Type      string    `json:"type"`
	State     string    `json:"state"` // "in use", "removed"
	Since     time.Time `json:"since,omitzero"`
	AddedBy   string    `json:"added_by,omitempty"`
	RemovedAt time.Time `json:"removed_at,omitzero"`
	RemovedBy string    `json:"removed_by,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

type recipientOptions struct {
	reason string
	dryRun bool
}

func (o *recipientOptions) flags(cmd *cobra.Command, reason string) {
	cmd.Flags().StringVar(&o.reason, "reason", "", reason)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be done, change nothing")
}

func newRecipientAdd(e env) *cobra.Command {
	var o recipientOptions
	cmd := &cobra.Command{
		Use: "add KEY", Short: "Seal evidence to one more key from now on",
		Long: `Seal evidence to one more age public key (age1…) from now on, and record it in the custody
log. What was sealed before stays sealed to the keys of then: the new key does not open it.`,
		Example: examples("prahari recipient add age1… --reason 'escrow holder, second office'"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.recipientAdd(cmd.Context(), args[0], o) },
	}
	o.flags(cmd, "whose key it is, for the custody log")
	return cmd
}

func (e env) recipientAdd(ctx context.Context, key string, o recipientOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	key = strings.TrimSpace(key)
	if slices.Contains(w.config.Recipients, key) {
		return fmt.Errorf("evidence is sealed to %s already: nothing was changed", evidence.OneLine(key, 70))
	}
	keys := append(slices.Clone(w.config.Recipients), key)
	if _, err := evidence.NewSealer(keys); err != nil && !errors.Is(err, evidence.ErrTooFewRecipients) {
		return err
	}
	if err := w.changeRecipients(ctx, "recipient.add", key, keys, o); err != nil {
		return err
	}
	e.say("A watch that runs now goes on with the keys of its start: restart it.")
	return nil
}

func newRecipientRemove(e env) *cobra.Command {
	var o recipientOptions
	cmd := &cobra.Command{
		Use: "remove KEY", Short: "No longer seal evidence to a key",
		Long: `No longer seal evidence to a key, and record it in the custody log. What was sealed before
still opens to it: where an identity is lost to others, that evidence is theirs too. Two keys
are the least; add a new one first.`,
		Example: examples("prahari recipient remove age1… --reason 'left the legal team'"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(o.reason) == "" {
				return usageErrorf(cmd, "say why with --reason, for the custody log")
			}
			return e.recipientRemove(cmd.Context(), args[0], o)
		},
	}
	o.flags(cmd, "why, for the custody log")
	return cmd
}

func (e env) recipientRemove(ctx context.Context, key string, o recipientOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	key = strings.TrimSpace(key)
	if !slices.Contains(w.config.Recipients, key) {
		return fmt.Errorf("evidence is not sealed to %s; 'prahari recipient list' shows the keys", evidence.OneLine(key, 70))
	}
	keys := slices.DeleteFunc(slices.Clone(w.config.Recipients), func(k string) bool { return k == key })
	if _, err := evidence.NewSealer(keys); err != nil {
		return fmt.Errorf("the key stays: %w", err)
	}
	if err := w.changeRecipients(ctx, "recipient.remove", key, keys, o); err != nil {
		return err
	}
	e.say("What was sealed before still opens to it. A watch that runs now goes on with the keys of its start: restart it.")
	return nil
}

// changeRecipients records the change and makes it, in this order: a key is never
// in use without a word in the log.
func (w *workspace) changeRecipients(ctx context.Context, action, key string, keys []string, o recipientOptions) error {
	done := map[string]string{"recipient.add": "added", "recipient.remove": "removed"}[action]
	if o.dryRun {
		_, err := fmt.Fprintf(w.env.out, "%s would be %s; evidence would be sealed to %s. Nothing was changed.\n", key, done, count(len(keys), "key"))
		return err
	}
	now := time.Now()
	err := w.db.Append(ctx, evidence.Entry{Action: action, Object: recipientObject + key, Actor: w.env.operator(), At: now, Reason: evidence.Caption(o.reason, 200)})
	if err != nil {
		return err
	}
	if err := editConfig(w.path(configName), func(c *config) { c.Recipients = keys }); err != nil {
		return fmt.Errorf("it is in the custody log, and not in the config yet: run the command again: %w", err)
	}
	_, err = fmt.Fprintf(w.env.out, "%s is %s: evidence is sealed to %s from now on\n", key, done, count(len(keys), "key"))
	return err
}

// editConfig changes a config and keeps its comments.
func editConfig(path string, change func(*config)) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the workspace's config: %w", err)
	}
	var c config
	comments := yaml.CommentMap{}
	if err := yaml.UnmarshalWithOptions(data, &c, yaml.Strict(), yaml.CommentToMap(comments)); err != nil {
		return fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, false))
	}
	change(&c)
	if data, err = yaml.MarshalWithOptions(c, yaml.WithComment(comments)); err != nil {
		return fmt.Errorf("encoding the config: %w", err)
	}
	if err := renameio.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("writing the config: %w", err)
	}
	return nil
}

func newRecipientList(e env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the keys that open evidence, those of before too", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return e.recipientList(cmd.Context()) },
	}
}

func (e env) recipientList(ctx context.Context) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	entries, err := w.db.CustodyOf(ctx, recipientObject)
	if err != nil {
		return err
	}
	return printList(e, recipients(w.config.Recipients, entries), "No keys: 'prahari recipient add age1…' adds one.",
		column[recipientView]{"key", func(v recipientView) string { return v.Key }, 0},
		column[recipientView]{"type", func(v recipientView) string { return v.Type }, 0},
		column[recipientView]{"state", func(v recipientView) string { return v.State }, 0},
		column[recipientView]{"since", func(v recipientView) string {
			if v.Since.IsZero() {
				return "init"
			}
			return stamp(v.Since)
		}, 0},
		column[recipientView]{"removed", func(v recipientView) string {
			if v.RemovedAt.IsZero() {
				return ""
			}
			return stamp(v.RemovedAt)
		}, 0},
		column[recipientView]{"reason", func(v recipientView) string { return v.Reason }, 40},
	)
}

// recipients joins the keys in use with what the log says of these and of others.
func recipients(inUse []string, log []evidence.Entry) []recipientView {
	var all []recipientView
	at := func(key string) *recipientView {
		i := slices.IndexFunc(all, func(v recipientView) bool { return v.Key == key })
		if i < 0 {
			all, i = append(all, recipientView{Key: key, Type: "X25519"}), len(all)
		}
		return &all[i]
	}
	for _, key := range inUse {
		at(strings.TrimSpace(key))
	}
	for _, entry := range log {
		v := at(strings.TrimPrefix(entry.Object, recipientObject))
		v.Reason = entry.Reason
		if entry.Action == "recipient.add" {
			v.Since, v.AddedBy, v.RemovedAt, v.RemovedBy = entry.At, entry.Actor, time.Time{}, ""
		} else {
			v.RemovedAt, v.RemovedBy = entry.At, entry.Actor
		}
	}
	for i := range all {
		all[i].State = "removed"
		if slices.Contains(inUse, all[i].Key) {
			all[i].State, all[i].RemovedAt, all[i].RemovedBy = "in use", time.Time{}, ""
		}
	}
	return all
}
