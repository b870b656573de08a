package triage

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"prahari/evidence"
)

const keys = "c confirm  f false positive  s suppress  + case  u undo  space pick  ? help  q"

const help = `up down j k   move               c   confirm: this is a leak
home end g G  first, last        f   false positive
space         pick, or not       s   suppress this form in its source (asks why)
a             pick all listed    S   suppress it in every source (asks why)
enter         whole text, list   +   add to a case (asks which)
pgup pgdown   scroll the text    u   take back your last act
/             search the list    d   undecided, confirmed, … all
o             only this source   v   all severities, medium+, high+, critical
esc           clear the picks    ?   these keys
q             quit

What you do is done to the picked findings, or to the one under the cursor where
none is picked. It is in the database and the custody log at once.`

// listHeight is how many rows of the list are shown.
func (m *Model) listHeight() int {
	if m.whole {
		return 1
	}
	return max(2, (m.height-5)*2/5)
}

// View is bubbletea's: never more lines or columns than the terminal has.
func (m *Model) View() string {
	var lines []string
	lines = append(lines, m.header())
	if m.help {
		lines = append(lines, strings.Split(help, "\n")...)
	} else {
		lines = append(lines, m.list()...)
		lines = append(lines, m.look.dim.Render(strings.Repeat("-", m.width)))
		lines = append(lines, m.text(m.height-len(lines)-2)...)
	}
	if limit := m.height - 2; len(lines) > limit {
		lines = lines[:limit]
	}
	for len(lines) < m.height-2 {
		lines = append(lines, "")
	}
	lines = append(lines, m.bottom(), m.look.dim.Render(keys))
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], m.width, "")
	}
	return strings.Join(lines, "\n")
}

func (m *Model) header() string {
	place := 0
	if len(m.matching) > 0 {
		place = m.at + 1
	}
	parts := []string{fmt.Sprintf("triage  %d/%d  %s", place, len(m.matching), m.c.Filter.Show)}
	if m.c.Filter.Severity != "" {
		parts = append(parts, string(m.c.Filter.Severity)+"+")
	}
	if m.c.Filter.Source != "" {
		parts = append(parts, m.c.Filter.Source)
	}
	if m.search != "" {
		parts = append(parts, fmt.Sprintf("search %q", evidence.OneLine(m.search, 20)))
	}
	if len(m.chosen) > 0 {
		parts = append(parts, fmt.Sprintf("%d picked", len(m.chosen)))
	}
	return m.look.title.Render(ansi.Truncate(strings.Join(parts, "  "), m.width, ""))
}

func (m *Model) list() []string {
	if len(m.matching) == 0 {
		return []string{"", "  Nothing to look at here. d shows others, esc clears the search."}
	}
	var lines []string
	for i := m.top; i < min(m.top+m.listHeight(), len(m.matching)); i++ {
		r := m.rows[m.matching[i]]
		mark, point := " ", " "
		if m.chosen[r.ID] {
			mark = "*"
		}
		if i == m.at {
			point = ">"
		}
		line := fmt.Sprintf("%s%s %s %-8s %-16s %-14s %s", point, mark, decided(r), r.Severity, evidence.OneLine(r.Source, 16), evidence.OneLine(r.Rule, 14), evidence.OneLine(r.Text, 200))
		line = ansi.Truncate(line, m.width, "")
		if i == m.at {
			line = m.look.cursor.Render(line)
		}
		lines = append(lines, line)
	}
	return lines
}

// decided is one letter for what was decided.
func decided(r Row) string {
	switch {
	case r.Suppressed:
		return "s"
	case r.Decision == evidence.Confirmed:
		return "C"
	case r.Decision == evidence.FalsePositive:
		return "F"
	}
	return "-"
}

// hidden is what masking left of a value.
var hidden = regexp.MustCompile(`\S*(?:\*{2,}|X{2,})\S*`)

// text shows the current finding: explanation and masked text, values marked.
func (m *Model) text(height int) []string {
	r, ok := m.current()
	if !ok {
		return nil
	}
	m.detail.Width, m.detail.Height = m.width, max(1, height)
	if m.shown != r.ID {
		text, err := m.c.Detail(m.ctx, r.ID)
		if err != nil {
			text = err.Error()
		}
		mark := func(found string) string { return "[" + found + "]" }
		if m.look.colour {
			mark = func(found string) string { return m.look.mark.Render(found) }
		}
		text = hidden.ReplaceAllStringFunc(evidence.Printable(text), mark)
		text = ansi.Wrap(text, m.width-1, "")
		m.detail.SetContent(text)
		m.detail.GotoTop()
		m.shown = r.ID
	}
	return strings.Split(m.detail.View(), "\n")
}

// bottom is the line that asks or says something.
func (m *Model) bottom() string {
	switch {
	case m.asking != nothing:
		m.input.Width = max(1, m.width-ansi.StringWidth(m.input.Prompt)-2)
		return m.input.View()
	case m.failed:
		return m.look.bad.Render(evidence.OneLine("! "+m.say, m.width))
	}
	return evidence.OneLine(m.say, m.width)
}
