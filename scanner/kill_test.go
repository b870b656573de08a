package scanner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/fixtures/telegram"
	"prahari/matcher"
	"prahari/scanner"
	"prahari/store"
)

const childVariable = "PRAHARI_TEST_CHILD"

// childOrder tells a child process what to watch.
type childOrder struct {
	SessionPath, Database string
	Servers               []scanner.Server
	PublicKeys            [][]byte
	Recipients            []string
	Key                   string
	Sources               []evidence.Source
	BackfillOnly          bool
	UntilWatching         bool // end when all histories are read and updates come in
}

// child watches until it is killed, or until the history is read.
func child() int {
	done := false
	var began time.Time
	err := func() error {
		raw, err := os.ReadFile(os.Getenv(childVariable))
		if err != nil {
			return err
		}
		var o childOrder
		if err := json.Unmarshal(raw, &o); err != nil {
			return err
		}
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		db, err := store.Open(ctx, o.Database)
		if err != nil {
			return err
		}
		sealer, err := evidence.NewSealer(o.Recipients)
		if err != nil {
			return err
		}
		key, err := evidence.ParseTokenKey(o.Key)
		if err != nil {
			return err
		}
		finder, err := matcher.New(matcher.Config{})
		if err != nil {
			return err
		}
		s, err := scanner.New(scanner.Config{
			Account: "main", APIID: 1, APIHash: "hash", SessionPath: o.SessionPath, DC: 1, Servers: o.Servers, PublicKeys: o.PublicKeys,
			Keeper: db, Finder: finder, Events: func(e scanner.Event) {
				if e.Kind == scanner.Connected && began.IsZero() {
					began = time.Now()
				}
				if e.Kind == scanner.Watching && o.UntilWatching {
					stop()
				}
			},
			Maker: &evidence.Maker{Sealer: sealer, Key: key, Canonical: matcher.Canonical, Weigh: finder.Weigh, Operator: "analyst:test"},
		})
		if err != nil {
			return err
		}
		err = s.Run(ctx, scanner.RunOptions{Sources: o.Sources, BackfillOnly: o.BackfillOnly})
		done = err == nil || o.UntilWatching && errors.Is(err, context.Canceled)
		return err
	}()
	if done {
		// How long it read, how much of that on a processor, and the most memory held, in KiB; what wait tells includes
		// the parent's at the fork.
		status, _ := os.ReadFile("/proc/self/status")
		if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
			fmt.Println(time.Since(began).Seconds(), work("self"), strings.Fields(rest)[0])
		}
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// Fifty kills at random points of start, backfill and live watching, while posts,
// edits and deletions go on: nothing is lost and nothing is there twice.
func TestFiftyKillsLoseAndDoubleNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: fifty kills take half a minute; run without -short")
	}
	b := newBench(t)
	b.signIn()
	leaks, bot := b.add("@leaks", true), b.add("@lookup_bot", false)
	order := b.order(filepath.Join(b.dir, "prahari.db"), false, leaks, bot)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		b.stir(done)
	}()
	for range 50 {
		b.kill(order, time.Duration(rand.Int64N(int64(400*time.Millisecond))))
	}
	close(done)
	<-stopped
	stop := b.watch(b.scanner(), leaks, bot)
	b.wait(scanner.Watching, 1)
	want := map[string][]telegram.Stored{}
	finder, err := matcher.New(matcher.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []evidence.Source{leaks, bot} {
		for _, m := range b.history(s) {
			if len(finder.Find(m.Text, s.Kind).Findings) > 0 {
				want[s.ID] = append(want[s.ID], m)
			}
		}
	}
	missing := func() (out []string) {
		for _, s := range []evidence.Source{leaks, bot} {
			for _, m := range want[s.ID] {
				versions, err := b.db.Versions(t.Context(), s.ID, int64(m.ID))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.ContainsFunc(versions, func(v evidence.Evidence) bool { return m.EditDate == 0 || v.EditedAt.Unix() == int64(m.EditDate) }) {
					out = append(out, fmt.Sprintf("%s/%d as last edited", s.Username, m.ID))
				}
			}
			if !b.covered(s) {
				out = append(out, s.Username+" is not covered")
			}
		}
		return out
	}
	b.untilNone(missing)
	_ = stop()
	if _, _, err := b.db.VerifyCustody(t.Context()); err != nil {
		t.Error(err)
	}
	b.noDoubles(leaks, bot)
	t.Logf("%d leaks in the channel, %d in the dialog", len(want[leaks.ID]), len(want[bot.ID]))
}

// noDoubles checks that every version of every message is there once.
func (b *bench) noDoubles(sources ...evidence.Source) {
	b.t.Helper()
	for _, s := range sources {
		for _, id := range b.ids(s) {
			versions, err := b.db.Versions(b.t.Context(), s.ID, id)
			if err != nil {
				b.t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, v := range versions {
				if seen[v.Version] {
					b.t.Errorf("%s/%d has version %s twice", s.Username, id, v.Version)
				}
				seen[v.Version] = true
			}
		}
	}
}

func (b *bench) order(database string, backfillOnly bool, sources ...evidence.Source) string {
	b.t.Helper()
	c := b.config()
	o := childOrder{
		SessionPath: c.SessionPath, Database: database, BackfillOnly: backfillOnly, Servers: c.Servers, PublicKeys: c.PublicKeys,
		Recipients: b.recipients, Key: b.maker.Key.Encode(), Sources: sources,
	}
	raw, err := json.Marshal(o)
	if err != nil {
		b.t.Fatal(err)
	}
	path := filepath.Join(b.t.TempDir(), "order.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// kill starts a child and kills it after a while.
func (b *bench) kill(order string, after time.Duration) {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childVariable+"="+order)
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	time.Sleep(after)
	if err := cmd.Process.Kill(); err != nil { // SIGKILL
		b.t.Errorf("the child ended by itself: %v", err)
	}
	_ = cmd.Wait()
}

// stir posts, edits and deletes until done.
func (b *bench) stir(done <-chan struct{}) {
	var posted []int
	for n := 200; ; n++ {
		select {
		case <-done:
			return
		case <-time.After(time.Duration(5+rand.IntN(40)) * time.Millisecond):
		}
		var err error
		switch {
		case n%7 == 0:
			_, err = b.dc.SendFromBot("lookup_bot", phone, post(b.t, n))
		case n%5 == 0 && len(posted) > 0:
			err = b.dc.Edit("leaks", posted[rand.IntN(len(posted))], post(b.t, n).Text)
		case n%3 == 0:
			_, err = b.dc.Post("leaks", telegram.Message{Text: "fine weather"})
		default:
			var id int
			id, err = b.dc.Post("leaks", post(b.t, n))
			posted = append(posted, id)
		}
		if err != nil {
			b.t.Error(err)
			return
		}
	}
}
