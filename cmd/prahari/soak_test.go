package main

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"prahari/fixtures/telegram"
	"prahari/store"
)

const (
	firstPhone, secondPhone = "+15550100001", "+15550100002"

	soakScene = `
dcs: 2
users:
  - {phone: "+15550100001", first: Ana}
  - {phone: "+15550100002", first: Bo}
channels:
  - {username: leaks, title: Leaks, messages: [{generate: 400}]}
  - {username: chatter, title: Chatter, megagroup: true, messages: [{generate: 150}]}
  - {username: news, title: News, messages: [{generate: 150}]}
bots:
  - {username: lookup_bot, name: Lookup}
`
)

// An account that Telegram limits hands its channel over, a person is told, and it
// takes the channel back when the wait is over; nothing is lost on the way. The
// same for one that is signed out, after its next sign-in.
func TestSourcesMoveAndComeBack(t *testing.T) {
	d := newDesk(t)
	w := d.watch()
	d.says(w, "Watching.")
	d.dc.InjectFor(firstPhone, telegram.Fault{Method: "updates.getChannelDifference", Error: "FLOOD_WAIT_4"})
	d.dc.LosePushes(1)
	for n := range 3 {
		if _, err := d.dc.Post("leaks", telegram.Message{Text: leakOf(t, n)}); err != nil {
			t.Fatal(err)
		}
	}
	d.says(w, "Account main can read no more: ")
	d.says(w, "@leaks is read by account second now")
	id, err := d.dc.Post("leaks", telegram.Message{Text: leakOf(t, 5)})
	if err != nil {
		t.Fatal(err)
	}
	d.says(w, "Account main may read again.")
	d.says(w, "@leaks is read by account main now")
	if err := d.dc.Edit("leaks", id, "nothing to see"); err != nil {
		t.Fatal(err)
	}
	d.agree(30 * time.Second)

	d.dc.RevokeSessions(firstPhone)
	d.says(w, "not signed in")
	d.says(w, "@leaks is read by account second now", 2)
	if err := d.dc.Edit("leaks", id-1, leakOf(t, 6)); err != nil {
		t.Fatal(err)
	}
	if err := d.dc.Delete("leaks", id); err != nil {
		t.Fatal(err)
	}
	d.terminate(w)
	d.login("main", firstPhone)
	w = d.watch()
	d.says(w, "@leaks is read by account main now")
	d.agree(30 * time.Second)
	d.terminate(w)
	if code, said := d.try("", "custody", "show", "--json"); code != exitFine || !strings.Contains(said, `"source.move"`) || !strings.Contains(said, store.AccountLimited) {
		t.Errorf("the custody log does not tell: %s", said)
	}
}

// All faults together, at random, against processes of prahari. SOAK says for how
// long (15s if not given), SOAK_SEED which faults.
func TestSoak(t *testing.T) {
	lasts, seed := 15*time.Second, uint64(time.Now().UnixNano())
	var err error
	if s := os.Getenv("SOAK"); s != "" {
		if lasts, err = time.ParseDuration(s); err != nil {
			t.Fatalf("SOAK: %v", err)
		}
	} else if testing.Short() {
		t.Skip("SKIPPED: a soak takes half a minute; run without -short")
	}
	if s := os.Getenv("SOAK_SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("SOAK_SEED: %v", err)
		}
	}
	t.Logf("soak: SOAK=%s SOAK_SEED=%d", lasts, seed)
	s := &soak{desk: newDesk(t), rand: rand.New(rand.NewPCG(seed, 1)), thrown: map[string]int{}} //nolint:gosec // a test
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("thrown, in order: %s\nthe watches said:\n%s%s", strings.Join(s.order, ", "), s.said, s.watching.text())
		}
	})
	s.start()
	s.desk.says(s.watching, "Watching.", 2) // of each account
	done := make(chan struct{})
	var stirring sync.WaitGroup
	stirring.Go(func() { s.stir(done, rand.New(rand.NewPCG(seed, 2))) }) //nolint:gosec // a test
	for until := time.Now().Add(lasts); time.Now().Before(until) && !t.Failed(); {
		time.Sleep(time.Duration(100+s.rand.IntN(900)) * time.Millisecond)
		s.strike()
		s.tend()
	}
	close(done)
	stirring.Wait()
	s.calm()
	r := s.desk.agree(40 * time.Second)
	s.desk.terminate(s.watching)
	sealed, excused := s.desk.files()
	if sealed == 0 {
		t.Errorf("no file is under the seal, %d are not", excused)
	}
	var thrown []string
	for _, name := range slices.Sorted(maps.Keys(s.thrown)) {
		thrown = append(thrown, fmt.Sprintf("%d× %s", s.thrown[name], name))
	}
	if !s.desk.small {
		t.Log("SKIPPED: the disk was not filled, for a small disk needs root")
	}
	t.Logf("soak: %s; thrown: %s; %d messages, %d versions and %d deletions compared one by one, %d gaps on the ledger, %d files under the seal and %d with the reason why not: nothing lost, nothing doubled",
		lasts, strings.Join(thrown, ", "), r.Messages, r.Versions, r.Deletions, r.Gaps, sealed, excused)
}

