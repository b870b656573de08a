package scanner_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/scanner"
)

// changesOf lists what became of a source, as "kind was -> now".
func (b *bench) changesOf(s evidence.Source) []string {
	b.t.Helper()
	changes, err := b.db.Changes(b.t.Context(), s.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, c := range changes {
		if c.At.IsZero() || c.Account != "main" {
			b.t.Errorf("%+v has no time or account", c)
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s -> %s", c.Kind, c.Was, c.Now)))
	}
	return out
}

// What becomes of a source is told apart, by its immutable id, whether its posts
// are pushed or polled.
func TestWhatBecomesOfASourceIsToldApart(t *testing.T) {
	const other = `
  - {username: other, title: Other, messages: [{text: hi}]}
`
	news := func(b *bench) evidence.Source {
		b.t.Helper()
		s, err := b.scanner().Resolve(b.t.Context(), "@news")
		if err != nil {
			b.t.Fatal(err)
		}
		return s
	}
	for name, tc := range map[string]struct {
		happens func(b *bench, s evidence.Source) error
		joined  []string // changes where it was joined
		polled  []string // changes where it was not
		detail  string   // in the last of them
		lost    bool     // nothing can be read any more
		back    func(b *bench, s evidence.Source) error
	}{
		"another title": {
			happens: func(b *bench, _ evidence.Source) error {
				return b.dc.SetTitle("leaks", "Fresh \x1b[31m leaks 9812345678")
			},
			joined: []string{"renamed Leaks \ufffd[31m of XXXXXXXXXX -> Fresh \ufffd[31m leaks XXXXXXXXXX"},
		},
		"another name": {
			happens: func(b *bench, _ evidence.Source) error { return b.dc.SetUsername("leaks", "leaks_two") },
			joined:  []string{"username @leaks -> @leaks_two"},
		},
		"marked": {
			happens: func(b *bench, _ evidence.Source) error { return b.dc.MarkScam("leaks") },
			joined:  []string{"marked  -> scam"},
		},
		"restricted": {
			happens: func(b *bench, _ evidence.Source) error { return b.dc.Restrict("leaks", "This channel broke the law") },
			joined:  []string{"restricted  ->"}, detail: "This channel broke the law (terms, all)",
		},
		"private": {
			happens: func(b *bench, _ evidence.Source) error { return b.dc.SetUsername("leaks", "") },
			joined:  []string{"private @leaks ->"}, // a member reads on
			lost:    false,
		},
		"private, and we are no member": {
			happens: func(b *bench, _ evidence.Source) error { return b.dc.SetUsername("leaks", "") },
			polled:  []string{"private @leaks ->"}, detail: "CHANNEL_PRIVATE, and its name is free", lost: true,
			back: func(b *bench, s evidence.Source) error { return b.dc.Readmit(s.PeerID, "leaks") },
		},
		"its name handed to another": {
			happens: func(b *bench, _ evidence.Source) error { return b.dc.HandOver("leaks", "news") },
			polled:  []string{"username_taken @leaks -> NEWS", "private  ->"}, lost: true,
		},
		"its name handed to another, and we are a member": {
			happens: func(b *bench, _ evidence.Source) error { return b.dc.HandOver("leaks", "news") },
			joined:  []string{"private @leaks ->", "username_taken @leaks -> NEWS"},
		},
		"deleted": {
			happens: func(b *bench, _ evidence.Source) error { return b.dc.DeleteChannel("leaks") },
			joined:  []string{"banned  ->", "deleted @leaks ->"},
			polled:  []string{"deleted @leaks ->"}, detail: "its id names nothing any more", lost: true,
		},
		"we were removed": {
			happens: func(b *bench, _ evidence.Source) error { return b.dc.Kick("leaks", phone, false) },
			joined:  []string{"removed  ->"}, // and it is read without joining
		},
		"we were removed from what is private": {
			happens: func(b *bench, _ evidence.Source) error {
				return errors.Join(b.dc.SetUsername("leaks", ""), b.dc.KickFrom(b.source().PeerID, phone, false))
			},
			joined: []string{"private @leaks ->", "removed  ->"}, lost: true,
			back: func(b *bench, s evidence.Source) error { return b.dc.Readmit(s.PeerID, "leaks") },
		},
		"we were banned": {
			happens: func(b *bench, _ evidence.Source) error { return b.dc.Kick("leaks", phone, true) },
			joined:  []string{"banned  ->"}, polled: []string{"banned  ->"}, detail: "forbidden to it", lost: true,
			back: func(b *bench, s evidence.Source) error { return b.dc.Readmit(s.PeerID, "leaks") },
		},
	} {
		ways := map[bool][]string{true: tc.joined, false: tc.polled}
		if !tc.lost && tc.polled == nil {
			ways[false] = tc.joined // all is told along with the messages
		}
		if strings.HasPrefix(name, "private") || name == "we were removed" || strings.HasPrefix(name, "its name") {
			ways[false] = tc.polled
		}
		for joined, want := range ways {
			if want == nil {
				continue
			}
			t.Run(fmt.Sprintf("%s, joined %v", name, joined), func(t *testing.T) {
				b := newBenchOf(t, strings.Replace(scene, "\nbots:", other+"bots:", 1))
				b.signIn()
				leaks := b.add("@leaks", joined)
				b.watchedSource = leaks
				newsID := news(b).ID
				stop := b.watch(b.scanner(), leaks)
				b.wait(scanner.Watching, 1)
				if err := tc.happens(b, leaks); err != nil {
					t.Fatal(err)
				}
				if joined && !tc.lost {
					if _, err := b.dc.PostTo(leaks.PeerID, post(t, 7)); err != nil {
						t.Fatal(err)
					}
				}
				for i := range want {
					want[i] = strings.ReplaceAll(want[i], "NEWS", newsID)
				}
				b.untilNone(func() []string {
					if got := b.changesOf(leaks); !slices.Equal(got, want) {
						return append(got[:min(len(got), 9)], "instead of", fmt.Sprint(want))
					}
					return nil
				})
				changes, err := b.db.Changes(t.Context(), leaks.ID)
				if err != nil {
					t.Fatal(err)
				}
				if last := changes[len(changes)-1]; !strings.Contains(last.Says(), tc.detail) {
					t.Errorf("it says %q, want %q in it", last.Says(), tc.detail)
				}
				if tc.lost {
					b.until("an open gap", func() bool {
						return slices.ContainsFunc(b.gapsOf(leaks), func(g string) bool { return strings.Contains(g, "-0 Telegram gave no access") })
					})
				} else {
					b.until("the watch goes on", func() bool { return b.covered(leaks) })
				}
				if tc.back != nil {
					id, err := b.dc.PostTo(leaks.PeerID, post(t, 8))
					if err != nil {
						t.Fatal(err)
					}
					if err := tc.back(b, leaks); err != nil {
						t.Fatal(err)
					}
					b.until("what was posted meanwhile", func() bool { return slices.Contains(b.ids(leaks), int64(id)) })
					b.until("a closed gap", func() bool {
						return slices.ContainsFunc(b.gapsOf(leaks), func(g string) bool {
							return strings.HasPrefix(g, fmt.Sprintf("%d-%d ", id, id)) || strings.Contains(g, fmt.Sprintf("-%d Telegram gave no access", id))
						})
					})
					if b.count(scanner.Regained) == 0 {
						t.Error("nobody was told that it can be read again")
					}
				}
				b.ended(stop)
				if n := b.count(scanner.Changed); n < len(want) {
					t.Errorf("%d changes told, want %d", n, len(want))
				}
				// A second watch finds nothing new.
				if tc.back == nil {
					before := b.changesOf(leaks)
					again, err := b.db.Source(t.Context(), leaks.ID)
					if err != nil {
						t.Fatal(err)
					}
					if err := b.scanner().Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{again}, BackfillOnly: true}); err != nil {
						t.Fatal(err)
					}
					if after := b.changesOf(leaks); !slices.Equal(after, before) {
						t.Errorf("changes became %q", after)
					}
				}
				if entries, err := b.db.Custody(t.Context(), 0); err != nil || !slices.ContainsFunc(entries, func(e evidence.Entry) bool {
					return e.Object == leaks.ID && e.Action == "source."+string(changes[0].Kind)
				}) {
					t.Errorf("the custody log says nothing of it, %v", err)
				}
			})
		}
	}
}

