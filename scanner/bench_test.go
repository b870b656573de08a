package scanner_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/fixtures/sealing"
	"prahari/fixtures/telegram"
	"prahari/matcher"
	"prahari/scanner"
	"prahari/store"
)

// post is a leaked record of the nth person.
func post(t testing.TB, n int) telegram.Message {
	t.Helper()
	text, err := telegram.Fill(strings.ReplaceAll(leak, "%d", fmt.Sprint(n)))
	if err != nil {
		t.Fatal(err)
	}
	return telegram.Message{Text: text}
}

// bench is a data centre and a workspace's worth of parts.
type bench struct {
	t     *testing.T
	dc    *telegram.Server
	dir   string
	db    *store.DB
	maker *evidence.Maker

	recipients    []string
	watchedSource evidence.Source

	mu     sync.Mutex
	events []scanner.Event
	over   error // how the last run ended that was not stopped
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchOf(t, scene)
}

func newBenchOf(t *testing.T, scene string) *bench {
	t.Helper()
	sc, err := telegram.ParseScene("test", []byte(scene))
	if err != nil {
		t.Fatal(err)
	}
	dc, err := telegram.Start(t.Context(), telegram.Config{Scene: sc, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dc: dc, dir: t.TempDir()}
	b.maker, b.recipients = sealing.Maker(t)
	if b.db, err = store.Open(t.Context(), filepath.Join(b.dir, "prahari.db"), store.Create); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.db.Close(), dc.Close()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) note(e scanner.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

// wait waits until an event of the kind has come n times.
func (b *bench) wait(kind scanner.EventKind, n int) {
	b.t.Helper()
	b.until(fmt.Sprintf("%d events %s", n, kind), func() bool { return b.count(kind) >= n })
}

func (b *bench) end() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over
}

func (b *bench) count(kind scanner.EventKind) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, e := range b.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func (b *bench) until(what string, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited in vain for %s (a run had ended with: %v)", what, b.end())
		}
	}
}

// untilNone waits until nothing is left of a list, and fails with what is.
func (b *bench) untilNone(left func() []string) {
	b.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		rest := left()
		if len(rest) == 0 {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("a run had ended with: %v; still missing: %v", b.end(), rest)
		}
	}
}

func (b *bench) config() scanner.Config {
	finder, err := matcher.New(matcher.Config{})
	if err != nil {
		b.t.Fatal(err)
	}
	c := scanner.Config{
		Account: "main", APIID: 1, APIHash: "hash", SessionPath: filepath.Join(b.dir, "main.json"), DC: 1,
		PublicKeys: [][]byte{b.dc.PublicKeyPEM()}, Keeper: b.db, Directory: b.db, Finder: finder, Maker: b.maker, Events: b.note,
		PollInterval: 50 * time.Millisecond, MaxPollInterval: 50 * time.Millisecond, PollsPerMinute: 6000, ConnectTimeout: 2 * time.Minute, // for slow machines
	}
	for _, dc := range b.dc.DCs() {
		c.Servers = append(c.Servers, scanner.Server{DC: dc.ID, Address: dc.Addr})
	}
	return c
}

func (b *bench) scanner(change ...func(*scanner.Config)) *scanner.Scanner {
	b.t.Helper()
	c := b.config()
	for _, f := range change {
		f(&c)
	}
	s, err := scanner.New(c)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b *bench) prompts(number, password string) scanner.Prompts {
	return scanner.Prompts{
		Phone:    func(context.Context) (string, error) { return number, nil },
		Code:     func(context.Context) (string, error) { return b.dc.LoginCode(number), nil },
		Password: func(context.Context) (string, error) { return password, nil },
	}
}

func (b *bench) signIn() {
	b.t.Helper()
	if _, err := b.scanner().Login(b.t.Context(), b.prompts(phone, "")); err != nil {
		b.t.Fatal(err)
	}
}

// add resolves a source, joins it if asked to, and keeps it.
func (b *bench) add(ref string, join bool) evidence.Source {
	b.t.Helper()
	s := b.scanner()
	source, err := s.Resolve(b.t.Context(), ref)
	if err != nil {
		b.t.Fatal(err)
	}
	if join {
		if source, err = s.Join(b.t.Context(), source, evidence.Authorisation{ID: "A-0001", Method: "channels.joinChannel", Source: source.ID}); err != nil {
			b.t.Fatal(err)
		}
	}
	source.AddedAt, source.AddedBy = time.Now(), "analyst:test"
	if err := b.db.AddSource(b.t.Context(), source); err != nil {
		b.t.Fatal(err)
	}
	return source
}

// watch runs until stop, which returns how the run ended.
func (b *bench) watch(s *scanner.Scanner, sources ...evidence.Source) (stop func() error) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() {
		err := s.Run(ctx, scanner.RunOptions{Sources: sources})
		if ctx.Err() == nil {
			b.mu.Lock()
			b.over = err
			b.mu.Unlock()
		}
		ended <- err
	}()
	b.t.Cleanup(cancel)
	return func() error {
		cancel()
		return <-ended
	}
}

func (b *bench) backfill(sources ...evidence.Source) {
	b.t.Helper()
	if err := b.scanner().Run(b.t.Context(), scanner.RunOptions{Sources: sources, BackfillOnly: true}); err != nil {
		b.t.Fatal(err)
	}
}

// ids lists the messages of a source that are in evidence with findings.
func (b *bench) ids(source evidence.Source) []int64 {
	b.t.Helper()
	rows, err := b.db.Findings(b.t.Context(), store.Filter{SourceID: source.ID})
	if err != nil {
		b.t.Fatal(err)
	}
	var ids []int64
	for _, r := range rows {
		if !slices.Contains(ids, r.MessageID) {
			ids = append(ids, r.MessageID)
		}
	}
	slices.Sort(ids)
	return ids
}

// history lists what the data centre holds of a source.
func (b *bench) history(source evidence.Source) []telegram.Stored {
	if source.Kind == evidence.Bot {
		return b.dc.Dialog(phone, source.Username)
	}
	return b.dc.History(source.Username)
}

// covered reports whether everything up to the newest message was observed.
func (b *bench) covered(source evidence.Source) bool {
	b.t.Helper()
	observed, err := b.db.Coverage(b.t.Context(), source.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	var ranges []evidence.Range
	for _, o := range observed {
		ranges = append(ranges, o.Range)
	}
	top := 0
	for _, m := range b.history(source) {
		top = max(top, m.ID)
	}
	return len(evidence.Missing(evidence.Range{Lo: 1, Hi: int64(top)}, evidence.Merge(ranges))) == 0
}

func dcMessage(text string) telegram.Message { return telegram.Message{Text: text} }