// A soak is what runs, and what was thrown at it.
type soak struct {
	desk     *desk
	rand     *rand.Rand
	watching *watching
	thrown   map[string]int
	order    []string
	said     string // by the watches that ended
	full     bool   // the disk is
}

func (s *soak) start() { s.watching = s.desk.watch() }

// stir posts, edits and deletes in all sources until done.
func (s *soak) stir(done <-chan struct{}, r *rand.Rand) {
	t, dc := s.desk.t, s.desk.dc
	recent := map[string][]int{}
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		case <-time.After(time.Duration(10+r.IntN(60)) * time.Millisecond):
		}
		chat := []string{"leaks", "leaks", "chatter", "news"}[r.IntN(4)]
		ids := recent[chat]
		var err error
		switch what := r.IntN(10); {
		case what == 0:
			_, err = dc.SendFromBot("lookup_bot", firstPhone, telegram.Message{Text: leakOf(t, r.IntN(5000))})
		case what <= 2 && len(ids) > 0:
			text := leakOf(t, r.IntN(5000))
			if what == 1 {
				text = fmt.Sprintf("nothing to see %d", n)
			}
			err = dc.Edit(chat, ids[r.IntN(len(ids))], text)
		case what == 3 && len(ids) > 0:
			i := r.IntN(len(ids))
			err = dc.Delete(chat, ids[i])
			recent[chat] = slices.Delete(slices.Clone(ids), i, i+1)
		default:
			text := fmt.Sprintf("fine weather, day %d", n)
			var file *telegram.Document
			if what > 5 {
				text = leakOf(t, r.IntN(5000))
			}
			if what == 9 {
				file = &telegram.Document{Name: fmt.Sprintf("list-%d.csv", n), MIME: "text/csv", Size: 100 + r.IntN(600_000), DC: 1 + r.IntN(2)}
			}
			var id int
			id, err = dc.Post(chat, telegram.Message{Text: text, Document: file})
			recent[chat] = append(ids[max(0, len(ids)-30):], id)
		}
		if err != nil {
			t.Errorf("stirring: %v", err)
			return
		}
	}
}

// strike throws one fault.
func (s *soak) strike() {
	dc := s.desk.dc
	methods := []string{"messages.getHistory", "updates.getChannelDifference", "updates.getDifference", "updates.getState", "help.getConfig", "users.getUsers", "upload.getFile"}
	method := methods[s.rand.IntN(len(methods))]
	faults := map[string]func(){
		"connection dropped":            dc.DropConnections,
		"connection dropped on a call":  func() { dc.Inject(telegram.Fault{Method: method, Drop: true}) },
		"connection dropped mid-answer": func() { dc.Inject(telegram.Fault{Method: method, Cut: true}) },
		"server restarted":              func() { s.check(dc.Restart(time.Duration(s.rand.IntN(500))*time.Millisecond, false)) },
		"keys lost at the server":       func() { s.check(dc.Restart(50*time.Millisecond, true)) },
		"server error":                  func() { dc.Inject(telegram.Fault{Method: method, Times: 2, Error: "INTERNAL", Code: 500}) },
		"account migrated": func() {
			dc.Inject(telegram.Fault{Method: method, Error: fmt.Sprintf("USER_MIGRATE_%d", 1+s.rand.IntN(2))})
		},
		"pushes lost":                func() { dc.LosePushes(1 + s.rand.IntN(5)) },
		"pushes repeated":            func() { dc.RepeatPushes(1 + s.rand.IntN(8)) },
		"pushes reversed":            func() { dc.ReversePushes(2 + s.rand.IntN(4)) },
		"difference too long":        func() { dc.ForgetDifferences([]string{"leaks", "chatter"}[s.rand.IntN(2)]); dc.LosePushes(1) },
		"dialog difference too long": func() { dc.ForgetDialogDifferences(firstPhone) },
		"file references expired":    dc.ExpireReferences,
		"flood wait":                 func() { dc.Inject(telegram.Fault{Method: method, Error: "FLOOD_WAIT_1"}) },
		"flood wait above the cap": func() {
			dc.InjectFor([]string{firstPhone, secondPhone}[s.rand.IntN(2)], telegram.Fault{Method: method, Error: "FLOOD_WAIT_3"})
		},
		"account logged out": func() { dc.RevokeSessions([]string{firstPhone, secondPhone}[s.rand.IntN(2)]) },
		"clock jump": func() {
			s.check(os.WriteFile(s.desk.clock, []byte((time.Duration(s.rand.IntN(7200)-3600) * time.Second).String()), 0o600))
		},
		"SIGKILL": func() { s.check(s.watching.cmd.Process.Kill()); <-s.watching.ended },
		"SIGTERM": func() { s.desk.signal(s.watching) }, // it may be ending for another reason
	}
	if s.desk.small {
		faults["disk full"] = s.fillDisk
	}
	names := slices.Sorted(maps.Keys(faults))
	name := names[s.rand.IntN(len(names))]
	select {
	case <-s.watching.ended:
		return // tend first
	default:
	}
	s.thrown[name]++
	s.order = append(s.order, name)
	faults[name]()
}

