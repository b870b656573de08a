package scanner_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/fixtures/expect"
	"prahari/fixtures/telegram"
	"prahari/matcher"
	"prahari/scanner"
	"prahari/store"
)

// check compares what was recorded with what the data centre did.
func (b *bench) check() expect.Check {
	b.t.Helper()
	finder, err := matcher.New(matcher.Config{})
	if err != nil {
		b.t.Fatal(err)
	}
	return expect.Check{DC: b.dc, DB: b.db, Key: b.maker.Key, Finder: finder, Phone: phone}
}

// agree waits until nothing is lost, doubled or off the ledger.
func (b *bench) agree(sources ...evidence.Source) {
	b.t.Helper()
	check := b.check()
	var last expect.Result
	b.untilNone(func() []string {
		var err error
		if last, err = check.Compare(b.t.Context(), sources...); err != nil {
			b.t.Fatal(err)
		}
		return last.Wrong
	})
	if last.Versions == 0 {
		b.t.Error("nothing had to be recorded: the comparison says nothing")
	}
	if _, _, err := b.db.VerifyCustody(b.t.Context()); err != nil {
		b.t.Error(err)
	}
	b.t.Logf("%d messages, %d versions and %d deletions were looked for one by one; %d gaps on the ledger", last.Messages, last.Versions, last.Deletions, last.Gaps)
}

