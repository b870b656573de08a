package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"prahari/evidence"
	"prahari/scanner"
	"prahari/store"
)

// A fleet reads the workspace's sources through its accounts, each through one,
// in one process.
type fleet struct {
	w        *workspace
	scanners map[string]*scanner.Scanner // by account, never changed
	out      map[string]bool             // accounts that cannot read any more in this run
}

// accountsOf returns the accounts to read through: the one named, or all that
// are signed in; and of the others those whose sources have to move.
func (w *workspace) accountsOf(ctx context.Context, named string) (labels, out []string, err error) {
	if named != "" {
		return []string{named}, nil, nil
	}
	accounts, err := w.db.Accounts(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range accounts {
		if a.State == store.AccountOK {
			labels = append(labels, a.Label)
		} else {
			out = append(out, a.Label)
		}
	}
	switch {
	case len(labels) > 0:
		return labels, out, nil
	case len(out) > 0:
		return out, nil, nil // Telegram says what is wrong with them
	}
	return []string{defaultAccount}, nil, nil
}

func (w *workspace) fleet(ctx context.Context, labels, out []string, maker *evidence.Maker, finder scanner.Finder, events func(scanner.Event)) (*fleet, error) {
	f := &fleet{w: w, scanners: map[string]*scanner.Scanner{}, out: map[string]bool{}}
	for _, label := range out {
		f.out[label] = true
	}
	for _, label := range labels {
		s, err := w.client(ctx, label, maker, finder, events)
		if err != nil {
			return nil, err
		}
		f.scanners[label] = s
	}
	return f, nil
}

// stats returns what each account did, by label.
func (f *fleet) stats() []scanner.Stats {
	var all []scanner.Stats
	for _, s := range f.scanners {
		all = append(all, s.Stats())
	}
	slices.SortFunc(all, func(a, b scanner.Stats) int { return strings.Compare(a.Account, b.Account) })
	return all
}

// able returns the accounts that can read, in order.
func (f *fleet) able() []string {
	var labels []string
	for label := range f.scanners {
		if !f.out[label] {
			labels = append(labels, label)
		}
	}
	slices.Sort(labels)
	return labels
}

// run reads until ctx ends, or with backfillOnly until the history is read. When
// Telegram shuts an account out, all stop, its sources move to the others, and
// they go on: coverage is the cursor, so nothing is lost or doubled by it.
func (f *fleet) run(ctx context.Context, backfillOnly bool) error {
	for {
		label, err := f.move(ctx)
		if err == nil {
			label, err = f.once(ctx, backfillOnly)
		}
		state := shutOut(err)
		if state == "" || ctx.Err() != nil {
			return err
		}
		f.out[label] = true
		if len(f.able()) == 0 {
			return err
		}
		f.w.env.say("Account %s can read no more: %v. Its sources move to %s; see to it.", label, err, strings.Join(f.able(), ", "))
		if err := f.w.db.SetAccountState(ctx, label, state, f.w.env.operator()); err != nil {
			return err
		}
	}
}

// shutOut says in which state an error leaves an account, "" where it is no
// matter of the account.
func shutOut(err error) string {
	switch {
	case errors.Is(err, scanner.ErrBanned):
		return store.AccountBanned
	case errors.Is(err, scanner.ErrSignedOut):
		return store.AccountSignedOut
	case errors.Is(err, scanner.ErrFloodWait):
		return store.AccountOK // it may be tried again with the next watch
	}
	return ""
}

// once reads through all accounts until one of them fails, and returns which.
func (f *fleet) once(ctx context.Context, backfillOnly bool) (string, error) {
	sources, err := f.w.db.Sources(ctx)
	if err != nil {
		return "", err
	}
	busy := slices.DeleteFunc(f.able(), func(label string) bool {
		return !slices.ContainsFunc(sources, func(s evidence.Source) bool { return s.Account == label && s.Kind != evidence.File })
	})
	if len(busy) == 0 {
		return "", fmt.Errorf("none of the sources is read by account %s: 'prahari source list' shows which account reads what", strings.Join(f.able(), ", "))
	}
	type end struct {
		label string
		err   error
	}
	ends := make(chan end, len(busy))
	running, stop := context.WithCancel(ctx)
	defer stop()
	for _, label := range busy {
		go func() {
			ends <- end{label, f.scanners[label].Run(running, scanner.RunOptions{Sources: sources, BackfillOnly: backfillOnly})}
		}()
	}
	var first end
	for range busy {
		e := <-ends
		// The others end because they are told to; the first reason counts.
		if e.err != nil && first.err == nil {
			first = e
			stop()
		}
	}
	return first.label, first.err
}

// move gives the sources of accounts that cannot read to those that can, the
// account with the fewest first. A bot stays: its dialog is the account's own. An
// error comes with the account that it is about.
func (f *fleet) move(ctx context.Context) (string, error) {
	able := f.able()
	sources, err := f.w.db.Sources(ctx)
	if err != nil {
		return "", err
	}
	load := map[string]int{}
	for _, s := range sources {
		load[s.Account]++
	}
	for _, s := range sources {
		if !f.out[s.Account] || s.Kind == evidence.File {
			continue
		}
		if s.Kind == evidence.Bot || s.Username == "" {
			f.w.env.say("%s stays with account %s, which alone has the dialog with it; it is not read until the account is.", sourceName(s), s.Account)
			continue
		}
		to := slices.MinFunc(able, func(a, b string) int { return load[a] - load[b] })
		moved, err := f.scanners[to].Resolve(ctx, "@"+s.Username)
		switch {
		case errors.Is(err, scanner.ErrSourceUnknown), errors.Is(err, scanner.ErrSourcePrivate), errors.Is(err, scanner.ErrLimit):
			f.w.env.say("%s cannot be read by account %s: %v", sourceName(s), to, err)
			continue
		case err != nil:
			return to, err
		case moved.ID != s.ID: // the name has another owner now
			f.w.env.say("@%s is %s now and was %s: it is not read; 'prahari source add @%s' watches the new one", s.Username, moved.ID, s.ID, s.Username)
			continue
		}
		moved.AddedAt, moved.AddedBy = time.Now(), f.w.env.operator()
		if err := f.w.db.AddSource(ctx, moved); err != nil {
			return "", err
		}
		load[to]++
		f.w.env.say("%s is read by account %s now", sourceName(s), to)
	}
	return "", nil
}
