package triage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"prahari/evidence"
	"prahari/triage"
)

// desk is a small working store: it decides, adds and takes back.
type desk struct {
	rows  []triage.Row
	acts  []evidence.TriageAction
	prior [][]triage.Row
}

func newDesk(n int) *desk {
	d := &desk{}
	for i := range n {
		d.rows = append(d.rows, triage.Row{
			ID: fmt.Sprintf("f-%02d", i), Source: []string{"@leaks", "@shop"}[i%2], Severity: evidence.High, Rule: "cowin-reply", Decision: evidence.Triage,
			Text: fmt.Sprintf("Name: R**** %d\nMobile: XXXXXX%04d", i, i),
		})
	}
	return d
}

func (d *desk) config() triage.Config {
	return triage.Config{
		List: func(_ context.Context, f triage.Filter) (out []triage.Row, err error) {
			for _, r := range d.rows {
				want := map[triage.Show]bool{
					triage.Undecided: r.Decision == evidence.Triage, triage.Confirmed: r.Decision == evidence.Confirmed,
					triage.False: r.Decision == evidence.FalsePositive, triage.All: true,
				}
				if want[f.Show] && (f.Source == "" || f.Source == r.Source) && (f.Severity != evidence.Critical) {
					out = append(out, r)
				}
			}
			return out, nil
		},
		Detail: func(_ context.Context, id string) (string, error) {
			return "Vaccination record of " + id + "\nbecause of reasons\n\nName: R****\nMobile: XXXXXX1234\n\x1b[2J" + strings.Repeat("long line ", 60), nil
		},
		Do: func(_ context.Context, a evidence.TriageAction) (evidence.TriageAction, error) {
			if a.Kind == evidence.TriageSuppress && a.Everywhere {
				return a, errors.New("this text has no form of its own")
			}
			d.prior = append(d.prior, slices.Clone(d.rows))
			for i, r := range d.rows {
				if slices.Contains(a.Findings, r.ID) {
					d.rows[i].Decision = map[evidence.TriageKind]evidence.Decision{evidence.TriageConfirm: evidence.Confirmed, evidence.TriageAdd: r.Decision}[a.Kind]
					if d.rows[i].Decision == "" {
						d.rows[i].Decision = evidence.FalsePositive
					}
					a.Changed++
				}
			}
			d.acts = append(d.acts, a)
			return a, nil
		},
		Undo: func(context.Context) (evidence.TriageAction, error) {
			if len(d.acts) == 0 {
				return evidence.TriageAction{}, errors.New("there is nothing to undo")
			}
			last := len(d.acts) - 1
			a := d.acts[last]
			d.acts, d.rows, d.prior = d.acts[:last], d.prior[last], d.prior[:last]
			return a, nil
		},
		Case: func(_ context.Context, name string, _ []string) (string, error) { return "CASE0001", nil },
		Check: func(text string) error {
			if strings.Contains(text, "98765") {
				return errors.New("this holds an identifier")
			}
			return nil
		},
		Out: io.Discard,
	}
}

// press sends keys: a rune each, or a name in <>.
func press(t *testing.T, m tea.Model, keys string) tea.Model {
	t.Helper()
	named := map[string]tea.KeyType{"enter": tea.KeyEnter, "esc": tea.KeyEsc, "down": tea.KeyDown, "up": tea.KeyUp, "end": tea.KeyEnd, "pgdown": tea.KeyPgDown}
	for keys != "" {
		msg := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(keys[:1])}
		if keys[0] == ' ' {
			msg = tea.KeyMsg{Type: tea.KeySpace, Runes: []rune(" ")}
		}
		rest := keys[1:]
		if name, after, ok := strings.Cut(strings.TrimPrefix(keys, "<"), ">"); ok && keys[0] == '<' {
			msg, rest = tea.KeyMsg{Type: named[name]}, after
		}
		m, _ = m.Update(msg)
		fits(t, m)
		keys = rest
	}
	return m
}

// fits checks that a view has no more lines or columns than the terminal.
func fits(t *testing.T, m tea.Model) {
	t.Helper()
	lines := strings.Split(m.View(), "\n")
	if len(lines) != 24 {
		t.Fatalf("%d lines of 24:\n%s", len(lines), m.View())
	}
	for _, l := range lines {
		if w := ansi.StringWidth(l); w > 80 {
			t.Fatalf("a line of %d columns: %q", w, l)
		}
		if strings.Contains(l, "\x1b[2J") {
			t.Fatal("a text steers the terminal")
		}
	}
}

func open(t *testing.T, d *desk) tea.Model {
	t.Helper()
	m, err := triage.New(t.Context(), d.config())
	if err != nil {
		t.Fatal(err)
	}
	at, _ := m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	fits(t, at)
	return at
}

