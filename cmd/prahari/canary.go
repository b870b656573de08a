package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/matcher"
	"prahari/store"
)

func newCanary(e env) *cobra.Command {
	return noun("canary", "Identifiers that a bot may be sent: made up, or of a person who agreed", rehearsable(e, newCanaryAdd(e)), newCanaryList(e), rehearsable(e, newCanaryWithdraw(e)))
}

// canaryKinds are the kinds that lookup bots take.
func canaryKinds() []evidence.Kind {
	return []evidence.Kind{evidence.Mobile, evidence.Aadhaar, evidence.PAN, evidence.Email, matcher.Vehicle, matcher.EPIC, matcher.UPI}
}

type canaryOptions struct {
	kind, consent, expires string
	until                  time.Time // expires, read
	scope                  []string
	synthetic              bool
}

// consentFile is what a person signs. Only its digest is kept.
type consentFile struct {
	Person    string   `yaml:"person"`
	Statement string   `yaml:"statement"`
	Bots      []string `yaml:"bots"`
	Expires   string   `yaml:"expires"` // 2026-12-31
	SignedOn  string   `yaml:"signed_on"`
	Signature string   `yaml:"signature"` // as the organisation keeps it: a name, a scan's digest
}

func newCanaryAdd(e env) *cobra.Command {
	var o canaryOptions
	cmd := &cobra.Command{
		Use: "add LABEL", Short: "Register a canary; its value is asked for and not kept",
		Long: `Register an identifier that a bot may be sent. Its value is asked for on stdin and is not
kept: only a token of it is, and whoever probes types it again.

A synthetic canary (--synthetic) is made up and in use by nobody, which is yours to make sure;
it needs --bot and --expires. A consented one needs --consent FILE, which says so:

  person: A. Example
  statement: I agree that my own number is sent to these bots to see what they answer.
  bots: ["@lookup_bot"]
  expires: 2026-12-31
  signed_on: 2026-11-20
  signature: signed on paper, kept by legal

The file is not copied; its SHA-256 is kept, and the same file is shown again at each probe.
A made-up Aadhaar number is refused: it may be somebody's.`,
		Example: examples("prahari canary add team-sim --kind mobile --synthetic --bot @lookup_bot --expires 2026-12-31", "prahari canary add ana --kind mobile --consent consent-ana.yaml"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (o.consent != "") == o.synthetic {
				return usageErrorf(cmd, "a canary is either --synthetic or has --consent FILE")
			}
			if o.synthetic && (len(o.scope) == 0 || o.expires == "") || !o.synthetic && (len(o.scope) > 0 || o.expires != "") {
				return usageErrorf(cmd, "--bot and --expires go with --synthetic; a consent file names its own")
			}
			if o.synthetic {
				var err error
				if o.until, err = dayToCome(o.expires); err != nil {
					return usageErrorf(cmd, "--expires %w", err)
				}
			}
			if !slices.Contains(canaryKinds(), evidence.Kind(o.kind)) {
				return usageErrorf(cmd, "--kind is one of %v", canaryKinds())
			}
			return e.canaryAdd(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.kind, "kind", "", "what it is: mobile, aadhaar, pan, email, vehicle, epic, upi")
	f.BoolVar(&o.synthetic, "synthetic", false, "it is made up and in use by nobody")
	f.StringVar(&o.consent, "consent", "", "the file in which its owner agrees")
	f.StringSliceVar(&o.scope, "bot", nil, "a bot that it may be sent to; may be repeated")
	f.StringVar(&o.expires, "expires", "", "the first day on which it may not be sent any more, such as 2026-12-31")
	return cmd
}

// dayToCome reads the day from which on something does not hold any more.
func dayToCome(text string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, fmt.Errorf("%q is no day such as 2026-12-31", evidence.Caption(text, 20))
	}
	if !day.After(time.Now()) {
		return day, fmt.Errorf("%s has passed: name a day to come", text)
	}
	return day, nil
}

// consent reads a consent file and its digest.
func consent(path string) (c consentFile, digest string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return c, "", fmt.Errorf("reading the consent: %w", err)
	}
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&c); err != nil {
		return c, "", fmt.Errorf("%s: %s", evidence.Caption(path, 200), yaml.FormatError(err, false, false))
	}
	for name, value := range map[string]string{"person": c.Person, "statement": c.Statement, "expires": c.Expires, "signed_on": c.SignedOn, "signature": c.Signature} {
		if strings.TrimSpace(value) == "" {
			return c, "", fmt.Errorf("%s: %s is missing: 'prahari canary add --help' shows what a consent says", evidence.Caption(path, 200), name)
		}
	}
	if len(c.Bots) == 0 {
		return c, "", fmt.Errorf("%s: bots is empty: name the bots that the person agreed to", evidence.Caption(path, 200))
	}
	return c, evidence.Digest(data), nil
}

