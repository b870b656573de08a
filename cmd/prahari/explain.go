package main

import (
	"fmt"
	"slices"
	"strings"

	"prahari/evidence"
	"prahari/matcher"
	"prahari/scanner/file"
)

// scanMatch is one identifier as 'scan --matches' prints it.
type scanMatch struct {
	Type     string            `json:"type"` // "match"
	File     string            `json:"file"`
	Chat     string            `json:"chat,omitempty"`
	ID       string            `json:"id"`
	Offset   int               `json:"offset"` // bytes into the message's text
	Length   int               `json:"length"`
	Kind     evidence.Kind     `json:"kind"`
	Form     evidence.Form     `json:"form"`
	Validity evidence.Validity `json:"validity"`
	Label    string            `json:"label,omitempty"`
	Masked   string            `json:"masked"`
}

// scanRecord is one person's record as 'scan --matches' prints it.
type scanRecord struct {
	Type   string          `json:"type"` // "record"
	File   string          `json:"file"`
	Chat   string          `json:"chat,omitempty"`
	ID     string          `json:"id"`
	Offset int             `json:"offset"`
	Length int             `json:"length"`
	Kinds  []evidence.Kind `json:"kinds"`
	Fields []string        `json:"fields,omitempty"`
	Masked string          `json:"masked"`
}

// matches prints what was found in a message, whether it makes a finding or not.
func (s *scan) matches(name string, i file.Item, r evidence.Result) error {
	text := i.Message.Text
	where, chat, id := evidence.Caption(name, 300), evidence.Caption(i.Chat.Name, 80), s.reference(i.Ref)
	for _, m := range r.Matches {
		value := matcher.Canonical(m.Kind, m.Form, text.Reveal()[m.Start:m.End])
		out := scanMatch{
			Type: "match", File: where, Chat: chat, ID: id, Offset: m.Start, Length: m.End - m.Start, Kind: m.Kind, Form: m.Form,
			Validity: m.Validity, Label: m.Label, Masked: evidence.OneLine(evidence.MaskValue(m.Kind, m.Form, value), 80),
		}
		if err := s.line(out, "%s: message %s: %s %s at byte %d: %s\n", where, id, out.Form, out.Kind, out.Offset, out.Masked); err != nil {
			return err
		}
	}
	for _, record := range r.Records {
		out := scanRecord{
			Type: "record", File: where, Chat: chat, ID: id, Offset: record.Start, Length: record.End - record.Start,
			Kinds: record.Kinds(), Fields: fieldNames(record), Masked: evidence.MaskRecord(text, record, matcher.Canonical),
		}
		if err := s.line(out, "%s: message %s: record at byte %d: %s\n", where, id, out.Offset, out.Masked); err != nil {
			return err
		}
	}
	return nil
}

// line prints an object, or its line for people.
func (s *scan) line(v any, format string, args ...any) error {
	if s.env.global.json {
		return printJSON(s.env.out, v)
	}
	_, err := fmt.Fprintf(s.env.out, format, args...)
	return err
}

func fieldNames(r evidence.Record) []string {
	var names []string
	for _, f := range r.Fields {
		if !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// explanation says why a finding is one.
type explanation struct {
	Rule        string   `json:"rule"` // id, version and the beginning of its hash
	Reasons     []string `json:"reasons"`
	Records     []string `json:"records"` // masked
	NotDecisive []string `json:"not_decisive"`
}

func explain(text evidence.Text, r evidence.Result, f evidence.Finding) *explanation {
	e := &explanation{Rule: fmt.Sprintf("%s version %d, sha256 %.12s…", f.Rule, f.RuleVersion, f.RuleHash), Reasons: f.Reasons, NotDecisive: evidence.NotDecisive(r, f)}
	for _, record := range f.Records {
		e.Records = append(e.Records, evidence.MaskRecord(text, record, matcher.Canonical))
	}
	return e
}

func (e *explanation) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "    rule          %s\n", e.Rule)
	for _, reason := range e.Reasons {
		fmt.Fprintf(&b, "    because       %s\n", reason)
	}
	for i, record := range e.Records {
		fmt.Fprintf(&b, "    record %-6d %s\n", i+1, record)
	}
	for _, other := range e.NotDecisive {
		fmt.Fprintf(&b, "    not decisive  %s\n", other)
	}
	return b.String()
}

// scanPlausibility is the verdict on one file as printed.
type scanPlausibility struct {
	Type string `json:"type"` // "plausibility"
	File string `json:"file"`
	evidence.Plausibility
}

// plausibility prints whether a file's values look real.
func (s *scan) plausibility(name string) error {
	out := scanPlausibility{"plausibility", evidence.Caption(name, 300), s.survey.Report()}
	lines := make([]string, len(out.Measures))
	for i, m := range out.Measures {
		lines[i] = "\n    " + m.String()
	}
	return s.line(out, "%s: plausibility: %s, of %s%s\n", out.File, out.Verdict, count(out.Values, "value"), strings.Join(lines, ""))
}
