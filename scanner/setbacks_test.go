package scanner_test

import (
	"strings"
	"testing"

	"prahari/evidence"
	"prahari/fixtures/telegram"
	"prahari/scanner"
)

// An error that is about one source, and of a kind that nobody wrote code for, is a
// gap of that source; the source is asked for again.
func TestARefusalOfOneSourceDoesNotStopTheOthers(t *testing.T) {
	for _, refusal := range []telegram.Fault{
		{Error: "CHANNEL_MONOFORUM_UNSUPPORTED", Code: 400},
		{Error: "CHAT_ADMIN_REQUIRED", Code: 400},
		{Error: "INPUT_USER_DEACTIVATED", Code: 400},
	} {
		t.Run(refusal.Error, func(t *testing.T) {
			b := newBench(t)
			b.signIn()
			leaks, news := b.add("@leaks", false), b.add("@news", false)
			refusal.Method = "messages.getHistory"
			b.dc.Inject(refusal)
			stop := b.watch(b.scanner(), leaks, news)
			b.wait(scanner.Inaccessible, 1)
			b.wait(scanner.Regained, 1)
			b.until("both histories", func() bool { return b.covered(leaks) && b.covered(news) })
			told := append(b.gapsOf(leaks), b.gapsOf(news)...)
			if len(told) == 0 || !strings.Contains(strings.Join(told, "\n"), refusal.Error) {
				t.Errorf("the gap is not told: %q", told)
			}
			b.ended(stop)
		})
	}
}

// A page on which nothing can be read stands where messages were seen before.
func TestAWholePageOfANewerLayerStopsNothing(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks := b.add("@leaks", false)
	stop := b.watch(b.scanner(), leaks)
	b.wait(scanner.Watching, 1)
	b.posts("leaks", 101)
	b.until("the post", func() bool { return len(b.ids(leaks)) == 3 })
	for range 100 {
		if _, err := b.dc.PostRaw("leaks", telegram.Message{Text: "x"}, newer); err != nil {
			t.Fatal(err)
		}
	}
	b.until("a gap for each", func() bool { return len(b.gapsOf(leaks)) >= 100 })
	b.posts("leaks", 102)
	b.until("the post after them", func() bool { return len(b.ids(leaks)) == 4 })
	b.ended(stop)
}

// What is recorded already is found again by a look and by a later watch, and is
// not told again.
func TestAFindingIsToldOnce(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks := b.add("@leaks", false)
	for range 2 {
		s := b.scanner()
		stop := b.watch(s, leaks)
		b.wait(scanner.Watching, 1)
		b.until("some looks", func() bool { return s.Stats().Messages[evidence.Poll] > 0 })
		b.ended(stop)
	}
	if told, kept := b.count(scanner.Found), len(b.ids(leaks)); told != kept {
		t.Errorf("%d findings were told of, %d are kept", told, kept)
	}
}

// The dialog that another account has with a bot has messages and ids of its own.
func TestABotReadThroughAnotherAccountIsReadFromItsBeginning(t *testing.T) {
	b := newBench(t)
	b.signIn()
	bot := b.add("@lookup_bot", false)
	b.replies(101, 102)
	b.backfill(bot)
	bot.Account = "second"
	if err := b.scanner(func(c *scanner.Config) { c.Account = "second" }).Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{bot}, BackfillOnly: true}); err != nil {
		t.Fatal(err)
	}
	observed, err := b.db.Coverage(t.Context(), bot.ID)
	if err != nil {
		t.Fatal(err)
	}
	var main, second evidence.Observed
	for _, o := range observed {
		if o.Account == "second" {
			second = o
		} else {
			main = o
		}
	}
	if second.Range != main.Range {
		t.Errorf("the second account read %+v, the first %+v", second.Range, main.Range)
	}
}