// source returns what the test watches.
func (b *bench) source() evidence.Source { return b.watchedSource }

// A name that was looked up is kept, with id and access hash: it is not looked up
// again, but where it is another's now.
func TestNoNameIsLookedUpTwice(t *testing.T) {
	b := newBench(t)
	b.signIn()
	lookups := func() int { return b.dc.Calls()["contacts.resolveUsername"] }
	for _, ref := range []string{"@leaks", "https://t.me/LEAKS/3", "@lookup_bot", "@leaks", "t.me/lookup_bot"} {
		if _, err := b.scanner().Resolve(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	if n := lookups(); n != 2 {
		t.Errorf("two names were looked up %d times", n)
	}
	first, err := b.scanner().Resolve(t.Context(), "@leaks")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.dc.HandOver("leaks", "news"); err != nil {
		t.Fatal(err)
	}
	second, err := b.scanner().Resolve(t.Context(), "@leaks")
	if err != nil || second.ID == first.ID || lookups() != 3 {
		t.Errorf("after the name passed on it is %s (was %s), %v, %d look-ups", second.ID, first.ID, err, lookups())
	}
	usage, err := b.db.Usage(t.Context(), "main")
	if err != nil || usage.Lookups != 3 {
		t.Errorf("usage is %+v, %v", usage, err)
	}
	// Another account has keys of its own.
	if p, ok, err := b.db.Peer(t.Context(), "second", "leaks"); ok || err != nil {
		t.Errorf("the other account has %+v, %v", p, err)
	}
}

func TestLookupsEndAtTheLimit(t *testing.T) {
	b := newBench(t)
	b.signIn()
	s := b.scanner(func(c *scanner.Config) { c.LookupsPerDay = 2 })
	for _, ref := range []string{"@leaks", "@nobody_here"} {
		_, _ = s.Resolve(t.Context(), ref)
	}
	_, err := s.Resolve(t.Context(), "@news")
	if !errors.Is(err, scanner.ErrLimit) || !strings.Contains(err.Error(), "raise limits.username_lookups") || !strings.Contains(err.Error(), time.Now().Add(24*time.Hour).UTC().Format("2006-01-02")) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Resolve(t.Context(), "@leaks"); err != nil {
		t.Errorf("a name that is known: %v", err)
	}
	if n := b.dc.Calls()["contacts.resolveUsername"]; n != 2 {
		t.Errorf("%d look-ups reached the server", n)
	}
}

func TestLimitsSayHowSureTheyAre(t *testing.T) {
	limits, err := scanner.Limits(map[string]int{scanner.JoinedChannels: 7})
	if err != nil || len(limits) < 2 {
		t.Fatalf("%v, %v", limits, err)
	}
	for _, l := range limits {
		if l.Source == "" || l.Confidence == "" || l.VerifiedOn == "" || l.Value < 1 || l.Premium < l.Value {
			t.Errorf("%+v", l)
		}
		if l.ID == scanner.UsernameLookups && (l.Confidence != "folklore" || !strings.Contains(l.Note, "unconfirmed")) {
			t.Errorf("the limit of look-ups passes for more than it is: %+v", l)
		}
		if l.ID == scanner.JoinedChannels && (l.Of(true) != 7 || l.Confidence != "set by you") {
			t.Errorf("%+v", l)
		}
	}
	for _, set := range []map[string]int{{"no_such": 1}, {scanner.JoinedChannels: 0}} {
		if _, err := scanner.Limits(set); err == nil {
			t.Errorf("%v was taken", set)
		}
	}
}

// Deletions are events with their time, of messages that leak nothing too.
func TestEveryDeletionIsAnEvent(t *testing.T) {
	for _, joined := range []bool{true, false} {
		t.Run(fmt.Sprintf("joined %v", joined), func(t *testing.T) {
			b := newBench(t)
			b.signIn()
			leaks := b.add("@leaks", joined)
			stop := b.watch(b.scanner(), leaks)
			b.wait(scanner.Watching, 1)
			b.posts("leaks", 0, 0, 0, 9)
			b.until("the posts", func() bool { return b.covered(leaks) && len(b.ids(leaks)) == 3 })
			time.Sleep(200 * time.Millisecond) // a look at all of them
			began := time.Now().Add(-time.Second)
			if err := b.dc.Delete("leaks", 235, 236, 238); err != nil {
				t.Fatal(err)
			}
			b.until("the deletions", func() bool {
				deletions, err := b.db.Deletions(t.Context(), leaks.ID)
				if err != nil {
					t.Fatal(err)
				}
				seen, err := b.db.Sightings(t.Context(), leaks.ID, 238)
				if err != nil {
					t.Fatal(err)
				}
				return len(deletions) == 2 && deletions[0].Range == evidence.Range{Lo: 235, Hi: 236} && deletions[1].Range == evidence.Range{Lo: 238, Hi: 238} &&
					deletions[0].At.After(began) && len(seen) == 1
			})
			b.ended(stop)
		})
	}
}

// A supergroup tells from which basic group it came, once however often it is read.
func TestAMigrationIsRecordedOnce(t *testing.T) {
	b := newBenchOf(t, strings.Replace(scene, "messages: [{text: hello}]", "messages: [{migrated: 77}, {text: hello}]", 1))
	b.signIn()
	group := b.add("@chatter", false)
	stop := b.watch(b.scanner(), group)
	b.wait(scanner.Watching, 1)
	b.until("the migration", func() bool { return slices.Equal(b.changesOf(group), []string{"migrated chat-77 -> " + group.ID}) })
	b.ended(stop)
	stop = b.watch(b.scanner(), group) // looks at the same page again
	b.wait(scanner.Watching, 2)
	b.posts("chatter", 5)
	b.until("a post after it", func() bool { return len(b.ids(group)) == 1 })
	b.ended(stop)
	entries, err := b.db.Custody(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if e.Action == "source.migrated" {
			n++
		}
	}
	if got := b.changesOf(group); len(got) != 1 || n != 1 {
		t.Errorf("changes %q, %d custody entries", got, n)
	}
}
