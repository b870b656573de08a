package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"prahari/evidence"
	"prahari/scanner"
)

// A screen shows on one page of a terminal how a watch does. What would be lines
// of stdout and stderr becomes lines on it, until it ends.
type screen struct {
	env   env // the terminal
	began time.Time
	stats func() []scanner.Stats

	mu       sync.Mutex
	drawing  bool
	findings []string // the newest last
	events   []string
	rates    map[string]rateMark
	done     map[string][2]int64 // of each source: message ids read and to read
}

// A rateMark is when an account had looked at how many messages.
type rateMark struct {
	at   time.Time
	n    int64
	rate float64
}

const (
	screenEvery = 250 * time.Millisecond
	screenLines = 60 // kept of each list, more than any terminal shows
	rateEvery   = 2 * time.Second
)

// showsScreen reports whether there is a person with a terminal to draw on.
func (e env) showsScreen() bool {
	return e.inTTY && e.outTTY && e.errTTY && !e.global.json && !e.global.quiet && !e.global.verbose && !e.global.logging.onlyJSON() && e.getenv("TERM") != "dumb"
}

func newScreen(e env) *screen {
	return &screen{env: e, began: time.Now(), rates: map[string]rateMark{}, done: map[string][2]int64{}}
}

// inside is the environment of what runs under the screen.
func (s *screen) inside() env {
	e := s.env
	e.out, e.err = &onScreen{s: s, to: &s.findings, after: s.env.out}, &onScreen{s: s, to: &s.events, after: s.env.err}
	e.outTTY, e.errTTY = false, false
	return e
}

// onScreen puts what is written on a list of the screen, and writes it through
// before there is one and once it is gone.
type onScreen struct {
	s     *screen
	to    *[]string
	after io.Writer
	part  []byte
}

func (o *onScreen) Write(b []byte) (int, error) {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	if !o.s.drawing {
		return o.after.Write(b)
	}
	o.part = append(o.part, b...)
	for {
		line, rest, found := bytes.Cut(o.part, []byte("\n"))
		if !found {
			return len(b), nil
		}
		*o.to = append(*o.to, time.Now().UTC().Format("15:04:05Z ")+evidence.OneLine(string(line), 400))
		*o.to = (*o.to)[max(0, len(*o.to)-screenLines):]
		o.part = rest
	}
}

// read notes how far the history of a source is read.
func (s *screen) read(e scanner.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done[e.Source.ID] = [2]int64{e.Done, e.Total}
}

// during draws until work ends. Ctrl-C and q end the work, as a signal does.
func (s *screen) during(ctx context.Context, stats func() []scanner.Stats, work func(context.Context) error) error {
	s.stats = stats
	s.draws(true)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	renderer := lipgloss.NewRenderer(s.env.out)
	if s.env.getenv("NO_COLOR") != "" {
		renderer.SetColorProfile(termenv.Ascii)
	}
	v := view{s: s, stop: stop, strong: renderer.NewStyle().Bold(true), faint: renderer.NewStyle().Faint(true), bad: renderer.NewStyle().Foreground(lipgloss.Color("9"))}
	program := tea.NewProgram(v, tea.WithInput(s.env.in), tea.WithOutput(s.env.out), tea.WithAltScreen(), tea.WithoutSignalHandler())
	ended := make(chan error, 1)
	go func() {
		err := work(ctx)
		program.Quit()
		ended <- err
	}()
	_, drawing := program.Run()
	s.draws(false)
	if drawing != nil {
		stop()
		drawing = fmt.Errorf("drawing on the terminal: %w; --lines does without", drawing)
	}
	return errors.Join(<-ended, drawing)
}

func (s *screen) draws(now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drawing = now
}

// A view is what the terminal library keeps of a screen.
type view struct {
	s                  *screen
	stop               context.CancelFunc
	strong, faint, bad lipgloss.Style
	width, height      int
	ending             bool
}

type tick time.Time

func ticking() tea.Cmd {
	return tea.Tick(screenEvery, func(t time.Time) tea.Msg { return tick(t) })
}