func TestActs(t *testing.T) {
	for _, tc := range []struct {
		name, keys string
		want       string // kind, findings, case, reason of each act
		says       string
	}{
		{"confirm the first", "c", "confirm f-00", "1 finding confirmed; u takes it back"},
		{"the cursor stays, the list moves up", "jcc", "confirm f-01; confirm f-02", ""},
		{"bulk", " j c", "confirm f-00 f-02", "2 findings confirmed"},
		{"all that the search lets through", "/shop<enter>af", "false positive f-01 f-03 f-05 f-07 f-09", "5 findings marked"},
		{"only this source", "oac", "confirm f-00 f-02 f-04 f-06 f-08", ""},
		{"suppress asks why", "snews quotes<enter>", "suppress f-00 news quotes", "suppressed by"},
		{"suppress with no reason", "s<enter>", "", "nothing was done"},
		{"suppress given up", "snews<esc>", "", ""},
		{"a reason with an identifier", "s9876543210<enter>", "", "holds an identifier"},
		{"everywhere is refused", "Snews<enter>", "", "! this text has no form"},
		{"add to a case", "+1<enter>", "add f-00 CASE0001", "1 finding added to CASE0001"},
		{"undo", "cu", "", "taken back: 1 finding confirmed"},
		{"undo with nothing done", "u", "", "nothing to undo"},
		{"nothing there", "vvvc", "", "nothing here"},
		{"through the lists and back", "cddddd", "confirm f-00", ""},
		{"what was confirmed is looked at again", "cdf", "confirm f-00; false positive f-00", ""},
		{"last of all", "<end>c", "confirm f-09", ""},
		{"typed letters are no commands", "/cuq<enter>", "", ""},
	} {
		d := newDesk(10)
		m := press(t, open(t, d), tc.keys)
		var got []string
		for _, a := range d.acts {
			got = append(got, strings.TrimSpace(strings.Join([]string{string(a.Kind), strings.Join(a.Findings, " "), a.CaseID, a.Reason}, " ")))
		}
		for i, g := range got {
			got[i] = strings.Join(strings.Fields(g), " ")
		}
		if strings.Join(got, "; ") != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
		if !strings.Contains(m.View(), tc.says) {
			t.Errorf("%s: the view does not say %q:\n%s", tc.name, tc.says, m.View())
		}
	}
}

// What is typed fast comes as one message and is taken key by key; what is
// pasted is no command.
func TestTypedFastAndPasted(t *testing.T) {
	d := newDesk(10)
	m := open(t, d)
	m, _ = m.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("jcsnews")})
	m = press(t, m, "<enter>")
	if len(d.acts) != 2 || d.acts[0].Kind != evidence.TriageConfirm || d.acts[1].Reason != "news" {
		t.Errorf("acts %v", d.acts)
	}
	m, _ = m.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("cfc"), Paste: true})
	if len(d.acts) != 2 || !strings.Contains(m.View(), "no command") {
		t.Errorf("what was pasted acted: %v", d.acts)
	}
}

func TestViews(t *testing.T) {
	d := newDesk(40)
	m := open(t, d)
	for _, want := range []string{"triage  1/40  undecided", ">  - high", "Vaccination record of f-00", "because of reasons", "Mobile: [XXXXXX1234]", "c confirm  f false positive  s suppress  + case  u undo  space pick  ? help  q"} {
		if !strings.Contains(m.View(), want) {
			t.Errorf("the view has no %q:\n%s", want, m.View())
		}
	}
	if strings.Contains(m.View(), "\x1b") {
		t.Error("there is colour, or more, without colour")
	}
	m = press(t, m, "<end>")
	if !strings.Contains(m.View(), "40/40") || !strings.Contains(m.View(), "record of f-39") {
		t.Errorf("the end is not shown:\n%s", m.View())
	}
	if m = press(t, m, "?"); !strings.Contains(m.View(), "suppress it in every source") {
		t.Errorf("no help:\n%s", m.View())
	}
	m = press(t, m, "<esc><enter><pgdown>")
	if strings.Count(m.View(), "high") > 1 {
		t.Errorf("the whole text shares the screen:\n%s", m.View())
	}
	for _, size := range []tea.WindowSizeMsg{{Width: 20, Height: 8}, {Width: 3, Height: 1}, {Width: 200, Height: 60}} {
		m, _ = m.Update(size)
		if lines := strings.Count(m.View(), "\n") + 1; lines != max(8, size.Height) {
			t.Errorf("%d lines on %v", lines, size)
		}
	}
	empty := open(t, newDesk(0))
	if !strings.Contains(press(t, empty, "cjk <enter>").View(), "Nothing to look at") {
		t.Error("an empty list says nothing")
	}
	if _, err := triage.New(t.Context(), triage.Config{}); err == nil {
		t.Error("a view of nothing is made")
	}
}

func TestColour(t *testing.T) {
	c := newDesk(3).config()
	c.Colour = true
	m, err := triage.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(m.View(), "\x1b[7m>") || !strings.Contains(m.View(), "mXXXXXX1234\x1b[") {
		t.Errorf("cursor or value is not marked: %q", m.View())
	}
}
