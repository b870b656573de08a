package triage

import (
	"errors"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"prahari/evidence"
)

// Update is bubbletea's: one message, then the next view.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = max(20, msg.Width), max(8, msg.Height)
		m.shown = "" // wrapped anew
		m.move(0)
	case tea.KeyMsg:
		return m, m.typed(msg)
	}
	return m, nil
}

// typed takes keys one by one: what was typed fast comes in one message. What
// was pasted is text, never commands.
func (m *Model) typed(msg tea.KeyMsg) tea.Cmd {
	if msg.Type != tea.KeyRunes || len(msg.Runes) < 2 {
		if m.asking != nothing {
			return m.answer(msg)
		}
		return m.key(msg)
	}
	if msg.Paste && m.asking == nothing {
		m.fail(errors.New("pasted text is no command"))
		return nil
	}
	var all []tea.Cmd
	for _, r := range msg.Runes {
		all = append(all, m.typed(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}}))
	}
	return tea.Batch(all...)
}

func (m *Model) key(msg tea.KeyMsg) tea.Cmd {
	m.say, m.failed = "", false
	switch msg.String() {
	case "q", "ctrl+c":
		return tea.Quit
	case "esc":
		switch {
		case m.help:
			m.help = false
		case m.whole:
			m.whole = false
		default:
			m.chosen, m.search = map[string]bool{}, ""
			m.match()
		}
	case "?":
		m.help = !m.help
	case "up", "k":
		m.move(-1)
	case "down", "j":
		m.move(1)
	case "home", "g":
		m.move(-len(m.matching))
	case "end", "G":
		m.move(len(m.matching))
	case "pgup":
		m.detail.HalfPageUp()
	case "pgdown":
		m.detail.HalfPageDown()
	case "enter":
		m.whole = !m.whole
		m.shown = ""
	case " ":
		if r, ok := m.current(); ok {
			if m.chosen[r.ID] = !m.chosen[r.ID]; !m.chosen[r.ID] {
				delete(m.chosen, r.ID)
			}
			m.move(1)
		}
	case "a":
		for _, i := range m.matching {
			m.chosen[m.rows[i].ID] = true
		}
	case "d":
		m.c.Filter.Show = next([]Show{Undecided, Confirmed, False, Suppressed, All}, m.c.Filter.Show)
		m.again()
	case "v":
		m.c.Filter.Severity = next([]evidence.Severity{"", evidence.Medium, evidence.High, evidence.Critical}, m.c.Filter.Severity)
		m.again()
	case "o":
		if r, ok := m.current(); ok && m.c.Filter.Source == "" {
			m.c.Filter.Source = r.Source
		} else {
			m.c.Filter.Source = ""
		}
		m.again()
	case "/":
		return m.ask(askSearch, "search: ", m.search)
	case "c":
		m.do(evidence.TriageAction{Kind: evidence.TriageConfirm})
	case "f":
		m.do(evidence.TriageAction{Kind: evidence.TriageFalsePositive})
	case "s":
		return m.ask(askReason, "suppress this form in its source, because: ", "")
	case "S":
		return m.ask(askReasonEverywhere, "suppress this form EVERYWHERE, because: ", "")
	case "+":
		return m.ask(askCase, "add to case (number, or a title for a new one): ", "")
	case "u":
		m.undo()
	}
	return nil
}

// again reads the list after the filter changed.
func (m *Model) again() {
	m.at, m.top = 0, 0
	if err := m.reload(); err != nil {
		m.fail(err)
	}
}

func (m *Model) fail(err error) { m.say, m.failed = err.Error(), true }

func (m *Model) ask(what asking, prompt, text string) tea.Cmd {
	if len(m.targets()) == 0 && what != askSearch {
		m.fail(errors.New("there is nothing here to do that with"))
		return nil
	}
	m.asking = what
	m.input.Prompt = prompt
	m.input.SetValue(text)
	m.input.CursorEnd()
	return m.input.Focus()
}

// answer takes keys for the line at the bottom.
func (m *Model) answer(msg tea.KeyMsg) tea.Cmd {
	switch msg.String() {
	case "ctrl+c", "esc":
		m.asking = nothing
		return nil
	case "enter":
		what, text := m.asking, strings.TrimSpace(m.input.Value())
		m.asking = nothing
		m.answered(what, text)
		return nil
	}
	var cmd tea.Cmd
	m.input, cmd = m.input.Update(msg)
	return cmd
}

func (m *Model) answered(what asking, text string) {
	if what == askSearch {
		m.search, m.at, m.top = text, 0, 0
		m.match()
		return
	}
	if text == "" {
		m.fail(errors.New("nothing was done: the line was empty"))
		return
	}
	if m.c.Check != nil {
		if err := m.c.Check(text); err != nil {
			m.fail(err)
			return
		}
	}
	switch what {
	case askReason, askReasonEverywhere:
		m.do(evidence.TriageAction{Kind: evidence.TriageSuppress, Reason: text, Everywhere: what == askReasonEverywhere})
	case askCase:
		id, err := m.c.Case(m.ctx, text, m.targets())
		if err != nil {
			m.fail(err)
			return
		}
		m.do(evidence.TriageAction{Kind: evidence.TriageAdd, CaseID: id})
	}
}

// do acts on the targets and says what came of it.
func (m *Model) do(a evidence.TriageAction) {
	if a.Findings = m.targets(); len(a.Findings) == 0 {
		m.fail(errors.New("there is nothing here to do that with"))
		return
	}
	done, err := m.c.Do(m.ctx, a)
	if err != nil {
		m.fail(err)
		return
	}
	m.chosen = map[string]bool{}
	m.say = Said(done) + "; u takes it back"
	m.shown = ""
	if err := m.reload(); err != nil {
		m.fail(err)
	}
}

func (m *Model) undo() {
	a, err := m.c.Undo(m.ctx)
	if err != nil {
		m.fail(err)
		return
	}
	m.say = "taken back: " + Said(a)
	m.shown = ""
	if err := m.reload(); err != nil {
		m.fail(err)
	}
}

// Said is an act in words.
func Said(a evidence.TriageAction) string {
	n := fmt.Sprintf("%d findings", a.Changed)
	if a.Changed == 1 {
		n = "1 finding"
	}
	switch a.Kind {
	case evidence.TriageConfirm:
		return n + " confirmed"
	case evidence.TriageFalsePositive:
		return n + " marked as false positive"
	case evidence.TriageAdd:
		return n + " added to " + a.CaseID
	case evidence.TriageSuppress:
		return n + " marked as false positive, suppressed by " + strings.Join(a.Suppression, ", ")
	}
	return n
}
