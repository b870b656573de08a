package scanner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/fixtures/telegram"
	"prahari/scanner"
)

// said lists what the versions of a message say, "leak" or "clean", oldest first.
func (b *bench) said(s evidence.Source, id int64) []string {
	b.t.Helper()
	kept, err := b.db.Versions(b.t.Context(), s.ID, id)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, e := range kept {
		if len(e.Findings) > 0 {
			out = append(out, "leak")
		} else {
			out = append(out, "clean")
		}
	}
	return out
}

func (b *bench) states(s evidence.Source, id int64) []string {
	b.t.Helper()
	seen, err := b.db.Sightings(b.t.Context(), s.ID, id)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, one := range seen {
		out = append(out, one.State)
	}
	return out
}

// An edit or a deletion comes by push while the page that shows the message as it
// was before is under way: both are kept, in their order, once.
func TestEditsThatOvertakeAPage(t *testing.T) {
	const overtaken = 232 // the second record of the scene
	for name, tc := range map[string]struct {
		change func(b *bench) error
		said   []string
		states []string
	}{
		"edited to nothing": {func(b *bench) error { return b.dc.Edit("leaks", overtaken, "nothing to see") }, []string{"leak", "clean"}, nil},
		"edited to another": {func(b *bench) error { return b.dc.Edit("leaks", overtaken, post(b.t, 50).Text) }, []string{"leak", "leak"}, nil},
		"deleted":           {func(b *bench) error { return b.dc.Delete("leaks", overtaken) }, []string{"leak"}, []string{"deleted"}},
		"edited, edited, gone": {func(b *bench) error {
			for _, text := range []string{"nothing to see", post(b.t, 51).Text} {
				if err := b.dc.Edit("leaks", overtaken, text); err != nil {
					return err
				}
			}
			return b.dc.Delete("leaks", overtaken)
		}, []string{"leak", "clean", "leak"}, []string{"deleted"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.signIn()
			source := b.add("@leaks", true)
			b.dc.Inject(telegram.Fault{Method: "messages.getHistory", Skip: 2, Hold: func() {
				if err := tc.change(b); err != nil {
					t.Error(err)
				}
				// What is pushed after it and kept says that the change was handled.
				id, err := b.dc.Post("leaks", post(t, 60))
				if err != nil {
					t.Error(err)
				}
				for deadline := time.Now().Add(time.Minute); !slices.Contains(b.ids(source), int64(id)); time.Sleep(5 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Error("the push was never kept")
						return
					}
				}
				leaks := 0 // that came by push; the page's is one more
				for _, version := range tc.said[1:] {
					if version == "leak" {
						leaks++
					}
				}
				if got := b.said(source, overtaken); len(got) > leaks {
					t.Errorf("the page was not overtaken: %q is there already", got)
				}
			}})
			stop := b.watch(b.scanner(), source)
			b.wait(scanner.CaughtUp, 1)
			b.until("the versions "+strings.Join(tc.said, ", "), func() bool {
				return slices.Equal(b.said(source, overtaken), tc.said) && slices.Equal(b.states(source, overtaken), tc.states)
			})
			b.agree(source)
			b.ended(stop)
		})
	}
}

// Edits that no difference tells are on the newest page still, or on the page below
// what is new: a loss and a start read both again, and the gap says what else there
// may have been.
func TestEditsThatNoDifferenceTells(t *testing.T) {
	for name, tc := range map[string]struct {
		while bool // the watch goes on
		posts int  // new ones meanwhile
	}{
		"while watching":                             {true, 0},
		"while nobody watched":                       {false, 0},
		"while nobody watched, behind many new ones": {false, 130},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.signIn()
			source := b.add("@leaks", true)
			stop := b.watch(b.scanner(), source)
			b.wait(scanner.Watching, 1)
			last := b.posts("leaks", 70, 71, 72)
			b.until("the pushes", func() bool { return slices.Contains(b.ids(source), last) })
			if tc.while {
				b.dc.LosePushes(1000)
			} else {
				b.ended(stop)
			}
			for _, err := range []error{b.dc.Edit("leaks", int(last)-1, "nothing to see"), b.dc.Edit("leaks", int(last), post(t, 80).Text)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			b.posts("leaks", make([]int, tc.posts)...)
			b.dc.ForgetDifferences("leaks")
			if tc.while {
				b.dc.Calm()
				b.dc.PushTooLong("leaks")
			} else {
				stop = b.watch(b.scanner(), source)
			}
			b.until("both edits", func() bool {
				return slices.Equal(b.said(source, last-1), []string{"leak", "clean"}) && slices.Equal(b.said(source, last), []string{"leak", "leak"})
			})
			b.agree(source)
			gaps, err := b.db.Gaps(t.Context(), source.ID)
			if err != nil || len(gaps) == 0 {
				t.Fatalf("no gap on the ledger, %v", err)
			}
			for _, g := range gaps {
				_, since, _ := strings.Cut(g.Reason, ", since ")
				since, _, _ = strings.Cut(since, ";")
				at, err := time.Parse(time.RFC3339, since)
				if err != nil || at.After(g.At) || !strings.Contains(g.Reason, "of messages up to ") {
					t.Errorf("the gap does not say which edits may be missing, and since when: %q (%v)", g.Reason, err)
				}
			}
			b.ended(stop)
		})
	}
}
