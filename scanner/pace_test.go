package scanner_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/fixtures/telegram"
	"prahari/scanner"
)

// canary is what a probe sends here, to a bot that answers it.
func (b *bench) probe(bot evidence.Source, change ...func(*scanner.Config)) (int, error) {
	b.t.Helper()
	expires := time.Now().Add(time.Hour)
	return b.scanner(change...).Probe(b.t.Context(), scanner.ProbeOptions{
		Bot: bot, Value: "9812345678", Note: "P-0007", Settle: time.Second,
		Canary: evidence.Canary{ID: "C-0001", Kind: evidence.Mobile, Basis: evidence.Synthetic, Scope: []string{bot.Username}, ExpiresAt: expires},
		Authorisation: evidence.Authorisation{
			ID: "A-0001", Method: "messages.sendMessage", Source: bot.ID, Canary: "C-0001", AddedBy: "analyst:a", ApprovedBy: "analyst:b",
			ApprovedAt: time.Now(), ExpiresAt: expires,
		},
	})
}

func TestSlowModeIsObeyedAndTheMessageGoesOutOnce(t *testing.T) {
	b := newBench(t)
	b.signIn()
	bot := b.add("@lookup_bot", false)
	b.dc.Inject(telegram.Fault{Method: "messages.sendMessage", Error: "SLOWMODE_WAIT_1"})
	began := time.Now()
	if _, err := b.probe(bot); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for _, m := range b.dc.Dialog(phone, "lookup_bot") {
		if m.Text == "9812345678" {
			sent++
		}
	}
	if sent != 1 || b.count(scanner.Waiting) != 1 || time.Since(began) < time.Second {
		t.Errorf("sent %d times after %d waits in %s", sent, b.count(scanner.Waiting), time.Since(began))
	}
}

// After PEER_FLOOD the account writes nothing, in this run and in the next; reading
// goes on.
func TestPeerFloodRestsAllWritingOfTheAccount(t *testing.T) {
	b := newBench(t)
	b.signIn()
	bot := b.add("@lookup_bot", false)
	b.dc.Inject(telegram.Fault{Method: "messages.sendMessage", Error: "PEER_FLOOD"})
	_, err := b.probe(bot)
	if !errors.Is(err, scanner.ErrFloodWait) || !strings.Contains(err.Error(), "PEER_FLOOD") || !strings.Contains(err.Error(), "account main") {
		t.Fatalf("got %v", err)
	}
	b.mu.Lock()
	var told []evidence.Wait
	for _, e := range b.events {
		if e.Kind == scanner.Resting {
			told = append(told, e.Until)
		}
	}
	b.mu.Unlock()
	if len(told) != 1 || told[0].Method != evidence.AnyWrite || time.Until(told[0].Until) < 23*time.Hour {
		t.Fatalf("told of %+v", told)
	}
	if err := b.db.PutWait(t.Context(), told[0]); err != nil {
		t.Fatal(err)
	}
	kept, err := b.db.Waits(t.Context(), "main", time.Now())
	if err != nil || len(kept) != 1 || kept[0].Method != evidence.AnyWrite {
		t.Fatalf("kept %+v, %v", kept, err)
	}
	before := b.dc.Calls()
	next := b.scanner(func(c *scanner.Config) { c.Waits = kept })
	leaks, err := next.Resolve(t.Context(), "@leaks")
	if err != nil {
		t.Fatalf("reading does not go on: %v", err)
	}
	if _, err := next.Join(t.Context(), leaks, evidence.Authorisation{ID: "A-1", Method: "channels.joinChannel", Source: leaks.ID}); !errors.Is(err, scanner.ErrFloodWait) {
		t.Errorf("joining: %v", err)
	}
	after := b.dc.Calls()
	if after["channels.joinChannel"] != 0 || after["messages.sendMessage"] != before["messages.sendMessage"] {
		t.Errorf("calls reached the server: %v", after)
	}
	if later, err := b.db.Waits(t.Context(), "main", time.Now().Add(25*time.Hour)); err != nil || len(later) != 0 {
		t.Errorf("it rests for ever: %+v, %v", later, err)
	}
}

// A wait is its method's and its account's: others go on meanwhile.
func TestAWaitHoldsUpNoOtherMethodAndNoOtherAccount(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks := b.add("@leaks", false)
	waits := []evidence.Wait{{Account: "main", Method: "messages.getHistory", Until: time.Now().Add(time.Hour), Reason: "FLOOD_WAIT"}}
	resting := b.scanner(func(c *scanner.Config) { c.Waits = waits })
	if _, err := resting.Resolve(t.Context(), "@news"); err != nil {
		t.Errorf("another method: %v", err)
	}
	before := b.dc.Calls()["messages.getHistory"]
	err := resting.Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{leaks}, BackfillOnly: true})
	if !errors.Is(err, scanner.ErrFloodWait) || b.dc.Calls()["messages.getHistory"] != before {
		t.Errorf("the method itself: %v", err)
	}
	if s := resting.Stats(); len(s.Waits) != 1 || s.Pace.MaxWait != 10*time.Minute || s.Pace.Rest != 24*time.Hour {
		t.Errorf("stats show %+v, %+v", s.Waits, s.Pace)
	}
	b.backfill(leaks) // by a scanner that nothing was asked of
}

func TestHostileWaits(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks := b.add("@leaks", false)
	for _, text := range []string{"FLOOD_WAIT_9223372036854775807", "FLOOD_WAIT_99999999999999999999", "FLOOD_PREMIUM_WAIT_4000"} {
		b.dc.Inject(telegram.Fault{Method: "messages.getHistory", Error: text, Code: 420})
		err := b.scanner().Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{leaks}, BackfillOnly: true})
		if err == nil {
			t.Errorf("%s: no error", text)
		}
		t.Logf("%s: %v", text, err)
	}
	b.dc.Inject(telegram.Fault{Method: "messages.getHistory", Error: "FLOOD_WAIT_0", Code: 420})
	b.backfill(leaks)
}