func (e env) canaryAdd(ctx context.Context, label string, o canaryOptions) (err error) {
	if err := validLabel("prahari canary add", label); err != nil {
		return err
	}
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	c := evidence.Canary{
		Label: label, Kind: evidence.Kind(o.kind), Basis: evidence.Synthetic, AddedBy: e.operator(), AddedAt: time.Now(),
	}
	bots, until := o.scope, o.until
	if o.consent != "" {
		agreed, digest, err := consent(o.consent)
		if err != nil {
			return err
		}
		if until, err = dayToCome(agreed.Expires); err != nil {
			return fmt.Errorf("%s: expires: %w", evidence.Caption(o.consent, 200), err)
		}
		c.Basis, c.Consent, bots = evidence.Consented, digest, agreed.Bots
	}
	if c.Kind == evidence.Aadhaar && c.Basis != evidence.Consented {
		return errors.New("a made-up Aadhaar number may be somebody's: only one whose owner agreed can be a canary (--consent FILE)")
	}
	c.ExpiresAt = until
	for _, bot := range bots {
		c.Scope = append(c.Scope, strings.ToLower(strings.TrimPrefix(strings.TrimSpace(bot), "@")))
	}
	if _, err := w.db.Canary(ctx, label); err == nil {
		return fmt.Errorf("there is a canary %s already: choose another label", label)
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	value, err := e.askSecret(fmt.Sprintf("The %s (it is not kept):", o.kind))
	if err != nil {
		return err
	}
	canonical, err := w.canonical(c.Kind, value)
	if err != nil {
		return err
	}
	if slices.Contains(w.tokenless(), c.Kind) {
		return fmt.Errorf("a canary is recognised by its token, and this workspace makes none of %s (tokens.no_aadhaar in prahari.yaml): register another kind", c.Kind)
	}
	key, err := w.tokenKey(ctx)
	if err != nil {
		return err
	}
	c.Token, c.Masked = key.Token(c.Kind, canonical), evidence.MaskValue(c.Kind, evidence.Full, canonical)
	if c, err = w.db.AddCanary(ctx, c); err != nil {
		return err
	}
	return e.done(c, "%s %s (%s %s, %s) may be sent to @%s until %s\n", c.ID, c.Label, c.Kind, c.Masked, c.Basis, strings.Join(c.Scope, ", @"), c.ExpiresAt.Format(time.DateOnly))
}

// canonical spells a typed identifier as findings do, or refuses what is none:
// free text must not become a canary.
func (w *workspace) canonical(kind evidence.Kind, value string) (evidence.Text, error) {
	value = strings.TrimSpace(value)
	finder, err := matcher.New(matcher.Config{})
	if err != nil {
		return "", err
	}
	label := string(kind) + ": "
	for _, m := range finder.Find(label+value, evidence.File).Matches {
		if m.Kind == kind && m.Form == evidence.Full && m.Validity != evidence.CheckFailed && m.Start == len(label) && m.End == len(label)+len(value) {
			return matcher.Canonical(kind, m.Form, value), nil
		}
	}
	return "", fmt.Errorf("what was typed is no whole %s in plain writing: nothing was kept", kind)
}

// done prints what a command changed: an object, or a line for people.
func (e env) done(v any, format string, args ...any) error {
	if e.global.json {
		return printJSON(e.out, v)
	}
	_, err := fmt.Fprintf(e.out, format, args...)
	return err
}

func newCanaryList(e env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List canaries, masked", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				all, err := w.db.Canaries(cmd.Context())
				if err != nil {
					return err
				}
				return printList(e, all, "No canaries. 'prahari canary add' registers one.",
					column[evidence.Canary]{"canary", func(c evidence.Canary) string { return c.ID }, 0},
					column[evidence.Canary]{"label", func(c evidence.Canary) string { return c.Label }, 0},
					column[evidence.Canary]{"kind", func(c evidence.Canary) string { return string(c.Kind) }, 0},
					column[evidence.Canary]{"value", func(c evidence.Canary) string { return c.Masked }, 0},
					column[evidence.Canary]{"basis", func(c evidence.Canary) string { return string(c.Basis) }, 0},
					column[evidence.Canary]{"bots", func(c evidence.Canary) string { return "@" + strings.Join(c.Scope, " @") }, 40},
					column[evidence.Canary]{"until", func(c evidence.Canary) string {
						if !c.WithdrawnAt.IsZero() {
							return "withdrawn " + stamp(c.WithdrawnAt)
						}
						return c.ExpiresAt.Format(time.DateOnly)
					}, 0},
				)
			})
		},
	}
}

func newCanaryWithdraw(e env) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "withdraw CANARY", Short: "End the use of a canary for good", Example: examples("prahari canary withdraw ana --reason 'she asked for it'"),
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				c, err := w.db.Canary(cmd.Context(), args[0])
				if err != nil {
					return canaryUnknown(args[0], err)
				}
				if err := w.db.WithdrawCanary(cmd.Context(), c.ID, e.operator(), evidence.Caption(reason, 200)); err != nil {
					return err
				}
				_, err = fmt.Fprintf(e.out, "%s is withdrawn; it is never sent again\n", c.ID)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}

func canaryUnknown(ref string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("canary %s: %w; 'prahari canary list' shows them", evidence.Caption(ref, 40), err)
	}
	return err
}
