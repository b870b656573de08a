package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/scanner"
)

type recheckOptions struct {
	cases  []string
	watch  bool
	dryRun bool
}

func newRecheck(e env) *cobra.Command {
	var o recheckOptions
	cmd := &cobra.Command{
		Use: "recheck [CASE…]", Short: "Look again at what cases report: live, edited, removed, renamed, private, or lost to us",
		Long: `Look again at the messages, channels and bots of confirmed cases, those that are due: hourly after
a notice was sent, every six hours after two days, daily after two weeks, before it is sent, and once
gone. With CASE it looks at that case's targets now. Every look is kept, and goes into the custody log.

Telegram answers the same for what was deleted and for what an account may not see. So a message
counts as removed only where the same look could read the history around it, and where an account is
shut out another one looks, if there is one. A case that had ended is reopened when what it was about
is to be seen again, or comes up elsewhere in the same form, with the same identifiers or links.`,
		Example: examples("prahari recheck", "prahari recheck CASE0001", "prahari recheck --watch", "prahari recheck --dry-run", "prahari recheck outcomes"),
		Args:    usageArgs(cobra.ArbitraryArgs), ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.cases = args
			if o.watch && o.dryRun {
				return usageErrorf(cmd, "--watch and --dry-run exclude each other")
			}
			return e.recheck(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.watch, "watch", false, "go on, and look whenever something is due")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "list what is due and when, ask Telegram nothing")
	cmd.AddCommand(newRecheckOutcomes(e), newRecheckHistory(e))
	return cmd
}

// recheckPause is how often --watch looks into the list of what is due.
const recheckPause = time.Minute

func (e env) recheck(ctx context.Context, o recheckOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	for {
		targets, err := w.targets(ctx, o.cases)
		if err != nil {
			return err
		}
		now := time.Now()
		due := slices.DeleteFunc(slices.Clone(targets), func(t evidence.Target) bool { return len(o.cases) == 0 && t.Due(now).After(now) })
		switch {
		case o.dryRun:
			return e.printDue(targets, now)
		case len(due) > 0:
			if err := w.look(ctx, due); err != nil {
				return err
			}
		case !o.watch:
			e.say("Nothing is due: %s of confirmed cases. 'prahari recheck --dry-run' says when each is.", count(len(targets), "target"))
		}
		if err := w.reopen(ctx); err != nil || !o.watch {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(recheckPause):
		}
	}
}

