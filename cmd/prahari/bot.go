package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/scanner"
)

func newBot(e env) *cobra.Command {
	return noun("bot", "What a bot says of itself, and what it answers to a canary", newBotProfile(e), newBotProbe(e))
}

func newBotProfile(e env) *cobra.Command {
	var account string
	var history, dryRun bool
	cmd := &cobra.Command{
		Use: "profile @NAME", Short: "Keep a bot's name, about, description, commands and marks; nothing is written to it",
		Long: `Read a bot's profile without writing to the bot, keep it where it changed, and show what did.
With --history every profile that was kept is shown, and nothing is asked of Telegram.`,
		Example: examples("prahari bot profile @lookup_bot", "prahari bot profile @lookup_bot --history", "prahari bot profile @lookup_bot --json"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if history {
				return e.botHistory(cmd.Context(), args[0])
			}
			if dryRun {
				calls, err := scanner.ProfileCalls(args[0])
				if err != nil {
					return err
				}
				return e.inWorkspace(cmd.Context(), func(w *workspace) error {
					return w.wouldAsk(account, calls, "a profile that differs from the last")
				})
			}
			return e.botProfile(cmd.Context(), args[0], account)
		},
	}
	cmd.Flags().BoolVar(&history, "history", false, "show the profiles that were kept, with what changed")
	cmd.Flags().StringVar(&account, "account", defaultAccount, "the account that reads it")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what Telegram would be asked, ask and record nothing")
	cmd.MarkFlagsMutuallyExclusive("history", "dry-run")
	return cmd
}

// askedView is what a dry run would ask Telegram.
type askedView struct {
	Account string   `json:"account"`
	Methods []string `json:"methods"`
	DryRun  bool     `json:"dry_run"`
}

// wouldAsk says what would be asked through an account that is signed in, and what
// of the answer would be recorded.
func (w *workspace) wouldAsk(account string, methods []string, recorded string) error {
	if _, err := os.Stat(w.path("sessions/" + account + ".json")); err != nil {
		return fmt.Errorf("account %s: %w", evidence.Caption(account, 40), scanner.ErrSignedOut)
	}
	return w.env.done(askedView{account, methods, true}, "%s would be asked through account %s, and what would be recorded is %s; nothing was asked\n",
		strings.Join(methods, " and "), account, recorded)
}

// profileView is a profile with what changed since the last.
type profileView struct {
	evidence.BotProfile
	Changed []string `json:"changed"`
}

func (e env) botProfile(ctx context.Context, ref, account string) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	client, err := w.client(ctx, account, nil, nil, e.showEvent)
	if err != nil {
		return err
	}
	p, err := client.Profile(ctx, ref)
	if err != nil {
		return err
	}
	last, known, err := w.db.PutProfile(ctx, p, e.operator())
	if err != nil {
		return err
	}
	v := profileView{p, []string{}}
	if known {
		v.Changed = changes(last, p)
	}
	if e.global.json {
		return printJSON(e.out, v)
	}
	var b strings.Builder
	for _, row := range profileRows(p) {
		fmt.Fprintf(&b, "%-12s %s\n", row[0], row[1])
	}
	switch {
	case !known:
		fmt.Fprintln(&b, "This is the first look; later ones say what changed.")
	case len(v.Changed) == 0:
		fmt.Fprintf(&b, "Nothing changed since %s.\n", stamp(last.At))
	}
	for _, c := range v.Changed {
		fmt.Fprintf(&b, "changed      %s\n", c)
	}
	_, err = fmt.Fprint(e.out, b.String())
	return err
}

// botHistory shows what a bot said of itself, the oldest first.
func (e env) botHistory(ctx context.Context, ref string) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	kept, err := w.db.ProfilesOf(ctx, strings.ToLower(strings.TrimPrefix(ref, "@")))
	if err != nil {
		return err
	}
	last := map[string]evidence.BotProfile{} // by source: a name may have had several owners
	views := make([]profileView, len(kept))
	for i, p := range kept {
		views[i] = profileView{p, []string{}}
		if before, known := last[p.SourceID]; known {
			views[i].Changed = changes(before, p)
		}
		last[p.SourceID] = p
	}
	return printList(e, views, "No profile of it was kept: 'prahari bot profile @NAME' reads one.",
		column[profileView]{"kept", func(v profileView) string { return stamp(v.At) }, 0},
		column[profileView]{"bot", func(v profileView) string { return v.SourceID }, 0},
		column[profileView]{"name", func(v profileView) string { return v.Name }, 30},
		column[profileView]{"changed", func(v profileView) string { return strings.Join(v.Changed, "; ") }, 0},
	)
}

