// Package triage is the full-screen view in which a person looks through
// findings and decides. It draws and takes keys; what it shows and does are
// functions that its caller gives it, so that it is tested without a workspace.
package triage

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/textinput"
	"github.com/charmbracelet/bubbles/viewport"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"prahari/evidence"
)

// A Row is a finding in the list. All of it is masked.
type Row struct {
	ID         string
	Source     string
	PostedAt   time.Time
	Severity   evidence.Severity
	Confidence float64
	Rule       string
	Records    int
	Text       string
	Decision   evidence.Decision
	Suppressed bool
}

// A Show says which findings are listed.
type Show string

// What is listed; the key d goes through them.
const (
	Undecided  Show = "undecided"
	Confirmed  Show = "confirmed"
	False      Show = "false positives"
	Suppressed Show = "suppressed"
	All        Show = "all"
)

// A Filter picks findings.
type Filter struct {
	Show     Show
	Severity evidence.Severity // this or worse; "": all
	Source   string            // "": all
}

// Config is what the view shows and does.
type Config struct {
	List   func(context.Context, Filter) ([]Row, error)                                     // required
	Detail func(ctx context.Context, id string) (string, error)                             // required; masked, many lines
	Do     func(context.Context, evidence.TriageAction) (evidence.TriageAction, error)      // required
	Undo   func(context.Context) (evidence.TriageAction, error)                             // required
	Check  func(text string) error                                                          // of what a person types; nil: all is fine
	Case   func(ctx context.Context, name string, findings []string) (id string, err error) // the case of that id, or a new one of that title; required
	Filter Filter
	Colour bool
	Out    io.Writer
}

// Run shows the view until the person leaves it.
func Run(ctx context.Context, c Config, in io.Reader) error {
	m, err := New(ctx, c)
	if err != nil {
		return err
	}
	_, err = tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(c.Out), tea.WithAltScreen()).Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// A Model is the view's state.
type Model struct {
	ctx    context.Context // bubbletea's Update takes none
	c      Config
	look   looks
	width  int
	height int

	rows     []Row
	matching []int // rows that the search lets through
	at       int   // in matching
	top      int   // of the part of the list that is shown
	chosen   map[string]bool
	search   string

	detail viewport.Model
	shown  string // the finding in detail
	whole  bool   // the detail has the whole screen
	help   bool

	input  textinput.Model
	asking asking
	say    string
	failed bool
}

// asking says what the line at the bottom is for.
type asking int

const (
	nothing asking = iota
	askSearch
	askCase
	askReason           // of a suppression in the source
	askReasonEverywhere // of one in all sources
)

// looks are the styles. Without colour, marks stand in for them.
type looks struct {
	title, cursor, dim, mark, bad lipgloss.Style
	colour                        bool
}

func newLooks(out io.Writer, colour bool) looks {
	r := lipgloss.NewRenderer(out)
	r.SetColorProfile(termenv.Ascii)
	if colour {
		r.SetColorProfile(termenv.ANSI) // the eight colours that every terminal has
	}
	return looks{
		title: r.NewStyle().Bold(true), cursor: r.NewStyle().Reverse(true), dim: r.NewStyle().Faint(true),
		mark: r.NewStyle().Bold(true).Foreground(lipgloss.Color("3")), bad: r.NewStyle().Foreground(lipgloss.Color("1")), colour: colour,
	}
}

// New makes the view of 80 by 24 until the terminal says its size.
func New(ctx context.Context, c Config) (*Model, error) {
	if c.List == nil || c.Detail == nil || c.Do == nil || c.Undo == nil || c.Case == nil {
		return nil, errors.New("triage: List, Detail, Do, Undo and Case are required")
	}
	if c.Filter.Show == "" {
		c.Filter.Show = Undecided
	}
	m := &Model{ctx: ctx, c: c, look: newLooks(c.Out, c.Colour), width: 80, height: 24, chosen: map[string]bool{}, input: textinput.New(), detail: viewport.New(80, 10)}
	m.input.CharLimit = 200
	if err := m.reload(); err != nil {
		return nil, err
	}
	return m, nil
}

// Init is bubbletea's.
func (m *Model) Init() tea.Cmd { return nil }

// reload reads the list again; the cursor stays at its place.
func (m *Model) reload() (err error) {
	if m.rows, err = m.c.List(m.ctx, m.c.Filter); err != nil {
		return err
	}
	there := map[string]bool{}
	for _, r := range m.rows {
		there[r.ID] = true
	}
	for id := range m.chosen {
		if !there[id] {
			delete(m.chosen, id)
		}
	}
	m.match()
	return nil
}

// match applies the search to the list.
func (m *Model) match() {
	m.matching = m.matching[:0]
	needle := strings.ToLower(m.search)
	for i, r := range m.rows {
		if needle == "" || strings.Contains(strings.ToLower(r.ID+" "+r.Source+" "+r.Rule+" "+r.Text), needle) {
			m.matching = append(m.matching, i)
		}
	}
	m.move(0)
}

// move moves the cursor within the list.
func (m *Model) move(by int) {
	m.at = max(0, min(m.at+by, len(m.matching)-1))
	if m.at < m.top {
		m.top = m.at
	}
	if h := m.listHeight(); m.at >= m.top+h {
		m.top = m.at - h + 1
	}
	m.top = max(0, min(m.top, len(m.matching)-1))
}

// current returns the finding under the cursor.
func (m *Model) current() (Row, bool) {
	if len(m.matching) == 0 {
		return Row{}, false
	}
	return m.rows[m.matching[m.at]], true
}

// targets are the findings that an act is about: the chosen, or the current.
func (m *Model) targets() []string {
	var ids []string
	for _, r := range m.rows {
		if m.chosen[r.ID] {
			ids = append(ids, r.ID)
		}
	}
	if r, ok := m.current(); ok && len(ids) == 0 {
		ids = append(ids, r.ID)
	}
	return ids
}

// next goes to the one after a value in a list, and round.
func next[T comparable](all []T, now T) T {
	return all[(slices.Index(all, now)+1)%len(all)]
}
