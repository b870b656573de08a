package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	out      map[string]bool             // accounts that cannot read now
	until    map[string]time.Time        // when of those the ones may read again that wait for Telegram's limit
	full     map[string]bool             // accounts that may look up no more names, when the sources were shared last
	unmoved  int                         // sources that nobody reads for that reason
}

// tryAgain is how often sources are offered again that no account may look up.
const tryAgain = time.Hour

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
		if a.State == store.AccountOK || a.State == store.AccountLimited {
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
	f := &fleet{w: w, scanners: map[string]*scanner.Scanner{}, out: map[string]bool{}, until: map[string]time.Time{}}
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
	return f, f.rest(ctx)
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
// they go on: coverage is the cursor, so nothing is lost or doubled by it. One that
// waits for Telegram's limit takes its share again afterwards.
func (f *fleet) run(ctx context.Context, backfillOnly bool) error {
	for {
		if err := f.welcome(ctx); err != nil {
			return err
		}
		label, err := f.share(ctx)
		if err == nil {
			label, err = f.once(ctx, backfillOnly)
		}
		state := shutOut(err)
		switch {
		case ctx.Err() == nil && errors.Is(err, errShareAgain):
			continue
		case state == "" || ctx.Err() != nil:
			return err
		}
		f.out[label] = true
		if kept := f.w.db.SetAccountState(ctx, label, state, f.w.env.operator()); kept != nil {
			return errors.Join(err, kept)
		}
		if len(f.able()) == 0 {
			return err
		}
		f.w.env.say("Account %s can read no more: %v. Its sources move to %s; see to it.", label, err, strings.Join(f.able(), ", "))
		if state == store.AccountLimited {
			f.until[label] = f.waits(label)
			f.w.env.say("Account %s takes its share again at %s.", label, stamp(f.until[label]))
		}
	}
}

// errShareAgain says that an account may read again.
var errShareAgain = errors.New("an account may read again")

// waits says when an account that Telegram limits may read again.
func (f *fleet) waits(label string) time.Time {
	var until time.Time
	for _, w := range f.scanners[label].Stats().Waits {
		if w.Method != evidence.AnyWrite && w.Until.After(until) {
			until = w.Until
		}
	}
	if until.IsZero() { // it was put off too often
		return time.Now().Add(time.Minute)
	}
	return until
}

// rest leaves out the accounts that an earlier watch found limited, as long as
// their waits last and others can read.
func (f *fleet) rest(ctx context.Context) error {
	accounts, err := f.w.db.Accounts(ctx)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if f.scanners[a.Label] == nil || a.State != store.AccountLimited {
			continue
		}
		f.until[a.Label] = time.Now()
		if len(f.able()) > 1 && len(f.scanners[a.Label].Stats().Waits) > 0 {
			f.out[a.Label], f.until[a.Label] = true, f.waits(a.Label)
		}
	}
	return nil
}

// welcome takes back the accounts whose wait is over.
func (f *fleet) welcome(ctx context.Context) error {
	for label, until := range f.until {
		if time.Now().Before(until) {
			continue
		}
		delete(f.until, label)
		delete(f.out, label)
		f.w.env.say("Account %s may read again.", label)
		if err := f.w.db.SetAccountState(ctx, label, store.AccountOK, f.w.env.operator()); err != nil {
			return err
		}
	}
	return nil
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
		return store.AccountLimited
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
	again := make(chan struct{})
	next := slices.Collect(maps.Values(f.until))
	if f.unmoved > 0 {
		next = append(next, time.Now().Add(tryAgain))
	}
	if len(next) > 0 && !backfillOnly {
		next := slices.MinFunc(next, time.Time.Compare)
		timer := time.AfterFunc(time.Until(next), func() {
			close(again)
			stop()
		})
		defer timer.Stop()
	}
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
	select {
	case <-again:
		if errors.Is(first.err, context.Canceled) {
			return "", errShareAgain
		}
	default:
	}
	return first.label, first.err
}