func profileRows(p evidence.BotProfile) [][2]string {
	commands := make([]string, len(p.Commands))
	for i, c := range p.Commands {
		commands[i] = "/" + c.Command + " (" + c.Description + ")"
	}
	var marks []string
	if p.Verified {
		marks = append(marks, "verified")
	}
	if p.Scam {
		marks = append(marks, "scam")
	}
	if p.Fake {
		marks = append(marks, "fake")
	}
	if p.Restricted {
		marks = append(marks, "restricted")
	}
	return [][2]string{
		{"bot", "@" + p.Username}, {"name", p.Name}, {"about", p.About}, {"description", p.Description},
		{"commands", strings.Join(commands, ", ")}, {"menu", p.Menu}, {"marks", strings.Join(marks, ", ")},
	}
}

// changes says what differs between two profiles.
func changes(before, after evidence.BotProfile) []string {
	out := []string{}
	old, now := profileRows(before), profileRows(after)
	for i := range old {
		if old[i][1] != now[i][1] {
			out = append(out, fmt.Sprintf("%s: was %q, is %q", old[i][0], old[i][1], now[i][1]))
		}
	}
	return out
}

type probeOptions struct {
	account, canary, authorisation, consent string
	settle, atMost                          time.Duration
	dryRun                                  bool
}