// targets lists those of the named cases, or of all that are confirmed.
func (w *workspace) targets(ctx context.Context, cases []string) (all []evidence.Target, err error) {
	if len(cases) == 0 {
		return w.db.Targets(ctx, "")
	}
	for _, name := range cases {
		c, err := w.db.Case(ctx, name)
		if err != nil {
			return nil, caseUnknown(name, err)
		}
		some, err := w.db.Targets(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		for _, t := range some {
			if !slices.ContainsFunc(all, func(o evidence.Target) bool { return o.Name() == t.Name() }) {
				all = append(all, t)
			}
		}
	}
	return all, nil
}

// dueView is a target as listed.
type dueView struct {
	Target string               `json:"target"`
	URL    string               `json:"url,omitempty"`
	State  evidence.Observation `json:"state"`
	LastAt time.Time            `json:"last_at,omitzero"`
	DueAt  time.Time            `json:"due_at"`
	SentAt time.Time            `json:"sent_at,omitzero"`
	Cases  []string             `json:"cases"`
}

func (e env) printDue(targets []evidence.Target, now time.Time) error {
	views := make([]dueView, len(targets))
	for i, t := range targets {
		due := t.Due(now)
		if due.Before(now) {
			due = now.UTC().Truncate(time.Second)
		}
		views[i] = dueView{t.Name(), t.URL, t.State, t.LastAt, due, t.SentAt, t.Cases}
	}
	slices.SortStableFunc(views, func(a, b dueView) int { return a.DueAt.Compare(b.DueAt) })
	return printList(e, views, "Nothing is looked at again: no case is confirmed.",
		column[dueView]{"target", func(v dueView) string { return v.Target }, 0},
		column[dueView]{"observed", func(v dueView) string { return string(v.State) }, 0},
		column[dueView]{"last look", func(v dueView) string { return stamp(v.LastAt) }, 0},
		column[dueView]{"due", func(v dueView) string { return stamp(v.DueAt) }, 0},
		column[dueView]{"noticed", func(v dueView) string { return stamp(v.SentAt) }, 0},
		column[dueView]{"cases", func(v dueView) string { return strings.Join(v.Cases, ", ") }, 30},
		column[dueView]{"link", func(v dueView) string { return v.URL }, 50})
}

// look asks Telegram about targets, each source through its own account, and
// through another one where that account is shut out.
func (w *workspace) look(ctx context.Context, targets []evidence.Target) error {
	finder, err := w.finder()
	if err != nil {
		return err
	}
	maker, err := w.maker(ctx, finder, scanner.Layer)
	if err != nil {
		return err
	}
	labels, out, err := w.accountsOf(ctx, "")
	if err != nil {
		return err
	}
	shown := &progress{env: w.env}
	defer shown.clear()
	accounts, err := w.fleet(ctx, labels, out, maker, finder, func(event scanner.Event) {
		if event.Kind != scanner.Found { // mostly known; what was edited is told by its look
			shown.event(event)
		}
	})
	if err != nil {
		return err
	}
	sources, err := w.sourcesOf(ctx, targets)
	if err != nil {
		return err
	}
	var samples []evidence.Sample
	for label, mine := range sources {
		s := accounts.scanners[label]
		if s == nil {
			samples = append(samples, unseen(mine, targets, label)...)
			continue
		}
		seen, err := s.Recheck(ctx, mine, targets)
		switch {
		case shutOut(err) != "" && ctx.Err() == nil:
			w.env.say("Account %s cannot look: %v", label, err)
			accounts.out[label] = true
			seen = unseen(mine, targets, label)
		case err != nil:
			return err
		}
		samples = append(samples, seen...)
	}
	if samples, err = w.lookThroughOthers(ctx, accounts, samples, targets); err != nil {
		return err
	}
	slices.SortStableFunc(samples, func(a, b evidence.Sample) int { return strings.Compare(a.Name(), b.Name()) })
	changed, err := w.db.AddSamples(ctx, samples, w.env.operator())
	if err != nil {
		return err
	}
	return w.env.printSamples(samples, changed)
}

// sourcesOf returns the targets' sources by the account that reads them.
func (w *workspace) sourcesOf(ctx context.Context, targets []evidence.Target) (map[string][]evidence.Source, error) {
	by, known := map[string][]evidence.Source{}, map[string]bool{}
	for _, t := range targets {
		if known[t.SourceID] {
			continue
		}
		known[t.SourceID] = true
		s, err := w.db.Source(ctx, t.SourceID)
		if err != nil {
			return nil, sourceUnknown(t.SourceID, err)
		}
		by[s.Account] = append(by[s.Account], s)
	}
	return by, nil
}

// unseen are the samples of an account that cannot look: we lost access.
func unseen(sources []evidence.Source, targets []evidence.Target, account string) (all []evidence.Sample) {
	now := time.Now().UTC()
	for _, s := range sources {
		one := evidence.Sample{SourceID: s.ID, At: now, State: evidence.SeenUnknown, Account: account, Username: s.Username, Why: "we lost access: account " + account + " cannot look"}
		all = append(all, one)
		for _, t := range targets {
			if one.MessageID = t.MessageID; t.SourceID == s.ID && t.MessageID != 0 {
				all = append(all, one)
			}
		}
	}
	return all
}

// lookThroughOthers has what is closed to one account looked at by the others:
// if one of them reads it, it is there, and the first account lost access.
func (w *workspace) lookThroughOthers(ctx context.Context, accounts *fleet, samples []evidence.Sample, targets []evidence.Target) ([]evidence.Sample, error) {
	for _, of := range samples {
		if of.MessageID != 0 || of.State != evidence.SeenUnknown && of.State != evidence.SeenPrivate {
			continue
		}
		source, err := w.db.Source(ctx, of.SourceID)
		if err != nil {
			return nil, err
		}
		if source.Username == "" || source.Kind == evidence.Bot {
			continue
		}
		for _, label := range accounts.able() {
			if label == of.Account {
				continue
			}
			again, err := accounts.scanners[label].Resolve(ctx, "@"+source.Username)
			if errors.Is(err, scanner.ErrSourceUnknown) || errors.Is(err, scanner.ErrSourcePrivate) || shutOut(err) != "" || err == nil && again.ID != source.ID {
				continue
			}
			if err != nil {
				return nil, err
			}
			again.Account = label
			seen, err := accounts.scanners[label].Recheck(ctx, []evidence.Source{again}, targets)
			if err != nil {
				return nil, err
			}
			for i := range seen {
				seen[i].Why = strings.TrimPrefix(seen[i].Why+"; ", "; ") + "account " + of.Account + " lost access, account " + label + " reads it"
			}
			samples = append(slices.DeleteFunc(samples, func(s evidence.Sample) bool { return s.SourceID == of.SourceID }), seen...)
			return w.lookThroughOthers(ctx, accounts, samples, targets)
		}
	}
	return samples, nil
}

func (e env) printSamples(samples, changed []evidence.Sample) error {
	err := printList(e, samples, "",
		column[evidence.Sample]{"target", evidence.Sample.Name, 0},
		column[evidence.Sample]{"observed", func(s evidence.Sample) string { return string(s.State) }, 0},
		column[evidence.Sample]{"by", func(s evidence.Sample) string { return s.Account }, 0},
		column[evidence.Sample]{"because", func(s evidence.Sample) string { return s.Why }, 80},
		column[evidence.Sample]{"control", func(s evidence.Sample) string { return s.Control }, 50})
	e.say("%s, %d of another state than the last time.", count(len(samples), "look"), len(changed))
	return err
}

// reopen begins again with cases whose matter came back. Whether it is the same
// a person decides: the case is in triage, and what led to it is suggested.
func (w *workspace) reopen(ctx context.Context) error {
	back, err := w.db.Reappearances(ctx)
	if err != nil {
		return err
	}
	for _, r := range back {
		_, err := w.db.DecideCase(ctx, evidence.Step{CaseID: r.Case.ID, To: evidence.Triage, Actor: "prahari:recheck", Reason: "automatic: " + r.Reason, At: time.Now()})
		if err != nil {
			return err
		}
		w.env.say("%s was %s and is reopened: %s. 'prahari case suggest %s' shows what to take up.", r.Case.ID, r.Case.Status, r.Reason, r.Case.ID)
	}
	return nil
}

func newRecheckHistory(e env) *cobra.Command {
	return &cobra.Command{
		Use: "history CASE", Short: "Show every look at the targets of a case", Args: usageArgs(cobra.ExactArgs(1)),
		Example: examples("prahari recheck history CASE0001 --json"), ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.caseDo(cmd.Context(), args[0], func(w *workspace, c evidence.Case) error {
				targets, err := w.db.Targets(cmd.Context(), c.ID)
				if err != nil {
					return err
				}
				var all []evidence.Sample
				for _, t := range targets {
					some, err := w.db.Samples(cmd.Context(), t.SourceID, t.MessageID)
					if err != nil {
						return err
					}
					all = append(all, some...)
				}
				return printList(e, all, "Nothing was looked at yet: 'prahari recheck "+c.ID+"' does.",
					column[evidence.Sample]{"target", evidence.Sample.Name, 0},
					column[evidence.Sample]{"at", func(s evidence.Sample) string { return stamp(s.At) }, 0},
					column[evidence.Sample]{"observed", func(s evidence.Sample) string { return string(s.State) }, 0},
					column[evidence.Sample]{"by", func(s evidence.Sample) string { return s.Account }, 0},
					column[evidence.Sample]{"because", func(s evidence.Sample) string { return s.Why }, 80})
			})
		},
	}
}