// act posts, edits and deletes n times, and lets trouble happen in between.
func (b *bench) act(n int, trouble func(step int)) {
	b.t.Helper()
	do := func(err error) {
		if err != nil {
			b.t.Fatal(err)
		}
	}
	var leaks, news []int
	for i := range n {
		trouble(i)
		one := post(b.t, 100+i)
		if i%4 == 3 {
			one = telegram.Message{Text: "fine weather"}
		}
		id, err := b.dc.Post("leaks", one)
		do(err)
		leaks = append(leaks, id)
		switch i % 5 {
		case 1:
			id, err := b.dc.Post("news", post(b.t, 300+i))
			do(err)
			news = append(news, id)
		case 2:
			do(b.dc.Edit("leaks", leaks[i/2], post(b.t, 500+i).Text))
			_, err := b.dc.SendFromBot("lookup_bot", phone, post(b.t, 700+i))
			do(err)
		case 3:
			do(b.dc.Edit("leaks", leaks[i-1], "nothing to see"))
			do(b.dc.Edit("news", news[len(news)-1], post(b.t, 900+i).Text))
		case 4:
			do(b.dc.Delete("leaks", leaks[i-1]))
			leaks[i-1] = leaks[0]
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	}
}

// everyMethod are the calls that reading makes while it goes on.
var everyMethod = []string{
	"messages.getHistory", "updates.getChannelDifference", "updates.getDifference", "help.getConfig", "users.getUsers",
}

// Each fault strikes a running watch twice, while posts, edits and deletions go on
// in a channel that pushes, a bot's dialog and a channel that is polled.
func TestFaultsWhileWatching(t *testing.T) {
	for name, trouble := range map[string]func(b *bench){
		"connection dropped": func(b *bench) { b.dc.DropConnections() },
		"connection dropped on a call": func(b *bench) {
			for _, method := range everyMethod {
				b.dc.Inject(telegram.Fault{Method: method, Drop: true})
			}
			b.dc.LosePushes(1)
		},
		"connection dropped mid-answer": func(b *bench) {
			for _, method := range everyMethod {
				b.dc.Inject(telegram.Fault{Method: method, Cut: true})
			}
			b.dc.LosePushes(1)
		},
		"server restarted": func(b *bench) {
			if err := b.dc.Restart(200*time.Millisecond, false); err != nil {
				b.t.Fatal(err)
			}
		},
		"server at fault": func(b *bench) {
			for _, method := range everyMethod {
				b.dc.Inject(telegram.Fault{Method: method, Times: 2, Error: "INTERNAL", Code: 500})
			}
			b.dc.LosePushes(1)
		},
		"pushes lost":     func(b *bench) { b.dc.LosePushes(3) },
		"pushes repeated": func(b *bench) { b.dc.RepeatPushes(5) },
		"pushes reversed": func(b *bench) { b.dc.ReversePushes(4) },
		"difference too long": func(b *bench) {
			b.dc.LosePushes(2)
			for n := range 2 {
				if _, err := b.dc.Post("leaks", post(b.t, 40+n)); err != nil {
					b.t.Fatal(err)
				}
			}
			b.dc.ForgetDifferences("leaks")
		},
		"flood wait": func(b *bench) {
			for _, method := range everyMethod {
				b.dc.Inject(telegram.Fault{Method: method, Error: "FLOOD_WAIT_1"})
			}
			b.dc.LosePushes(1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.signIn()
			leaks, news, bot := b.add("@leaks", true), b.add("@news", false), b.add("@lookup_bot", false)
			stop := b.watch(b.scanner(), leaks, news, bot)
			b.wait(scanner.Watching, 1)
			b.act(30, func(step int) {
				if step == 7 || step == 19 {
					trouble(b)
				}
			})
			b.agree(leaks, news, bot)
			if err := stop(); !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// The machine's clock is set an hour forward, and two hours back: the connection
// stands, and what is recorded says how far the clock was off.
func TestTheClockJumps(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks, news, bot := b.add("@leaks", true), b.add("@news", false), b.add("@lookup_bot", false)
	var off atomic.Int64
	stop := b.watch(b.scanner(func(c *scanner.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
	}), leaks, news, bot)
	b.wait(scanner.Watching, 1)
	b.act(30, func(step int) {
		switch step {
		case 8:
			off.Store(int64(time.Hour))
		case 20:
			b.agree(leaks, news, bot)
			off.Store(-int64(time.Hour))
			b.dc.LosePushes(2)
		case 25:
			b.dc.DropConnections()
		}
	})
	b.agree(leaks, news, bot)
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	told := map[time.Duration]int{}
	for _, id := range b.ids(leaks) {
		versions, err := b.db.Versions(t.Context(), leaks.ID, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range versions {
			offset := time.Duration(v.Collection.Clock.OffsetMS) * time.Millisecond
			told[offset.Round(time.Minute)]++
			// Whatever the clock said, the time by Telegram's can be told from it.
			if real := v.CapturedAt.Add(-offset); time.Since(real).Abs() > time.Minute {
				t.Errorf("%s/%d: seen at %s by a clock that was %s off", leaks.Username, id, v.CapturedAt, offset)
			}
		}
	}
	for _, want := range []time.Duration{0, time.Hour, -time.Hour} {
		if told[want] == 0 {
			t.Errorf("no evidence was collected with a clock %s off: %v", want, told)
		}
	}
}

// A data centre that lost its keys knows the client no more. The run says that the
// account must sign in, and goes on from there.
func TestKeysLostAtTheServer(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks, bot := b.add("@leaks", true), b.add("@lookup_bot", false)
	ended := make(chan error, 1)
	go func() {
		ended <- b.scanner().Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{leaks, bot}})
	}()
	b.wait(scanner.Watching, 1)
	if err := b.dc.Restart(100*time.Millisecond, true); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, scanner.ErrSignedOut) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the run went on")
	}
	for n := range 5 {
		if _, err := b.dc.Post("leaks", post(t, 30+n)); err != nil {
			t.Fatal(err)
		}
	}
	b.signIn()
	stop := b.watch(b.scanner(), leaks, bot)
	b.agree(leaks, bot)
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// Telegram moves a sign-in, a network and an account to another data centre: when
// the one move is over, or before what was moved is answered, or time and again.
func TestDataCentreMigrates(t *testing.T) {
	for name, tc := range map[string]struct{ back, times int }{"later": {15, 1}, "at once": {5, 1}, "again and again": {5, 4}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.dc.Inject(telegram.Fault{Method: "auth.sendCode", Error: "PHONE_MIGRATE_2"})
			b.signIn()
			leaks, news, bot := b.add("@leaks", true), b.add("@news", false), b.add("@lookup_bot", false)
			stop := b.watch(b.scanner(), leaks, news, bot)
			b.wait(scanner.Watching, 1)
			b.act(24, func(step int) {
				for range tc.times {
					if step == 5 {
						b.dc.Inject(telegram.Fault{Method: "messages.getHistory", Error: "NETWORK_MIGRATE_1"})
					}
					if step == tc.back {
						b.dc.Inject(telegram.Fault{Method: "messages.getHistory", Error: "USER_MIGRATE_2"})
					}
				}
			})
			b.agree(leaks, news, bot)
			if err := stop(); !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
			stop = b.watch(b.scanner(), leaks, news, bot) // the session that was kept is good
			b.wait(scanner.Watching, 2)
			if err := stop(); !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// Every method of a sign-in, a discovery, a probe and a watch is put off once, and
// waits; all others are tested at the guard.
func TestFloodWaitOnEveryMethod(t *testing.T) {
	b := newBench(t)
	flood := []string{
		"auth.sendCode", "auth.signIn", "contacts.resolveUsername", "channels.getFullChannel", "users.getFullUser", "channels.joinChannel",
		"contacts.search", "messages.sendMessage",
	}
	flood = append(flood, "updates.getState")
	flood = append(flood, everyMethod...)
	for _, method := range flood {
		if method != "help.getConfig" {
			b.dc.Inject(telegram.Fault{Method: method, Error: "FLOOD_WAIT_1"})
		}
	}
	b.signIn()
	leaks, bot := b.add("@leaks", true), b.add("@lookup_bot", false)
	called := map[string]int{}
	s := b.scanner()
	if _, err := s.Discover(t.Context(), "leaks"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Probe(t.Context(), scanner.ProbeOptions{
		Bot: bot, Value: "canary", Settle: 100 * time.Millisecond,
		Canary:        evidence.Canary{ID: "C-1", Basis: evidence.Synthetic, Scope: []string{"lookup_bot"}, ExpiresAt: time.Now().Add(time.Hour)},
		Authorisation: evidence.Authorisation{ID: "A-1", Method: "messages.sendMessage", Source: bot.ID, Canary: "C-1", ApprovedBy: "b", ApprovedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(called, s.Calls())
	s = b.scanner()
	b.dc.Inject(telegram.Fault{Method: "help.getConfig", Skip: 1, Error: "FLOOD_WAIT_1"}) // the first is the connection's own
	stop := b.watch(s, leaks, bot)
	b.wait(scanner.Watching, 1)
	b.act(20, func(step int) {
		if step == 10 {
			b.dc.LosePushes(1)
		}
	})
	b.agree(leaks, bot)
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	maps.Copy(called, s.Calls())
	waited := map[string]bool{}
	b.mu.Lock()
	for _, e := range b.events {
		if e.Kind == scanner.Waiting {
			waited[e.Method] = true
		}
	}
	b.mu.Unlock()
	for _, method := range flood {
		if !waited[method] {
			t.Errorf("%s was not put off", method)
		}
	}
	for method := range called {
		if !slices.Contains(flood, method) {
			t.Errorf("%s is called, and this test does not put it off", method)
		}
	}
}

// The account is logged out in the middle of a backfill: what was read is kept, the
// rest is read after the next sign-in.
func TestLoggedOutMidBackfill(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks, news, bot := b.add("@leaks", true), b.add("@news", false), b.add("@lookup_bot", false)
	var once atomic.Bool
	s := b.scanner(func(c *scanner.Config) {
		c.Events = func(e scanner.Event) {
			if e.Kind == scanner.Reading && !once.Swap(true) {
				b.dc.RevokeSessions(phone)
			}
			b.note(e)
		}
	})
	err := s.Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{leaks, news, bot}, BackfillOnly: true})
	if !errors.Is(err, scanner.ErrSignedOut) {
		t.Fatalf("ended with %v", err)
	}
	if b.covered(leaks) && b.covered(news) && b.covered(bot) {
		t.Fatal("all was read before the account was logged out")
	}
	for n := range 3 {
		if _, err := b.dc.Post("leaks", post(t, 30+n)); err != nil {
			t.Fatal(err)
		}
	}
	b.signIn()
	b.backfill(leaks, news, bot)
	b.agree(leaks, news, bot)
}

// The disk is full: SQLite says so, nothing half-written is left, and with room
// the same run goes on. Then it is full again under a watch.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("SKIPPED: the disk cannot be made full: a file system of two megabytes needs root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	b := newBench(t)
	b.signIn()
	leaks, news, bot := b.add("@leaks", true), b.add("@news", false), b.add("@lookup_bot", false)
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(b.dir, "prahari.db"))
	if err != nil {
		t.Fatal(err)
	}
	path, ballast := filepath.Join(dir, "prahari.db"), filepath.Join(dir, "ballast")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if b.db, err = store.Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	fill := func() {
		t.Helper()
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		for size := 64 << 10; size >= 1; size /= 2 {
			for err = nil; err == nil; {
				_, err = f.Write(make([]byte, size))
			}
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	full := func(err error) {
		t.Helper()
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("ended with %v", err)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		if err := b.db.Integrity(t.Context()); err != nil {
			t.Error(err)
		}
	}
	fill()
	full(b.scanner().Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{leaks, news, bot}, BackfillOnly: true}))

	ended := make(chan error, 1)
	go func() {
		ended <- b.scanner().Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{leaks, news, bot}})
	}()
	b.wait(scanner.Watching, 1)
	fill()
	b.act(30, func(int) {})
	select {
	case err := <-ended:
		full(err)
	case <-time.After(20 * time.Second):
		t.Fatal("the run went on")
	}
	stop := b.watch(b.scanner(), leaks, news, bot)
	b.agree(leaks, news, bot)
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