func newBotProbe(e env) *cobra.Command {
	var o probeOptions
	cmd := &cobra.Command{
		Use: "probe @NAME", Short: "Send a registered canary to a bot, and record what it answers",
		Long: `Send a registered canary to a watched bot, and nothing else, and record what it answers until
it is silent: messages, edits, buttons, albums and files take the way of any message.

The canary's value is typed again on stdin: it is kept nowhere, and what was not registered
is refused. The canary must be in scope and not expired or withdrawn, a consented one is
shown again with --consent; the authorisation must name this bot and this canary, be
approved by a second person and not expired. A bot gets one query a day; what certainly was
not sent (no connection, Telegram refused it) stays on record and is none.`,
		Example: examples("prahari bot probe @lookup_bot --canary C-0001 --authorisation A-0001", "prahari bot probe @lookup_bot --canary ana --authorisation A-0001 --consent consent-ana.yaml --dry-run"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.canary == "" || o.authorisation == "" {
				return usageErrorf(cmd, "--canary and --authorisation are needed: a bot is sent nothing else")
			}
			return e.botProbe(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.account, "account", "", "the account that sends it (default: the one that reads the bot)")
	f.StringVar(&o.canary, "canary", "", "the registered canary, by id or label")
	f.StringVar(&o.authorisation, "authorisation", "", "the approved authorisation")
	f.StringVar(&o.consent, "consent", "", "the consent file of a consented canary")
	f.DurationVar(&o.settle, "settle", 10*time.Second, "how long the bot must be silent to be done")
	f.DurationVar(&o.atMost, "at-most", 2*time.Minute, "how long to wait in all")
	f.BoolVar(&o.dryRun, "dry-run", false, "check everything and send nothing")
	return cmd
}

func (e env) botProbe(ctx context.Context, ref string, o probeOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	defer func() { err = w.refused(ctx, ref, o, err) }()
	bot, canary, a, err := w.mayProbe(ctx, ref, o)
	if err != nil {
		return err
	}
	if o.account == "" {
		o.account = bot.Account
	}
	if o.account != bot.Account { // before the query of the day is used up
		return fmt.Errorf("%s is read through account %s, whose dialog it is: leave --account out", sourceName(bot), bot.Account)
	}
	value, err := e.askSecret(fmt.Sprintf("The %s of canary %s (%s):", canary.Kind, canary.ID, canary.Masked))
	if err != nil {
		return err
	}
	value = strings.TrimSpace(value)
	canonical, err := w.canonical(canary.Kind, value)
	if err != nil {
		return refusal{err}
	}
	key, err := w.tokenKey(ctx)
	if err != nil {
		return err
	}
	if key.Token(canary.Kind, canonical) != canary.Token {
		return refusal{fmt.Errorf("what was typed is not canary %s: nothing was sent", canary.ID)}
	}
	if o.dryRun {
		_, err := fmt.Fprintf(e.out, "%s may be sent to %s by %s; nothing was sent\n", canary.ID, sourceName(bot), a.ID)
		return err
	}
	release, err := w.db.LockWatch(ctx)
	if err != nil {
		return fmt.Errorf("a watch is running: stop it for the probe, it goes on where it stopped: %w", err)
	}
	defer func() { err = errors.Join(err, release()) }()
	finder, err := w.finder()
	if err != nil {
		return err
	}
	maker, err := w.maker(ctx, finder, scanner.Layer)
	if err != nil {
		return err
	}
	shown := &progress{env: e}
	client, err := w.client(ctx, o.account, maker, finder, shown.event)
	if err != nil {
		return err
	}
	probe, err := w.db.BeginProbe(ctx, evidence.Probe{SourceID: bot.ID, Canary: canary.ID, Authorisation: a.ID, ApprovedBy: a.ApprovedBy, Consent: canary.Consent, Operator: e.operator(), SentAt: time.Now()})
	if err != nil {
		return refusal{fmt.Errorf("%s: %w", sourceName(bot), err)}
	}
	note := fmt.Sprintf("messages.sendMessage by probe %s, canary %s (%s), authorisation %s approved by %s", probe.ID, canary.ID, canary.Basis, a.ID, a.ApprovedBy)
	if canary.Consent != "" {
		note += ", consent sha256 " + canary.Consent
	}
	probe.Replies, err = client.Probe(ctx, scanner.ProbeOptions{
		Bot: bot, Canary: canary, Value: evidence.Text(value), Authorisation: a, Note: note, Settle: o.settle, AtMost: o.atMost,
	})
	if errors.Is(err, scanner.ErrUnsent) {
		err = fmt.Errorf("probe %s: nothing was sent, and the bot's query of the day is not used up: %w", probe.ID, err)
		return errors.Join(err, w.db.UnsendProbe(context.WithoutCancel(ctx), probe, evidence.Caption(err.Error(), 200)))
	}
	probe.Findings = int(client.Stats().Findings)
	if kept := w.db.EndProbe(context.WithoutCancel(ctx), probe); err == nil {
		err = kept
	}
	if err != nil {
		return fmt.Errorf("probe %s: %w", probe.ID, err)
	}
	if e.global.json {
		return nil // the findings were printed as they were recorded
	}
	_, err = fmt.Fprintf(e.out, "%s: %s answered with %s, %s recorded\n", probe.ID, sourceName(bot), count(probe.Replies, "message"), count(probe.Findings, "finding"))
	return err
}

// A refusal is a probe that was not made, and why.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// refused writes a refusal into the custody log: who tried it counts too. The
// reason names ids, no value.
func (w *workspace) refused(ctx context.Context, ref string, o probeOptions, err error) error {
	var r refusal
	if !errors.As(err, &r) || o.dryRun {
		return err
	}
	return errors.Join(err, w.db.Append(context.WithoutCancel(ctx), evidence.Entry{
		Action: "probe.refused", Object: evidence.Caption(ref, 60), Actor: w.env.operator(), At: time.Now(), Reason: evidence.Caption(r.Error(), 200),
	}))
}

// mayProbe checks all that can be checked without the canary's value.
func (w *workspace) mayProbe(ctx context.Context, ref string, o probeOptions) (bot evidence.Source, c evidence.Canary, a evidence.Authorisation, err error) {
	if bot, err = w.bot(ctx, ref); err != nil {
		return bot, c, a, err
	}
	if c, err = w.db.Canary(ctx, o.canary); err != nil {
		return bot, c, a, canaryUnknown(o.canary, err)
	}
	if a, err = w.authorisation(ctx, o.authorisation); err != nil {
		return bot, c, a, err
	}
	now := time.Now()
	if err := errors.Join(c.MaySend(bot.Username, now), a.Holds(now)); err != nil {
		return bot, c, a, refusal{err}
	}
	if a.Method != "messages.sendMessage" || a.Source != bot.ID || a.Canary != c.ID {
		return bot, c, a, refusal{fmt.Errorf("authorisation %s is for canary %s and %s, not for %s and %s", a.ID, a.Canary, a.Source, c.ID, bot.ID)}
	}
	if c.Basis == evidence.Consented {
		if o.consent == "" {
			return bot, c, a, refusal{fmt.Errorf("canary %s is a person's: show the consent with --consent FILE", c.ID)}
		}
		_, digest, err := consent(o.consent)
		if err != nil {
			return bot, c, a, err
		}
		if digest != c.Consent {
			return bot, c, a, refusal{fmt.Errorf("%s is not the consent that canary %s was registered with (sha256 %.12s…)", evidence.Caption(o.consent, 200), c.ID, c.Consent)}
		}
	}
	return bot, c, a, nil
}