func newRecheckOutcomes(e env) *cobra.Command {
	return &cobra.Command{
		Use: "outcomes [CASE]", Short: "Show what became of each target after each notice, and the time to action by route", Args: usageArgs(cobra.MaximumNArgs(1)),
		Long: `Show what became of each target after each notice that was sent. The time to action runs from sending
to the first look that showed it gone; it may have been gone before that look, so it is a bound.
What was gone before a notice was sent, or is there again, has none.`,
		Example: examples("prahari recheck outcomes", "prahari recheck outcomes CASE0001 --json"), ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				id := ""
				if len(args) > 0 {
					c, err := w.db.Case(cmd.Context(), args[0])
					if err != nil {
						return caseUnknown(args[0], err)
					}
					id = c.ID
				}
				all, err := w.db.Outcomes(cmd.Context(), id)
				if err != nil {
					return err
				}
				err = printList(e, all, "No notice was sent yet.",
					column[evidence.Outcome]{"case", func(o evidence.Outcome) string { return o.CaseID }, 0},
					column[evidence.Outcome]{"notice", func(o evidence.Outcome) string { return o.NoticeID }, 0},
					column[evidence.Outcome]{"route", func(o evidence.Outcome) string { return o.Route }, 0},
					column[evidence.Outcome]{"target", func(o evidence.Outcome) string { return o.Target }, 0},
					column[evidence.Outcome]{"sent", func(o evidence.Outcome) string { return stamp(o.SentAt) }, 0},
					column[evidence.Outcome]{"observed", func(o evidence.Outcome) string { return string(o.State) }, 0},
					column[evidence.Outcome]{"last seen", func(o evidence.Outcome) string { return stamp(o.LastSeen) }, 0},
					column[evidence.Outcome]{"gone by", func(o evidence.Outcome) string { return stamp(o.GoneAt) }, 0},
					column[evidence.Outcome]{"within", func(o evidence.Outcome) string {
						if o.Took == 0 {
							return ""
						}
						return span(o.Took)
					}, 0})
				if err == nil && !e.global.json {
					e.sayRoutes(all)
				}
				return err
			})
		},
	}
}

// sayRoutes sums outcomes up by route.
func (e env) sayRoutes(all []evidence.Outcome) {
	type route struct {
		targets int
		took    []time.Duration
	}
	routes := map[string]*route{}
	var names []string
	for _, o := range all {
		if routes[o.Route] == nil {
			routes[o.Route], names = &route{}, append(names, o.Route)
		}
		r := routes[o.Route]
		r.targets++
		if o.Took > 0 {
			r.took = append(r.took, o.Took)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		r := routes[name]
		if len(r.took) == 0 {
			e.say("%s: none of %s is gone", name, count(r.targets, "target"))
			continue
		}
		slices.Sort(r.took)
		e.say("%s: %d of %s gone, half of them within %s", name, len(r.took), count(r.targets, "target"), span(r.took[(len(r.took)-1)/2]))
	}
}
