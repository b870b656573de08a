package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
)

func newAuthorisation(e env) *cobra.Command {
	return noun("authorisation", "What a person allowed prahari to write to Telegram",
		rehearsable(e, newAuthorisationAdd(e)), rehearsable(e, newAuthorisationApprove(e)), newAuthorisationList(e), rehearsable(e, newAuthorisationRevoke(e)))
}

type authorisationOptions struct {
	bot, canary, sponsor, reason, expires string
	until                                 time.Time // expires, read
}

func newAuthorisationAdd(e env) *cobra.Command {
	var o authorisationOptions
	cmd := &cobra.Command{
		Use: "add", Short: "Ask for the right to send a canary to a bot; a second person approves",
		Long: `Record who wants a canary sent to a bot, and on which basis. It holds for that bot and that
canary only, until it expires, and not before another person ran 'prahari authorisation
approve'. Both go into the custody log.`,
		Example: examples("prahari authorisation add --bot @lookup_bot --canary C-0001 --sponsor 'B. Counsel' --reason 'complaint of 12 June' --expires 2026-12-31"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.bot == "" || o.canary == "" || strings.TrimSpace(o.sponsor) == "" || len(strings.TrimSpace(o.reason)) < 10 || o.expires == "" {
				return usageErrorf(cmd, "--bot, --canary, --sponsor, --expires and a --reason of ten letters or more are needed")
			}
			var err error
			if o.until, err = dayToCome(o.expires); err != nil {
				return usageErrorf(cmd, "--expires %w", err)
			}
			return e.authorisationAdd(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.bot, "bot", "", "the bot, as it is watched")
	f.StringVar(&o.canary, "canary", "", "the canary that may be sent")
	f.StringVar(&o.sponsor, "sponsor", "", "who answers for it")
	f.StringVar(&o.reason, "reason", "", "on which basis")
	f.StringVar(&o.expires, "expires", "", "the first day on which it does not hold any more, such as 2026-12-31")
	return cmd
}

func (e env) authorisationAdd(ctx context.Context, o authorisationOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	bot, err := w.bot(ctx, o.bot)
	if err != nil {
		return err
	}
	c, err := w.db.Canary(ctx, o.canary)
	if err != nil {
		return canaryUnknown(o.canary, err)
	}
	now := time.Now()
	if err := c.MaySend(bot.Username, now); err != nil {
		return err
	}
	a, err := w.db.AddAuthorisation(ctx, evidence.Authorisation{
		Method: "messages.sendMessage", Source: bot.ID, GivenBy: evidence.Caption(o.sponsor, 80), Reason: evidence.Caption(o.reason, 200),
		At: now, Canary: c.ID, ExpiresAt: o.until, AddedBy: e.operator(),
	}, e.operator())
	if err != nil {
		return err
	}
	return e.done(viewAuthorisation(a, now), "%s waits for a second person: 'prahari authorisation approve %s --operator NAME'\n", a.ID, a.ID)
}

// bot finds a watched bot.
func (w *workspace) bot(ctx context.Context, ref string) (evidence.Source, error) {
	s, err := w.db.Source(ctx, ref)
	if err != nil {
		return s, sourceUnknown(ref, err)
	}
	if s.Kind != evidence.Bot {
		return s, fmt.Errorf("%s is a %s, not a bot", sourceName(s), s.Kind)
	}
	return s, nil
}

func (w *workspace) authorisation(ctx context.Context, id string) (evidence.Authorisation, error) {
	all, err := w.db.Authorisations(ctx)
	if err != nil {
		return evidence.Authorisation{}, err
	}
	for _, a := range all {
		if strings.EqualFold(a.ID, id) {
			return a, nil
		}
	}
	return evidence.Authorisation{}, fmt.Errorf("there is no authorisation %s: 'prahari authorisation list' shows them", evidence.Caption(id, 40))
}

func newAuthorisationApprove(e env) *cobra.Command {
	return &cobra.Command{
		Use: "approve ID", Short: "Approve an authorisation, as a second person",
		Example: examples("prahari authorisation approve A-0001 --operator counsel"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				a, err := w.authorisation(cmd.Context(), args[0])
				switch {
				case err != nil:
					return err
				case a.AddedBy == "":
					return fmt.Errorf("%s was given for joining and needs no second person", a.ID)
				case evidence.SamePerson(a.AddedBy, e.operator()):
					return fmt.Errorf("%s was asked for by %s: another person approves it, with an --operator of their own", a.ID, a.AddedBy)
				case !a.RevokedAt.IsZero():
					return errors.New(a.ID + " is revoked: add a new one")
				}
				if err := w.db.ApproveAuthorisation(cmd.Context(), a.ID, e.operator()); err != nil {
					return err
				}
				_, err = fmt.Fprintf(e.out, "%s is approved by %s\n", a.ID, e.operator())
				return err
			})
		},
	}
}

// authorisationView is an authorisation as printed.
type authorisationView struct {
	ID         string    `json:"id"`
	Method     string    `json:"method"`
	Source     string    `json:"source"`
	Canary     string    `json:"canary,omitempty"`
	Sponsor    string    `json:"sponsor"`
	Reason     string    `json:"reason"`
	AddedBy    string    `json:"added_by,omitempty"`
	ApprovedBy string    `json:"approved_by,omitempty"`
	RevokedBy  string    `json:"revoked_by,omitempty"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	State      string    `json:"state"` // "holds", or why not
}

func viewAuthorisation(a evidence.Authorisation, now time.Time) authorisationView {
	v := authorisationView{a.ID, a.Method, a.Source, a.Canary, a.GivenBy, a.Reason, a.AddedBy, a.ApprovedBy, a.RevokedBy, a.ExpiresAt, "holds"}
	if a.AddedBy == "" {
		v.State = "used" // for joining, at once
	} else if err := a.Holds(now); err != nil {
		v.State = err.Error()
	}
	return v
}

func newAuthorisationList(e env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List authorisations and whether they hold", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				all, err := w.db.Authorisations(cmd.Context())
				if err != nil {
					return err
				}
				views := make([]authorisationView, len(all))
				for i, a := range all {
					views[i] = viewAuthorisation(a, time.Now())
				}
				return printList(e, views, "No authorisations. prahari writes nothing to Telegram without one.",
					column[authorisationView]{"authorisation", func(v authorisationView) string { return v.ID }, 0},
					column[authorisationView]{"method", func(v authorisationView) string { return v.Method }, 0},
					column[authorisationView]{"source", func(v authorisationView) string { return v.Source }, 0},
					column[authorisationView]{"canary", func(v authorisationView) string { return v.Canary }, 0},
					column[authorisationView]{"sponsor", func(v authorisationView) string { return v.Sponsor }, 24},
					column[authorisationView]{"state", func(v authorisationView) string { return v.State }, 60},
				)
			})
		},
	}
}

func newAuthorisationRevoke(e env) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "End an authorisation for good", Example: examples("prahari authorisation revoke A-0001 --reason 'the case is closed'"),
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				a, err := w.authorisation(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := w.db.RevokeAuthorisation(cmd.Context(), a.ID, e.operator(), evidence.Caption(reason, 200)); err != nil {
					return err
				}
				_, err = fmt.Fprintf(e.out, "%s is revoked\n", a.ID)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}
