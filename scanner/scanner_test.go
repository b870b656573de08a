package scanner_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"prahari/evidence"
	"prahari/fixtures"
	"prahari/fixtures/telegram"
	"prahari/scanner"
	"prahari/store"
)

const (
	phone = "+15550100001"
	leak  = "Name: {{(person %d).Name}}\nMobile: {{(person %d).Mobile}}\nAadhaar: {{spaced (person %d).Aadhaar}}\nVaccine: {{(person %d).Vaccine}}"
)

const scene = `
dcs: 2
users:
  - {phone: "+15550100001", first: Ana}
  - {phone: "+15550100002", first: Bo, code: "54321", password: correct horse}
  - {phone: "+15550100003", first: Cy, banned: true}
channels:
  - username: leaks
    title: "Leaks \e[31m of 9812345678"
    about: all of it
    messages:
      - {text: "Name: {{(person 1).Name}}\nMobile: {{(person 1).Mobile}}\nAadhaar: {{(person 1).Aadhaar}}\nVaccine: COVAXIN"}
      - {generate: 230}
      - {text: "Name: {{(person 2).Name}}\nMobile: {{(person 2).Mobile}}\nAadhaar: {{(person 2).Aadhaar}}\nVaccine: COVAXIN"}
      - {service: true}
      - {text: "weather is fine"}
  - {username: news, title: News, messages: [{generate: 150}]}
  - {username: chatter, title: Chatter, megagroup: true, messages: [{text: hello}]}
  - {username: hidden, title: Hidden, private: true}
bots:
  - {username: lookup_bot, name: Lookup, about: finds people}
dialogs:
  - user: "+15550100001"
    bot: lookup_bot
    messages:
      - {text: /start, out: true}
      - {text: "Name: {{(person 3).Name}}\nMobile: {{(person 3).Mobile}}\nAadhaar: {{(person 3).Aadhaar}}\nDose 1: 12/05/2021"}
`

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	if os.Getenv(serverVariable) != "" {
		os.Exit(serve())
	}
	goleak.VerifyTestMain(m)
}

func TestLogin(t *testing.T) {
	b := newBench(t)
	for name, tc := range map[string]struct {
		prompts scanner.Prompts
		want    error
	}{
		"code":           {b.prompts(phone, ""), nil},
		"spaces in it":   {b.prompts("+1 555 010-0001", ""), nil},
		"password":       {b.prompts("+15550100002", "correct horse"), nil},
		"wrong password": {b.prompts("+15550100002", "wrong"), scanner.ErrWrongPassword},
		"unknown":        {b.prompts("+15559999999", ""), scanner.ErrPhoneUnknown},
		"banned":         {b.prompts("+15550100003", ""), scanner.ErrBanned},
		"wrong code": {scanner.Prompts{
			Phone: func(context.Context) (string, error) { return phone, nil },
			Code:  func(context.Context) (string, error) { return "00000", nil },
		}, scanner.ErrWrongCode},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s.json")
			user, err := b.scanner(func(c *scanner.Config) { c.SessionPath = path }).Login(t.Context(), tc.prompts)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if err == nil && (user.ID == 0 || !strings.HasPrefix(user.MaskedPhone, "XXXX")) {
				t.Errorf("user is %+v", user)
			}
			if info, err := os.Stat(path); err == nil && info.Mode().Perm() != 0o600 {
				t.Errorf("the session has mode %v", info.Mode())
			}
		})
	}
}

func TestLoginByQR(t *testing.T) {
	b := newBench(t)
	shown := 0
	user, err := b.scanner().Login(t.Context(), scanner.Prompts{QR: func(_ context.Context, link string) error {
		shown++
		token, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.TrimPrefix(link, "tg://login?token="), "="))
		if err != nil {
			return err
		}
		go func() {
			time.Sleep(100 * time.Millisecond) // the program begins to wait after it has shown the code
			if err := b.dc.AcceptLoginToken(token, phone); err != nil {
				t.Error(err)
			}
		}()
		return nil
	}})
	if err != nil || user.ID == 0 || shown != 1 {
		t.Fatalf("%+v, %v, shown %d times", user, err, shown)
	}
	again, err := b.scanner().Login(t.Context(), scanner.Prompts{})
	if err != nil || again != user {
		t.Errorf("the session is not kept: %+v, %v", again, err)
	}
}

