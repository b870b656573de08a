package scanner_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/fixtures/telegram"
	"prahari/scanner"
)

// What a bot answers to a canary takes the way of any message: an answer in
// several, an album, a file, buttons, a later edit, one that is taken back.
func TestAProbeCollectsUntilTheBotIsQuiet(t *testing.T) {
	b := newBench(t)
	b.signIn()
	bot := b.add("@lookup_bot", false)
	b.backfill(bot)
	known := len(b.dc.Dialog(phone, "lookup_bot"))
	type ending struct {
		replies int
		err     error
	}
	ended := make(chan ending, 1)
	go func() {
		n, err := b.probe(bot)
		ended <- ending{n, err}
	}()
	b.until("the canary", func() bool { return len(b.dc.Dialog(phone, "lookup_bot")) == known+1 })
	answer := func(m telegram.Message) int {
		t.Helper()
		time.Sleep(100 * time.Millisecond) // not quiet yet
		id, err := b.dc.SendFromBot("lookup_bot", phone, m)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	wait := answer(dcMessage("searching …"))
	withFile := post(t, 71)
	withFile.Album, withFile.Document = 5, &telegram.Document{Name: "result.txt", MIME: "text/plain", Text: "nothing"}
	file := answer(withFile)
	second := post(t, 72)
	second.Album = 5
	album := answer(second)
	third := post(t, 73)
	record := third.Text
	third.Text, third.Buttons = "see below", []telegram.Button{{Text: strings.ReplaceAll(record, "\n", ", "), URL: "https://t.me/data_shop"}}
	buttons := answer(third)
	taken := answer(post(t, 74))
	b.until("the message that will be taken back", func() bool {
		versions, err := b.db.Versions(t.Context(), bot.ID, int64(taken))
		return err == nil && len(versions) == 1
	})
	edited := post(t, 75)
	if err := b.dc.ChangeDialog(phone, wait, edited.Text); err != nil {
		t.Fatal(err)
	}
	if err := b.dc.ChangeDialog(phone, taken, ""); err != nil {
		t.Fatal(err)
	}
	got := <-ended
	if got.err != nil || got.replies != 5 {
		t.Fatalf("%d replies, %v", got.replies, got.err)
	}
	for name, id := range map[string]int{"edited": wait, "file": file, "album": album, "buttons": buttons, "taken back": taken} {
		versions, err := b.db.Versions(t.Context(), bot.ID, int64(id))
		if err != nil || len(versions) != 1 || len(versions[0].Findings) == 0 {
			t.Errorf("%s: %d versions, %v", name, len(versions), err)
			continue
		}
		if r := versions[0].Collection.Request; !strings.HasPrefix(r, "P-0007; messages.getHistory") {
			t.Errorf("%s: collected by %q", name, r)
		}
	}
	seen, err := b.db.Sightings(t.Context(), bot.ID, int64(taken))
	if err != nil || len(seen) != 1 || seen[0].State != "deleted" {
		t.Errorf("taken back: %+v, %v", seen, err)
	}
	if !b.covered(bot) {
		t.Error("the dialog has a hole")
	}
	sent := 0
	for _, m := range b.dc.Dialog(phone, "lookup_bot") {
		if m.Text == "9812345678" {
			sent++
		}
	}
	if sent != 1 || b.dc.Calls()["messages.sendMessage"] != 1 {
		t.Errorf("the canary was sent %d times", sent)
	}
}

// That nothing was sent is said where it is certain, and nowhere else.
func TestAProbeSaysWhetherNothingWasSent(t *testing.T) {
	refused := telegram.Fault{Method: "messages.sendMessage", Error: "YOU_BLOCKED_USER"}
	for name, tc := range map[string]struct {
		faults []telegram.Fault
		gone   bool // the session is
		unsent bool
	}{
		"signed out":               {gone: true, unsent: true},
		"no answer before":         {faults: []telegram.Fault{{Method: "messages.getHistory", Error: "CHANNEL_PRIVATE"}}, unsent: true},
		"refused":                  {faults: []telegram.Fault{refused}, unsent: true},
		"rests":                    {faults: []telegram.Fault{{Method: "messages.sendMessage", Error: "PEER_FLOOD"}}, unsent: true},
		"put off, then refused":    {faults: []telegram.Fault{{Method: "messages.sendMessage", Error: "FLOOD_WAIT_1"}, refused}, unsent: true},
		"the server has a fault":   {faults: []telegram.Fault{{Method: "messages.sendMessage", Error: "INTERNAL", Code: 500}}},
		"sent before":              {faults: []telegram.Fault{{Method: "messages.sendMessage", Error: "RANDOM_ID_DUPLICATE"}}},
		"not answered":             {faults: []telegram.Fault{{Method: "messages.sendMessage", Drop: true}, refused}},
		"the answer cannot be had": {faults: []telegram.Fault{{Method: "messages.getHistory", Skip: 1, Error: "CHANNEL_PRIVATE"}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.signIn()
			bot := b.add("@lookup_bot", false)
			b.backfill(bot)
			if tc.gone {
				b.dc.RevokeSessions(phone)
			}
			for _, f := range tc.faults {
				b.dc.Inject(f)
			}
			if _, err := b.probe(bot); err == nil || errors.Is(err, scanner.ErrUnsent) != tc.unsent {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The scanner checks again what the caller checked: nothing goes out for a canary
// or an authorisation that does not hold.
func TestAProbeThatNobodyAllowedSendsNothing(t *testing.T) {
	b := newBench(t)
	b.signIn()
	bot := b.add("@lookup_bot", false)
	later := time.Now().Add(time.Hour)
	good := scanner.ProbeOptions{
		Bot: bot, Value: "9812345678", Settle: 100 * time.Millisecond,
		Canary: evidence.Canary{ID: "C-0001", Kind: evidence.Mobile, Basis: evidence.Synthetic, Scope: []string{"lookup_bot"}, ExpiresAt: later},
		Authorisation: evidence.Authorisation{
			ID: "A-0001", Method: "messages.sendMessage", Source: bot.ID, Canary: "C-0001", AddedBy: "analyst:a", ApprovedBy: "analyst:b", ApprovedAt: time.Now(), ExpiresAt: later,
		},
	}
	for name, change := range map[string]func(*scanner.ProbeOptions){
		"canary expired":          func(o *scanner.ProbeOptions) { o.Canary.ExpiresAt = time.Now() },
		"canary withdrawn":        func(o *scanner.ProbeOptions) { o.Canary.WithdrawnAt = time.Now() },
		"for another bot":         func(o *scanner.ProbeOptions) { o.Canary.Scope = []string{"other_bot"} },
		"a made-up Aadhaar":       func(o *scanner.ProbeOptions) { o.Canary.Kind = evidence.Aadhaar },
		"authorisation expired":   func(o *scanner.ProbeOptions) { o.Authorisation.ExpiresAt = time.Now() },
		"not approved":            func(o *scanner.ProbeOptions) { o.Authorisation.ApprovedAt = time.Time{} },
		"approved by the same":    func(o *scanner.ProbeOptions) { o.Authorisation.ApprovedBy = "Analyst:A" },
		"revoked":                 func(o *scanner.ProbeOptions) { o.Authorisation.RevokedAt = time.Now() },
		"of another canary":       func(o *scanner.ProbeOptions) { o.Authorisation.Canary = "C-0002" },
		"of another method":       func(o *scanner.ProbeOptions) { o.Authorisation.Method = "channels.joinChannel" },
		"of another source":       func(o *scanner.ProbeOptions) { o.Authorisation.Source = "bot-1" },
		"to a channel":            func(o *scanner.ProbeOptions) { o.Bot.Kind = evidence.Channel },
		"with nothing to be sent": func(o *scanner.ProbeOptions) { o.Value = "" },
	} {
		o := good
		change(&o)
		if _, err := b.scanner().Probe(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if n := b.dc.Calls()["messages.sendMessage"]; n != 0 {
		t.Errorf("%d messages were sent", n)
	}
	if _, err := b.scanner().Probe(t.Context(), good); err != nil || b.dc.Calls()["messages.sendMessage"] != 1 {
		t.Errorf("the one that holds: %v", err)
	}
}

// What a dry run names is what is called, beside what connecting takes.
func TestCallsAreNamed(t *testing.T) {
	b := newBench(t)
	b.signIn()
	s := b.scanner()
	for what, tc := range map[string]struct {
		named func(string) ([]string, error)
		call  func(string) error
	}{
		"leaks":       {scanner.DiscoverCalls, func(q string) error { _, err := s.Discover(t.Context(), q); return err }},
		"#leaks":      {scanner.DiscoverCalls, func(q string) error { _, err := s.Discover(t.Context(), q); return err }},
		"@leaks":      {scanner.DiscoverCalls, func(q string) error { _, err := s.Discover(t.Context(), q); return err }},
		"@lookup_bot": {scanner.ProfileCalls, func(ref string) error { _, err := s.Profile(t.Context(), ref); return err }},
	} {
		named, err := tc.named(what)
		if err != nil {
			t.Fatal(err)
		}
		before := b.dc.Calls()
		if err := tc.call(what); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		var called []string
		for method, n := range b.dc.Calls() {
			if n > before[method] && !slices.Contains([]string{"help.getConfig", "users.getUsers"}, method) {
				called = append(called, method)
			}
		}
		if slices.Sort(called); !slices.Equal(called, slices.Sorted(slices.Values(named))) {
			t.Errorf("%s: named %q, called %q", what, named, called)
		}
	}
}
