package report

import (
	"bytes"
	"fmt"
	"io"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"

	"github.com/emersion/go-message"

	"prahari/evidence"
)

// A Level says what a Problem means for a draft.
type Level string

// An Error must be solved before a person may send the draft; a Warning must be
// looked at.
const (
	Error   Level = "error"
	Warning Level = "warn"
)

// A Problem is one thing that is wrong with a draft, or still to be done.
type Problem struct {
	Level Level  `json:"level"`
	Rule  string `json:"rule"` // "L01"; docs/legal-guide.md lists the rules
	Text  string `json:"text"`
}

// banned are words that a notice may not use, for nothing here makes them true.
var banned = regexp.MustCompile(`(?i)court-admissible|legally valid|tamper-proof|forensically sound|certified evidence|\bhacked\b|\bbreached by\b`)

// Lint looks for what keeps a draft from being sent. find returns the unmasked
// identifiers of a text.
func (b *Book) Lint(d Draft, facts Facts, find func(string) []evidence.Match) []Problem {
	var problems []Problem
	add := func(level Level, rule, format string, args ...any) {
		problems = append(problems, Problem{level, rule, fmt.Sprintf(format, args...)})
	}
	text, headers, err := decoded(d.Notice.EML)
	if err != nil {
		add(Error, "L21", "the mail does not parse: %v", err)
	}
	own := facts.Answers.Complainant
	for _, m := range find(text) {
		if value := text[m.Start:m.End]; value != own.Email && !samePhone(value, own.Phone) && value != d.Route.Recipient {
			add(Error, "L01", "the draft has an unmasked %s at byte %d of its text", m.Kind, m.Start)
		}
	}
	if !slices.ContainsFunc(facts.Targets, func(t Target) bool { return t.Username != "" && t.URL != "" }) {
		add(Error, "L02", "no target has a public name and link")
	}
	if len(d.Rows) < len(d.Route.Clocks) {
		add(Error, "L03", "%d of %d clocks could not be asserted: see 'CHECK' in the draft", len(d.Route.Clocks)-len(d.Rows), len(d.Route.Clocks))
	}
	if regexp.MustCompile(`(?i)\b(3|three) hours\b`).MatchString(d.Notice.Markdown) {
		add(Error, "L04", "the three-hour clock needs a court order or an authorised intimation")
	}
	switch {
	case !strings.HasPrefix(d.Notice.Kind, "telegram-"): // others ask for it in their own words
	case own.Capacity == "":
		add(Error, "L07", "the capacity of the complainant is not stated")
	case strings.Contains(strings.ToLower(own.Capacity), "agent") && own.Authority == "":
		add(Error, "L07", "an authorised agent attaches the authority: name it under 'authority'")
	}
	if d.Route.Confidence != Confirmed {
		add(Error, "L09", "the route is %s: verify it before first use", d.Route.Confidence)
	}
	if word := banned.FindString(d.Notice.Markdown); word != "" {
		add(Error, "L12", "%q claims more than anybody can", word)
	}
	if len(facts.Samples) > maxSamples {
		add(Error, "L13", "%d samples; at most %d are shown", len(facts.Samples), maxSamples)
	}
	if !strings.Contains(d.Notice.Subject, DefaultTLP) || !strings.HasPrefix(d.Notice.Markdown, DefaultTLP) {
		add(Error, "L14", "the label %s is missing in subject or header", DefaultTLP)
	}
	if !strings.Contains(d.Notice.Markdown, "Signature, name, date and place: "+blankMark) {
		add(Error, "L18", "the signature is not blank")
	}
	problems = append(problems, headerProblems(headers)...)
	if n := strings.Count(d.Notice.Markdown, blankMark); n > 0 {
		add(Warning, "blanks", "%d places are to be filled by a person", n)
	}
	return problems
}

func headerProblems(headers []string) []Problem {
	var problems []Problem
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name != "From" && name != "To" {
			continue
		}
		if list, err := netmail.ParseAddressList(value); err != nil || len(list) != 1 {
			problems = append(problems, Problem{Error, "L21", name + " is not one address"})
		}
	}
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "From: ") }) {
		problems = append(problems, Problem{Error, "L21", "the sender's address is missing: fill in 'email' of the complainant"})
	}
	return problems
}

func samePhone(a, b string) bool {
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, s)
	}
	return b != "" && strings.HasSuffix(digits(b), strings.TrimPrefix(digits(a), "91"))
}

// decoded returns everything in a mail that a reader can see: headers, texts,
// file names, attachments.
func decoded(eml []byte) (text string, headers []string, err error) {
	entity, err := message.Read(bytes.NewReader(eml))
	if err != nil {
		return "", nil, err
	}
	var out strings.Builder
	for f := entity.Header.Fields(); f.Next(); {
		value, err := f.Text()
		if err != nil {
			value = f.Value()
		}
		headers = append(headers, f.Key()+": "+value)
		if f.Key() != "Message-Id" && f.Key() != "Content-Type" { // digests of our own
			out.WriteString(f.Key() + ": " + value + "\n")
		}
	}
	err = entity.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil {
			return err
		}
		if part.MultipartReader() != nil {
			return nil
		}
		_, params, _ := part.Header.ContentDisposition()
		out.WriteString("\n" + params["filename"] + "\n")
		body, err := io.ReadAll(part.Body)
		out.Write(body)
		return err
	})
	return out.String(), headers, err
}