func TestResolve(t *testing.T) {
	b := newBench(t)
	s := b.scanner()
	if _, err := s.Resolve(t.Context(), "@leaks"); !errors.Is(err, scanner.ErrSignedOut) {
		t.Fatalf("without a session: %v", err)
	}
	b.signIn()
	for ref, want := range map[string]string{
		"@leaks": "channel leaks public", "https://t.me/leaks/12": "channel leaks public", "t.me/s/leaks": "channel leaks public",
		"chatter": "group chatter public", "@lookup_bot": "bot lookup_bot bot_dialog", "tg://resolve?domain=news": "channel news public",
	} {
		source, err := s.Resolve(t.Context(), ref)
		if got := fmt.Sprintf("%s %s %s", source.Kind, source.Username, source.Access); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", ref, got, err, want)
		}
		if strings.ContainsAny(source.Title, "\x1b") || strings.Contains(source.Title, "9812345678") {
			t.Errorf("title %q shows what it must not", source.Title)
		}
	}
	for ref, want := range map[string]error{
		"@nobody_here": scanner.ErrSourceUnknown, "@hidden": scanner.ErrSourcePrivate, "https://t.me/+AbCdEf": scanner.ErrSourcePrivate,
		"t.me/c/123/4": scanner.ErrSourcePrivate,
	} {
		if _, err := s.Resolve(t.Context(), ref); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", ref, err, want)
		}
	}
	for _, ref := range []string{"", "@", "https://example.com/leaks", "a b", "@x\x1b[2J"} {
		if _, err := s.Resolve(t.Context(), ref); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: got %v", ref, err)
		}
	}
}

func TestJoinNeedsAnAuthorisationForThisSource(t *testing.T) {
	b := newBench(t)
	b.signIn()
	s := b.scanner()
	source, err := s.Resolve(t.Context(), "@leaks")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []evidence.Authorisation{
		{}, {ID: "A-1", Method: "channels.joinChannel", Source: "channel-1"}, {ID: "A-1", Method: "messages.sendMessage", Source: source.ID},
		{Method: "channels.joinChannel", Source: source.ID},
	} {
		if _, err := s.Join(t.Context(), source, a); !errors.Is(err, scanner.ErrNotAllowed) {
			t.Errorf("%+v: got %v", a, err)
		}
	}
	if n := b.dc.Calls()["channels.joinChannel"]; n != 0 {
		t.Errorf("%d calls reached the server", n)
	}
	if joined, err := s.Join(t.Context(), source, evidence.Authorisation{ID: "A-1", Method: "channels.joinChannel", Source: source.ID}); err != nil || joined.Access != evidence.Joined {
		t.Errorf("got %+v, %v", joined, err)
	}
	if s.Calls()["channels.joinChannel"] != 1 {
		t.Errorf("calls are %v", s.Calls())
	}
}