func (s *soak) check(err error) {
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.desk.t.Error(err)
	}
}

func (s *soak) ballast() string { return filepath.Join(filepath.Dir(s.desk.dir), "ballast") }

// fillDisk leaves no byte free until the watch ends or two seconds have passed.
func (s *soak) fillDisk() {
	f, err := os.Create(s.ballast())
	if err != nil {
		s.check(err)
		return
	}
	for size := 1 << 20; size >= 1; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.check(err)
	}
	s.check(f.Close())
	s.full = true
	select {
	case <-s.watching.ended:
	case <-time.After(2 * time.Second):
	}
	s.check(os.Remove(s.ballast()))
}

// tend starts the watch again when it ended, as a service manager and a person
// would, and fails where it ended for no good reason.
func (s *soak) tend() {
	select {
	case <-s.watching.ended:
	default:
		return
	}
	t, said := s.desk.t, s.watching.text()
	switch code := s.watching.cmd.ProcessState.ExitCode(); code {
	case -1, exitInterrupted: // by a signal of ours
	case exitLogin, exitRateLimited:
	case exitFailed:
		if !s.full || !strings.Contains(said, "no space left on device") {
			t.Errorf("the watch failed: %s", said)
		}
	default:
		t.Errorf("the watch ended with %d: %s", code, said)
	}
	if strings.Contains(said, "panic") {
		t.Errorf("the watch fell over: %s", said)
	}
	s.full = false
	s.again()
}

// again starts the next watch.
func (s *soak) again() {
	s.said += fmt.Sprintf("%s(exit code %d)\n", s.watching.text(), s.watching.cmd.ProcessState.ExitCode())
	s.check(os.WriteFile(s.desk.clock, nil, 0o600)) // no client whose clock is wrong from the start is understood
	s.signIn()
	s.start()
}

// signIn signs in the accounts that are out.
func (s *soak) signIn() {
	t := s.desk.t
	code, said := s.desk.try("", "account", "list", "--json")
	if code != exitFine {
		t.Fatalf("account list: %s", said)
	}
	for line := range strings.Lines(said) {
		for label, phone := range map[string]string{"main": firstPhone, "second": secondPhone} {
			if strings.Contains(line, `"label":"`+label+`"`) && strings.Contains(line, store.AccountSignedOut) {
				s.login(label, phone)
			}
		}
	}
	if s.watching.cmd.ProcessState.ExitCode() == exitLogin { // none was left to move the sources to
		s.login("main", firstPhone)
		s.login("second", secondPhone)
	}
}

// login signs in, past the faults that wait for the calls of it.
func (s *soak) login(label, phone string) {
	var said string
	for range 20 {
		var code int
		if code, said = s.desk.try(phone+"\n12345\n", "account", "login", "--account", label); code == exitFine {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	s.desk.t.Fatalf("account %s cannot sign in: %s", label, said)
}

// calm ends all faults, and has every account sign in and its sources come back.
func (s *soak) calm() {
	s.desk.dc.Calm()
	select {
	case <-s.watching.ended:
	default:
		s.desk.signal(s.watching)
	}
	for range 5 {
		s.again()
		for strings.Count(s.watching.text(), "Watching.") < 2 {
			select {
			case <-s.watching.ended: // an account was out, and nobody had noticed
			case <-time.After(20 * time.Millisecond):
				continue
			}
			break
		}
		select {
		case <-s.watching.ended:
		default:
			return
		}
	}
	s.desk.t.Fatalf("the watch does not go on: %s", s.watching.text())
}