// Init implements tea.Model.
func (v view) Init() tea.Cmd { return ticking() }

// Update implements tea.Model.
func (v view) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		v.width, v.height = m.Width, m.Height
	case tea.KeyMsg:
		if k := m.String(); k == "ctrl+c" || k == "q" {
			v.ending = true
			v.stop() // the program quits when the work has ended
		}
	case tick:
		return v, ticking()
	}
	return v, nil
}

// View implements tea.Model. It fills the terminal and no more.
func (v view) View() string {
	if v.width < 20 || v.height < 8 {
		return "too small"
	}
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	now := time.Now()
	var lines []string
	add := func(style lipgloss.Style, format string, args ...any) {
		line := ansi.Truncate(fmt.Sprintf(format, args...), v.width, "…")
		lines = append(lines, style.Render(line))
	}
	plain := v.strong.UnsetBold()
	add(v.strong, "prahari watch  %s  for %s", now.UTC().Format("2006-01-02 15:04:05Z"), now.Sub(v.s.began).Round(time.Second))
	all := v.s.stats()
	add(v.faint, "%-12s %-9s %11s %9s %12s %8s %5s %6s", "account", "state", "histories", "messages", "a second", "findings", "gaps", "queue")
	room := max(1, v.height-12) // for accounts and waits; the lists take what they leave
	for i, a := range all {
		if i == room && len(all) > room {
			add(v.faint, "and %d accounts more: 'prahari status' shows them", len(all)-room)
			break
		}
		style, state := plain, "connected"
		if !a.Connected {
			style, state = v.bad, "offline"
		}
		if len(a.Waits) > 0 {
			state = "waiting"
		}
		n := a.Messages[evidence.Backfill] + a.Messages[evidence.Live] + a.Messages[evidence.Poll]
		add(style, "%-12s %-9s %11s %9d %12.0f %8d %5d %6d", ansi.Truncate(a.Account, 12, "…"), state, fmt.Sprintf("%d/%d", a.CaughtUp, a.Sources), n, v.s.rate(a.Account, n, now), a.Findings, a.Gaps, a.Queue)
	}
	var done, total int64
	for _, d := range v.s.done {
		done, total = done+d[0], total+d[1]
	}
	if total > 0 {
		const cells = 30
		filled := int(cells * done / total)
		add(plain, "history %s%s %d of %d message ids", strings.Repeat("█", filled), strings.Repeat("░", cells-filled), done, total)
	}
	for _, a := range all {
		for _, w := range a.Waits {
			if len(lines) < v.height-6 {
				add(v.bad, "waiting: %s until %s (%s, account %s)", w.Method, w.Until.UTC().Format("15:04:05Z"), w.Reason, a.Account)
			}
		}
	}
	left := v.height - len(lines) - 3 // two headings and the foot
	events := min(len(v.s.events), max(left/3, left-len(v.s.findings)))
	lists := []struct {
		name string
		all  []string
		n    int
	}{{"findings", v.s.findings, min(len(v.s.findings), left-events)}, {"events", v.s.events, events}}
	for _, l := range lists {
		add(v.faint, "%s", l.name)
		for _, line := range l.all[len(l.all)-l.n:] {
			add(plain, "%s", line)
		}
	}
	for len(lines) < v.height-1 {
		lines = append(lines, "")
	}
	lines = slices.Delete(lines, v.height-1, max(len(lines), v.height-1))
	foot := "q or Ctrl-C ends it; everything seen is recorded"
	if v.ending {
		foot = "Ending: what was seen is being recorded …"
	}
	add(v.faint, "%s", foot)
	return strings.Join(lines, "\n")
}

// rate is how many messages a second an account looks at, over the last seconds.
// s.mu is held.
func (s *screen) rate(account string, n int64, now time.Time) float64 {
	m, known := s.rates[account]
	switch since := now.Sub(m.at); {
	case !known:
		m = rateMark{at: now, n: n}
	case since >= rateEvery:
		m = rateMark{at: now, n: n, rate: float64(n-m.n) / since.Seconds()}
	}
	s.rates[account] = m
	return m.rate
}