func TestBackfillReadsAllOnceAndNothingTwice(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks, news, bot := b.add("@leaks", false), b.add("@news", false), b.add("@lookup_bot", false)
	b.backfill(leaks, news, bot)
	if got := b.ids(leaks); !slices.Equal(got, []int64{1, 232}) {
		t.Errorf("leaks in messages %v", got)
	}
	if got := b.ids(news); got != nil {
		t.Errorf("news has findings in %v", got)
	}
	if got := b.ids(bot); len(got) != 1 {
		t.Errorf("the bot's dialog has findings in %v", got)
	}
	for _, s := range []evidence.Source{leaks, news, bot} {
		if !b.covered(s) {
			t.Errorf("%s is not covered", s.ID)
		}
	}
	before := b.dc.Calls()["messages.getHistory"]
	b.backfill(leaks, news, bot)
	if n := b.dc.Calls()["messages.getHistory"] - before; n != 3 {
		t.Errorf("%d more pages were read of what is known, want one look a source", n)
	}
	rows, err := b.db.Findings(t.Context(), store.Filter{SourceID: leaks.ID})
	if err != nil {
		t.Fatal(err)
	}
	_, e, err := b.db.Finding(t.Context(), rows[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if c := e.Collection; c.UserID == 0 || !strings.HasPrefix(c.Request, "messages.getHistory") || c.Clock.Source != "telegram server time" {
		t.Errorf("collection is %+v", c)
	}
}

// While the database is open its WAL holds what was written last: no identifier
// is in it, nor in the database, the session or anything else beside it.
func TestNothingPlainIsOnTheDisk(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks, bot := b.add("@leaks", false), b.add("@lookup_bot", false)
	b.backfill(leaks, bot)
	if len(b.ids(leaks)) != 2 || len(b.ids(bot)) != 1 {
		t.Fatal("nothing was recorded")
	}
	wal := false
	err := filepath.WalkDir(b.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		wal = wal || strings.HasSuffix(path, "-wal") && len(data) > 10_000
		for n := 1; n <= 3; n++ {
			p := fixtures.MakePerson(n)
			for _, secret := range []string{p.Name, p.Mobile, p.Aadhaar, p.Aadhaar[:4] + " " + p.Aadhaar[4:8], p.Mobile[5:] + "\n"} {
				if bytes.Contains(data, []byte(secret)) {
					t.Errorf("%s holds an identifier of person %d (%d bytes)", path, n, len(secret))
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !wal {
		t.Error("there was no WAL to look into")
	}
}

func TestWatchRecordsPostsEditsAndDeletions(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks, bot := b.add("@leaks", true), b.add("@lookup_bot", false)
	stop := b.watch(b.scanner(), leaks, bot)
	b.wait(scanner.Watching, 1)
	id, err := b.dc.Post("leaks", post(t, 10))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.dc.Edit("leaks", 234, post(t, 11).Text); err != nil {
		t.Fatal(err)
	}
	reply, err := b.dc.SendFromBot("lookup_bot", phone, post(t, 12))
	if err != nil {
		t.Fatal(err)
	}
	b.until("three more findings", func() bool { return len(b.ids(leaks)) == 4 && len(b.ids(bot)) == 2 })
	if got := b.ids(leaks); !slices.Equal(got, []int64{1, 232, 234, int64(id)}) {
		t.Errorf("leaks in messages %v, posted %d", got, id)
	}
	if !slices.Contains(b.ids(bot), int64(reply)) {
		t.Errorf("the bot's reply %d is not in %v", reply, b.ids(bot))
	}
	if err := b.dc.Edit("leaks", id, "nothing to see"); err != nil {
		t.Fatal(err)
	}
	if err := b.dc.Delete("leaks", id); err != nil {
		t.Fatal(err)
	}
	b.until("the edit and the deletion", func() bool {
		versions, err := b.db.Versions(t.Context(), leaks.ID, int64(id))
		if err != nil {
			t.Fatal(err)
		}
		seen, err := b.db.Sightings(t.Context(), leaks.ID, int64(id))
		if err != nil {
			t.Fatal(err)
		}
		return len(versions) == 2 && len(seen) == 1 && seen[0].State == "deleted"
	})
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if !b.covered(leaks) {
		t.Error("live messages left a hole in what was observed")
	}
}

func TestWatchPollsWhatItDidNotJoin(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks := b.add("@leaks", false)
	stop := b.watch(b.scanner(), leaks)
	b.wait(scanner.Watching, 1)
	for n := range 130 { // more than a page between two looks
		m := telegram.Message{Text: "fine weather"}
		if n == 3 || n == 120 {
			m = post(t, 20+n)
		}
		if _, err := b.dc.Post("leaks", m); err != nil {
			t.Fatal(err)
		}
	}
	b.until("both posts", func() bool { return len(b.ids(leaks)) == 4 })
	if err := b.dc.Edit("leaks", 360, post(t, 31).Text); err != nil {
		t.Fatal(err)
	}
	b.until("the edit", func() bool { return slices.Contains(b.ids(leaks), 360) })
	b.until("coverage", func() bool { return b.covered(leaks) })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestPollsKeepToTheAccountsBudget(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks, news := b.add("@leaks", false), b.add("@news", false)
	s := b.scanner(func(c *scanner.Config) {
		c.PollInterval, c.MaxPollInterval, c.PollsPerMinute = time.Millisecond, time.Millisecond, 120
	})
	stop := b.watch(s, leaks, news)
	b.wait(scanner.Watching, 1)
	before := s.Calls()["messages.getHistory"]
	time.Sleep(2 * time.Second)
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	// Two a second, and a burst of three.
	if n := s.Calls()["messages.getHistory"] - before; n < 3 || n > 9 {
		t.Errorf("%d looks in two seconds", n)
	}
}

func TestWatchRecoversWhatWasNotPushed(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks := b.add("@leaks", true)
	stop := b.watch(b.scanner(), leaks)
	b.wait(scanner.Watching, 1)
	b.dc.LosePushes(2)
	for n := range 3 {
		if _, err := b.dc.Post("leaks", post(t, 40+n)); err != nil {
			t.Fatal(err)
		}
	}
	b.until("the lost pushes", func() bool { return len(b.ids(leaks)) == 5 })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	// While nobody watches: a post, an edit of an old message, a deletion.
	if _, err := b.dc.Post("leaks", post(t, 50)); err != nil {
		t.Fatal(err)
	}
	if err := b.dc.Edit("leaks", 5, post(t, 51).Text); err != nil {
		t.Fatal(err)
	}
	if err := b.dc.Delete("leaks", 1); err != nil {
		t.Fatal(err)
	}
	stop = b.watch(b.scanner(), leaks)
	b.until("what happened meanwhile", func() bool {
		seen, err := b.db.Sightings(t.Context(), leaks.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		return len(b.ids(leaks)) == 7 && slices.Contains(b.ids(leaks), 5) && len(seen) == 1
	})
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestDifferenceTooLongIsAGapAndIsReadFromHistory(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks := b.add("@leaks", true)
	stop := b.watch(b.scanner(), leaks)
	b.wait(scanner.Watching, 1)
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for n := range 150 {
		m := telegram.Message{Text: "fine weather"}
		if n%50 == 7 {
			m = post(t, 60+n)
		}
		if _, err := b.dc.Post("leaks", m); err != nil {
			t.Fatal(err)
		}
	}
	b.dc.ForgetDifferences("leaks")
	stop = b.watch(b.scanner(), leaks)
	b.wait(scanner.Missed, 1)
	b.until("the missed posts", func() bool { return len(b.ids(leaks)) == 5 && b.covered(leaks) })
	gaps, err := b.db.Gaps(t.Context(), leaks.ID)
	if err != nil || len(gaps) != 1 || gaps[0].Range != (evidence.Range{Lo: 235, Hi: 384}) {
		t.Errorf("gaps are %+v, %v", gaps, err)
	}
	if _, err := b.dc.Post("leaks", post(t, 90)); err != nil {
		t.Fatal(err)
	}
	b.until("the post after it", func() bool { return len(b.ids(leaks)) == 6 && b.covered(leaks) })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestDialogDifferenceTooLongIsReadFromHistory(t *testing.T) {
	b := newBench(t)
	b.signIn()
	bot := b.add("@lookup_bot", false)
	stop := b.watch(b.scanner(), bot)
	b.wait(scanner.Watching, 1)
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for n := range 3 {
		if _, err := b.dc.SendFromBot("lookup_bot", phone, post(t, 90+n)); err != nil {
			t.Fatal(err)
		}
	}
	b.dc.ForgetDialogDifferences(phone)
	stop = b.watch(b.scanner(), bot)
	b.until("the missed replies", func() bool { return len(b.ids(bot)) == 4 && b.covered(bot) })
	if _, err := b.dc.SendFromBot("lookup_bot", phone, post(t, 99)); err != nil {
		t.Fatal(err)
	}
	b.until("the reply after it", func() bool { return len(b.ids(bot)) == 5 })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestFloodWaitIsHonouredAndShown(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks := b.add("@leaks", false)
	b.dc.Inject(telegram.Fault{Method: "messages.getHistory", Times: 2, Error: "FLOOD_WAIT_1", Code: 420})
	began := time.Now()
	b.backfill(leaks)
	if took := time.Since(began); b.count(scanner.Waiting) != 2 || took < 2*time.Second {
		t.Errorf("%d waits in %s", b.count(scanner.Waiting), took)
	}
	b.dc.Inject(telegram.Fault{Method: "messages.getHistory", Times: 1, Error: "FLOOD_WAIT_900", Code: 420})
	err := b.scanner(func(c *scanner.Config) { c.MaxFloodWait = time.Minute }).Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{leaks}, BackfillOnly: true})
	if !errors.Is(err, scanner.ErrFloodWait) || !strings.Contains(err.Error(), "15m0s") {
		t.Errorf("got %v", err)
	}
}

func TestDroppedConnectionsLoseNothing(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks := b.add("@leaks", true)
	stop := b.watch(b.scanner(), leaks)
	b.wait(scanner.Watching, 1)
	for n := range 5 {
		b.dc.DropConnections()
		if _, err := b.dc.Post("leaks", post(t, 70+n)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Millisecond)
	}
	b.until("posts over broken connections", func() bool { return len(b.ids(leaks)) == 7 })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if b.count(scanner.Disconnected) == 0 {
		t.Error("nobody was told of the broken connection")
	}
}

func TestRevokedSessionAndBanEndTheRun(t *testing.T) {
	for name, tc := range map[string]struct {
		end  func(*telegram.Server)
		want error
	}{
		"revoked": {func(s *telegram.Server) { s.RevokeSessions(phone) }, scanner.ErrSignedOut},
		"banned":  {func(s *telegram.Server) { s.Ban(phone) }, scanner.ErrBanned},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.signIn()
			leaks := b.add("@leaks", false)
			ended := make(chan error, 1)
			go func() { ended <- b.scanner().Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{leaks}}) }()
			b.wait(scanner.Watching, 1)
			tc.end(b.dc)
			select {
			case err := <-ended:
				if !errors.Is(err, tc.want) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the run went on")
			}
		})
	}
}

func TestASourceThatBecomesPrivateDoesNotStopTheOthers(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks, news := b.add("@leaks", false), b.add("@news", false)
	b.dc.Inject(telegram.Fault{Method: "messages.getHistory", Times: 1, Error: "CHANNEL_PRIVATE", Code: 400})
	b.backfill(leaks, news)
	if b.count(scanner.Inaccessible) != 1 || b.count(scanner.CaughtUp) != 1 {
		t.Errorf("%d inaccessible, %d read", b.count(scanner.Inaccessible), b.count(scanner.CaughtUp))
	}
}

// brokenKeeper fails every commit that holds evidence.
type brokenKeeper struct{ *store.DB }

var errDisk = errors.New("disk is full")

func (k brokenKeeper) Commit(ctx context.Context, b evidence.Batch) ([]evidence.Evidence, error) {
	if len(b.Evidence) > 0 {
		return nil, errDisk
	}
	return k.DB.Commit(ctx, b)
}

func TestAFailedWriteStopsTheRunAndNotTheState(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks := b.add("@leaks", true)
	b.backfill(leaks)
	ended := make(chan error, 1)
	broken := b.scanner(func(c *scanner.Config) { c.Keeper = brokenKeeper{b.db} })
	go func() { ended <- broken.Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{leaks}}) }()
	b.wait(scanner.Watching, 1)
	if _, err := b.dc.Post("leaks", post(t, 80)); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, errDisk) {
			t.Fatalf("ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the run went on")
	}
	stop := b.watch(b.scanner(), leaks)
	b.until("the post that could not be written", func() bool { return len(b.ids(leaks)) == 3 })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestNothingAnswers(t *testing.T) {
	b := newBench(t)
	s := b.scanner(func(c *scanner.Config) {
		c.Servers = []scanner.Server{{DC: 1, Address: "127.0.0.1:1"}}
		c.ConnectTimeout = 300 * time.Millisecond
	})
	if _, err := s.Login(t.Context(), b.prompts(phone, "")); !errors.Is(err, scanner.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}
