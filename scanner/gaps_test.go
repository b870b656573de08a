package scanner_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tg"

	"prahari/evidence"
	"prahari/fixtures/telegram"
	"prahari/scanner"
)

// newer is what a data centre of a newer layer might send for a message.
func newer([]byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, 0xfeedbee5), bytes.Repeat([]byte{7, 0, 0, 0}, 9)...)
}

// newerInside keeps the message and makes its media unknown.
func newerInside(encoded []byte) []byte {
	id := binary.LittleEndian.AppendUint32(nil, tg.MessageMediaDocumentTypeID)
	at := bytes.Index(encoded, id)
	if at < 0 {
		panic("the message has no document")
	}
	out := bytes.Clone(encoded)
	binary.LittleEndian.PutUint32(out[at:], 0xfeedbee6)
	return out
}

// gapsOf lists the gaps of a source, as "lo-hi reason".
func (b *bench) gapsOf(s evidence.Source) []string {
	b.t.Helper()
	gaps, err := b.db.Gaps(b.t.Context(), s.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, g := range gaps {
		reason, _, _ := strings.Cut(g.Reason, ";")
		reason, _, _ = strings.Cut(reason, ":")
		out = append(out, fmt.Sprintf("%d-%d %s", g.Lo, g.Hi, reason))
	}
	return out
}

// missing lists the ids up to the newest that no range covers.
func (b *bench) missing(s evidence.Source, top int64) []evidence.Range {
	b.t.Helper()
	observed, err := b.db.Coverage(b.t.Context(), s.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	var ranges []evidence.Range
	for _, o := range observed {
		ranges = append(ranges, o.Range)
	}
	return evidence.Missing(evidence.Range{Lo: 1, Hi: top}, evidence.Merge(ranges))
}

// meddle changes the database behind the store's back.
func (b *bench) meddle(statement string) {
	b.t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(b.dir, "prahari.db"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	r, err := db.Exec(statement)
	if err != nil {
		b.t.Fatal(err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		b.t.Fatalf("%q changed %d rows, %v", statement, n, err)
	}
}

func (b *bench) posts(channel string, people ...int) (last int64) {
	b.t.Helper()
	for _, n := range people {
		m := post(b.t, n)
		if n == 0 {
			m = telegram.Message{Text: "fine weather"}
		}
		id, err := b.dc.Post(channel, m)
		if err != nil {
			b.t.Fatal(err)
		}
		last = int64(id)
	}
	return last
}

func (b *bench) ended(stop func() error) {
	b.t.Helper()
	if err := stop(); !errors.Is(err, context.Canceled) {
		b.t.Fatalf("ended with %v", err)
	}
}

// Every way in which the update manager says that it lost its place becomes a gap
// on the ledger, and the messages are read.
func TestEveryGapCallbackIsAGapAndABackfill(t *testing.T) {
	for name, tc := range map[string]struct {
		between func(b *bench) // what happens while nobody watches
		after   func(b *bench) // what happens while somebody does
		bot     bool
		want    string
	}{
		"channel difference too long": {
			between: func(b *bench) { b.posts("leaks", 101, 0, 102); b.dc.ForgetDifferences("leaks") },
			want:    "236-238 Telegram's difference was too long to be told",
		},
		"pushed: channel too long": {
			after: func(b *bench) {
				b.dc.LosePushes(103)
				b.posts("leaks", 101)
				b.posts("leaks", make([]int, 101)...)
				b.posts("leaks", 102)
				b.dc.PushTooLong("leaks")
			},
			want: "236-338 Telegram's difference was too long to be told",
		},
		"channel inaccessible": {
			between: func(b *bench) {
				b.posts("leaks", 101, 0, 102)
				b.dc.Inject(telegram.Fault{Method: "updates.getChannelDifference", Error: "CHANNEL_PRIVATE"})
			},
			want: "236-238 Telegram gave no access to the source",
		},
		"account's difference too long": {
			bot: true,
			between: func(b *bench) {
				b.replies(101, 102)
				b.dc.ForgetDialogDifferences(phone)
			},
			want: "4-5 Telegram's difference of the account's dialogs was too long to be told",
		},
		"account's state is not there": {
			bot:     true,
			between: func(b *bench) { b.replies(101, 102); b.meddle("DELETE FROM update_state") },
			want:    "4-5 the account's place in its updates was not known any more",
		},
		"channel's state has no access hash": {
			between: func(b *bench) { b.posts("leaks", 101, 0, 102); b.meddle("UPDATE channel_state SET access_hash = 0") },
			want:    "236-238 the place in the channel's updates was not known any more",
		},
		"channel's state is not there": {
			between: func(b *bench) { b.posts("leaks", 101, 0, 102); b.meddle("DELETE FROM channel_state") },
			want:    "236-238 the place in the channel's updates was not known any more",
		},
		"nothing new, but edits may be lost": {
			between: func(b *bench) { b.meddle("DELETE FROM channel_state") },
			want:    "1-235 the place in the channel's updates was not known any more",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.signIn()
			var source evidence.Source
			if source = b.add("@leaks", true); tc.bot {
				source = b.add("@lookup_bot", false)
			}
			stop := b.watch(b.scanner(), source)
			b.wait(scanner.Watching, 1)
			// One that is pushed.
			if tc.bot {
				b.replies(100)
			} else {
				b.posts("leaks", 0)
			}
			b.until("the push", func() bool { return b.covered(source) })
			b.ended(stop)
			if tc.between != nil {
				tc.between(b)
			}
			stop = b.watch(b.scanner(), source)
			b.wait(scanner.Watching, 2)
			if tc.after != nil {
				tc.after(b)
			}
			b.until("the gap "+tc.want, func() bool { return slices.Contains(b.gapsOf(source), tc.want) })
			b.until("the messages", func() bool { return b.covered(source) })
			before := len(b.ids(source))
			if tc.bot {
				b.replies(103)
			} else {
				b.posts("leaks", 103)
			}
			b.until("what comes after it", func() bool { return len(b.ids(source)) == before+1 })
			b.ended(stop)
			if got := b.gapsOf(source); len(got) != 1 {
				t.Errorf("gaps are %q", got)
			}
			if want := b.leaked(source); !slices.Equal(b.ids(source), want) {
				t.Errorf("findings in %v, want %v", b.ids(source), want)
			}
		})
	}
}

// The push that closes a gap leaves another one behind it, and nothing more is
// pushed: what waits there is asked for.
func TestAPushBehindTwoGapsIsNotForgotten(t *testing.T) {
	b := newBench(t)
	b.signIn()
	source := b.add("@leaks", true)
	stop := b.watch(b.scanner(), source)
	b.wait(scanner.Watching, 1)
	b.dc.HoldPushes()
	last := b.posts("leaks", 101, 102, 103, 104)
	for _, n := range []int{1, 3, 0} { // and 2 never
		if err := b.dc.ReleasePush(n); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Millisecond)
	}
	b.until("the last post", func() bool { return slices.Contains(b.ids(source), last) })
	b.until("those before it", func() bool { return slices.Equal(b.ids(source), b.leaked(source)) })
	b.ended(stop)
}

// Of a bot that is new to an account whose updates were lost before, nothing is.
func TestALossBeforeASourceIsNoGapOfIt(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks, bot := b.add("@leaks", true), b.add("@lookup_bot", false)
	stop := b.watch(b.scanner(), leaks)
	b.wait(scanner.Watching, 1)
	b.ended(stop)
	b.replies(101, 102)
	b.dc.ForgetDialogDifferences(phone)
	stop = b.watch(b.scanner(), leaks, bot)
	b.wait(scanner.Watching, 2)
	b.replies(103)
	b.until("the replies", func() bool { return len(b.ids(bot)) == 4 })
	b.ended(stop)
	if got := b.gapsOf(bot); len(got) != 0 {
		t.Errorf("gaps are %q", got)
	}
}

// An account comes back to a channel that it joined, that another one read
// meanwhile by looking, and of which it was never told anything: what it was to be
// told since it joined is a gap, and not only what nobody has read.
func TestAGapBeginsWhereUpdatesBegan(t *testing.T) {
	b := newBench(t)
	b.signIn()
	source := b.add("@leaks", true)
	began := time.Now().UTC().Format(time.RFC3339)
	stop := b.watch(b.scanner(), source)
	b.wait(scanner.Watching, 1)
	b.ended(stop)
	seen := evidence.Range{Lo: 235, Hi: b.posts("leaks", 101, 0, 0)}
	looked := evidence.Observed{SourceID: source.ID, Range: seen, How: evidence.Poll, Account: "second", At: time.Now().Add(time.Hour).UTC()}
	if _, err := b.db.Commit(t.Context(), evidence.Batch{Actor: "analyst:a1", Observed: []evidence.Observed{looked}}); err != nil {
		t.Fatal(err)
	}
	b.posts("leaks", 0, 0)
	b.dc.ForgetDifferences("leaks")
	stop = b.watch(b.scanner(), source)
	b.wait(scanner.Watching, 2)
	const want = "235-239 Telegram's difference was too long to be told"
	b.until("the gap", func() bool { return slices.Contains(b.gapsOf(source), want) })
	b.ended(stop)
	gaps, err := b.db.Gaps(t.Context(), source.ID)
	if err != nil || len(gaps) != 1 {
		t.Fatalf("gaps are %+v, %v", gaps, err)
	}
	if _, since, _ := strings.Cut(gaps[0].Reason, "since "); since < began || since > looked.At.Format(time.RFC3339) {
		t.Errorf("edits may be missing since %s, not since a time from %s on: %s", since, began, gaps[0].Reason)
	}
}

func (b *bench) replies(people ...int) {
	b.t.Helper()
	for _, n := range people {
		if _, err := b.dc.SendFromBot("lookup_bot", phone, post(b.t, n)); err != nil {
			b.t.Fatal(err)
		}
	}
}

// leaked lists the messages of a source that leak something.
func (b *bench) leaked(s evidence.Source) []int64 {
	var ids []int64
	for _, m := range b.history(s) {
		if strings.HasPrefix(m.Text, "Name: ") {
			ids = append(ids, int64(m.ID))
		}
	}
	return ids
}

// A first watch has no place in the updates and has lost nothing.
func TestAFirstWatchHasNoGaps(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks, bot := b.add("@leaks", true), b.add("@lookup_bot", false)
	stop := b.watch(b.scanner(), leaks, bot)
	b.wait(scanner.Watching, 1)
	b.ended(stop)
	if got := append(b.gapsOf(leaks), b.gapsOf(bot)...); len(got) != 0 {
		t.Errorf("gaps are %q", got)
	}
}

const newerGap = "Telegram sent it in a form that this build does not know"

// What a newer data centre sends is a gap of exactly that message; all around it
// is read, by every way.
func TestMessagesOfANewerLayerAreGapsAndTheRestIsRead(t *testing.T) {
	document := telegram.Message{Text: "see the file", Document: &telegram.Document{Name: "a.csv", MIME: "text/csv", Text: "x"}}
	raw := func(b *bench, change func([]byte) []byte) int64 {
		id, err := b.dc.PostRaw("leaks", document, change)
		if err != nil {
			b.t.Fatal(err)
		}
		return int64(id)
	}
	check := func(b *bench, s evidence.Source, unreadable ...int64) {
		b.t.Helper()
		top := unreadable[len(unreadable)-1]
		for _, id := range b.leaked(s) {
			top = max(top, id)
		}
		b.until("the rest is read", func() bool { return slices.Equal(b.ids(s), b.leaked(s)) })
		var ranges []evidence.Range
		for _, id := range unreadable {
			ranges = append(ranges, evidence.Range{Lo: id, Hi: id})
		}
		ranges = evidence.Merge(ranges)
		b.until("all else is covered", func() bool { return slices.Equal(b.missing(s, top), ranges) })
		for _, id := range unreadable {
			if want := fmt.Sprintf("%d-%d %s", id, id, newerGap); !slices.Contains(b.gapsOf(s), want) {
				t.Errorf("no gap %s in %q", want, b.gapsOf(s))
			}
		}
	}
	t.Run("history", func(t *testing.T) {
		b := newBench(t)
		b.signIn()
		leaks := b.add("@leaks", false)
		first := raw(b, newer)
		b.posts("leaks", 101, 0, 0)
		second, third := raw(b, newerInside), raw(b, newer)
		b.posts("leaks", make([]int, 120)...)
		b.posts("leaks", 102)
		last := raw(b, newer) // the newest
		b.backfill(leaks)
		check(b, leaks, first, second, third, last)
		gaps := b.gapsOf(leaks)
		b.backfill(leaks) // tries again, and says nothing new
		if got := b.gapsOf(leaks); !slices.Equal(got, gaps) {
			t.Errorf("gaps became %q", got)
		}
	})
	t.Run("pushes", func(t *testing.T) {
		b := newBench(t)
		b.signIn()
		leaks := b.add("@leaks", true)
		s := b.scanner()
		stop := b.watch(s, leaks)
		b.wait(scanner.Watching, 1)
		b.posts("leaks", 101)
		first := raw(b, newer)
		b.posts("leaks", 102)
		b.until("the post after it", func() bool { return len(b.ids(leaks)) == 4 })
		second := raw(b, newerInside)
		b.posts("leaks", 103)
		check(b, leaks, first, second)
		if n := s.Stats().Unreadable; n != 2 {
			t.Errorf("%d unreadable messages counted", n)
		}
		b.ended(stop)
	})
	t.Run("polls", func(t *testing.T) {
		b := newBench(t)
		b.signIn()
		leaks := b.add("@leaks", false)
		stop := b.watch(b.scanner(), leaks)
		b.wait(scanner.Watching, 1)
		first := raw(b, newer)
		b.until("the gap", func() bool { return len(b.gapsOf(leaks)) == 1 })
		b.posts("leaks", 101)
		b.until("the post after it", func() bool { return len(b.ids(leaks)) == 3 })
		if err := b.dc.Edit("leaks", 234, post(t, 104).Text); err != nil { // before the one that cannot be read
			t.Fatal(err)
		}
		second := raw(b, newerInside)
		b.posts("leaks", 102)
		check(b, leaks, first, second)
		b.ended(stop)
	})
	t.Run("a dialog's difference", func(t *testing.T) {
		b := newBench(t)
		b.signIn()
		bot := b.add("@lookup_bot", false)
		stop := b.watch(b.scanner(), bot)
		b.wait(scanner.Watching, 1)
		b.ended(stop)
		b.replies(101)
		b.dc.Inject(telegram.Fault{Method: "updates.getDifference", Answer: newer(nil)})
		stop = b.watch(b.scanner(), bot)
		b.until("the reply", func() bool { return len(b.ids(bot)) == 2 && len(b.gapsOf(bot)) == 1 })
		b.replies(102)
		b.until("the reply after it", func() bool { return len(b.ids(bot)) == 3 })
		b.ended(stop)
	})
}

// Bytes that no client writes stop nothing, and what is left of them is printable.
func TestHostileMessagesStopNothing(t *testing.T) {
	b := newBench(t)
	b.signIn()
	leaks := b.add("@leaks", true)
	hostile := func(change func(*tg.Message)) {
		_, err := b.dc.PostRaw("leaks", post(t, 300), func(encoded []byte) []byte {
			var m tg.Message
			if err := m.Decode(&bin.Buffer{Buf: encoded}); err != nil {
				t.Error(err)
			}
			change(&m)
			m.SetFlags()
			var out bin.Buffer
			if err := m.Encode(&out); err != nil {
				t.Error(err)
			}
			return out.Buf
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	all := func() {
		hostile(func(m *tg.Message) { m.ID = -5 })
		hostile(func(m *tg.Message) { m.Date, m.EditDate = -1<<31, 1<<31-1 })
		hostile(func(m *tg.Message) { m.Date = 1<<31 - 1 })
		hostile(func(m *tg.Message) { m.Message = strings.Repeat(m.Message+"\n", 9000) })
		hostile(func(m *tg.Message) {
			m.Message += "\xff\xfe \x1b[2J\x1b]0;owned\a \u202e"
			m.PostAuthor = "\x1b[31m9812345678"
		})
		hostile(func(m *tg.Message) {
			m.PeerID, m.FromID = &tg.PeerUser{UserID: -7}, &tg.PeerChannel{ChannelID: -1 << 63}
		})
	}
	all() // in the history
	stop := b.watch(b.scanner(), leaks)
	b.wait(scanner.Watching, 1)
	all() // pushed
	last := b.posts("leaks", 101)
	b.until("the post after them", func() bool { return slices.Contains(b.ids(leaks), last) })
	b.ended(stop)
	b.mu.Lock()
	for _, e := range b.events {
		if strings.ContainsAny(e.Detail+e.Source.Title, "\x1b\a") {
			t.Errorf("an event would steer a terminal: %q", e.Detail)
		}
	}
	b.mu.Unlock()
	if b.count(scanner.Unreadable) == 0 {
		t.Error("nobody was told of the message with a negative id")
	}
	for _, id := range b.ids(leaks) {
		versions, err := b.db.Versions(t.Context(), leaks.ID, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range versions {
			if id < 1 || strings.ContainsAny(v.Masked+v.Collection.Context.PostAuthor, "\x1b\a\u202e") || strings.Contains(v.Collection.Context.PostAuthor, "9812345678") {
				t.Errorf("message %d would steer a terminal, or shows what it must not", id)
			}
		}
	}
	// Around the one with the negative id all are there: two in the scene, 235 to 240 but for one, and so on.
	if got := len(b.ids(leaks)); got < 2+4+1 {
		t.Errorf("%d messages with findings: %v", got, b.ids(leaks))
	}
}