// share gives each source to an account that can read it: those of accounts that
// cannot go to one that joined the channel, or else to the one that reads the
// fewest; a channel goes back to an account that joined it, for that is pushed to;
// and of the channels that are polled an account that reads few takes those that
// it read before. A bot stays: its dialog is the account's own. An error comes with
// the account that it is about.
func (f *fleet) share(ctx context.Context) (string, error) {
	sources, err := f.w.db.Sources(ctx)
	if err != nil {
		return "", err
	}
	sources = slices.DeleteFunc(sources, func(s evidence.Source) bool { return s.Kind == evidence.File })
	known, err := f.w.db.Accesses(ctx)
	if err != nil {
		return "", err
	}
	load := map[string]int{}
	for _, s := range sources {
		load[s.Account]++
	}
	f.full, f.unmoved = map[string]bool{}, 0
	for i := 0; i < len(sources); i++ {
		s := sources[i]
		to, reason := f.reader(s, known, load)
		if to == "" || to == s.Account {
			continue
		}
		moved, err := f.as(ctx, s, to, known[to])
		switch {
		case errors.Is(err, scanner.ErrLimit): // each look-up is a connection: it is asked for no other
			f.full[to] = true
			f.w.env.say("%v", err)
			i-- // another account may take it
			continue
		case errors.Is(err, scanner.ErrSourceUnknown), errors.Is(err, scanner.ErrSourcePrivate):
			f.w.env.say("%s cannot be read by account %s: %v", sourceName(s), to, err)
			continue
		case err != nil:
			return to, err
		case moved.ID != s.ID: // the name has another owner now
			f.w.env.say("@%s is %s now and was %s: it is not read; 'prahari source add @%s' watches the new one", s.Username, moved.ID, s.ID, s.Username)
			continue
		}
		if err := f.w.db.MoveSource(ctx, moved, s.Account, f.w.env.operator(), reason); err != nil {
			return "", err
		}
		load[s.Account]--
		load[to]++
		f.w.env.say("%s is read by account %s now", sourceName(s), to)
		if s.Access == evidence.Joined && moved.Access == evidence.Public {
			f.w.env.say("%s has not joined %s and looks at it from time to time; 'prahari source add @%s --account %s --join' has it pushed", to, sourceName(s), s.Username, to)
		}
	}
	if f.unmoved > 0 {
		f.w.env.say("%s not read, for no account may look up more names now; a watch tries again every hour.", count(f.unmoved, "source"))
	}
	return "", nil
}

// reader says which account is to read a source, and why; "" where none can.
func (f *fleet) reader(s evidence.Source, known map[string][]evidence.Source, load map[string]int) (to, reason string) {
	fewest := func(labels []string) string {
		if len(labels) == 0 {
			return ""
		}
		return slices.MinFunc(labels, func(a, b string) int { return load[a] - load[b] })
	}
	knows := func(label string, access evidence.Access) bool {
		return slices.ContainsFunc(known[label], func(k evidence.Source) bool { return k.ID == s.ID && k.Access == access })
	}
	able := f.able()
	joined := fewest(slices.DeleteFunc(slices.Clone(able), func(l string) bool { return !knows(l, evidence.Joined) }))
	switch {
	case f.out[s.Account] && (s.Kind == evidence.Bot || s.Username == "" && joined == ""):
		f.w.env.say("%s stays with account %s, which alone has the dialog with it; it is not read until the account is.", sourceName(s), s.Account)
		return "", ""
	case f.out[s.Account] && joined != "":
		return joined, "the account cannot read now, and the other has joined it"
	case f.out[s.Account]:
		to = fewest(slices.DeleteFunc(slices.Clone(able), func(l string) bool { return f.full[l] && !knows(l, evidence.Public) }))
		if to == "" {
			f.unmoved++
		}
		return to, "the account cannot read now"
	case s.Access == evidence.Public && joined != "":
		return joined, "the account has joined it"
	case s.Access == evidence.Public && slices.Contains(able, s.Account):
		before := fewest(slices.DeleteFunc(slices.Clone(able), func(l string) bool { return !knows(l, evidence.Public) }))
		if before != "" && load[before]+1 < load[s.Account] {
			return before, "the account reads fewer"
		}
	}
	return "", ""
}

// as is a source as another account reads it, which that account looks up once.
func (f *fleet) as(ctx context.Context, s evidence.Source, account string, known []evidence.Source) (evidence.Source, error) {
	for _, k := range known {
		if k.ID == s.ID {
			s.Account, s.Access, s.AccessHash = account, k.Access, k.AccessHash
			return s, nil
		}
	}
	return f.scanners[account].Resolve(ctx, "@"+s.Username)
}

// accountFor is the account that is to read a new source: the one that was named,
// or of those that can read the one that reads the fewest. One that waits for
// Telegram's limit is taken only where there is no other.
func (w *workspace) accountFor(ctx context.Context, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	labels, _, err := w.accountsOf(ctx, "")
	if err != nil {
		return "", err
	}
	accounts, err := w.db.Accounts(ctx)
	if err != nil {
		return "", err
	}
	free := slices.DeleteFunc(slices.Clone(labels), func(label string) bool {
		return slices.ContainsFunc(accounts, func(a store.Account) bool { return a.Label == label && a.State == store.AccountLimited })
	})
	if len(free) > 0 {
		labels = free
	}
	sources, err := w.db.Sources(ctx)
	if err != nil {
		return "", err
	}
	load := map[string]int{}
	for _, s := range sources {
		load[s.Account]++
	}
	return slices.MinFunc(labels, func(a, b string) int { return load[a] - load[b] }), nil
}
