package bundle

import (
	"fmt"
	"html/template"
	"strings"

	"prahari/evidence"
)

// summary is data/report/summary.json. Everything in it is masked.
type summary struct {
	Bundle        string          `json:"bundle"`
	Profile       Profile         `json:"profile"`
	TLP           string          `json:"tlp"`
	CaseID        string          `json:"case_id"`
	Title         string          `json:"title"`
	OpenedAtUTC   string          `json:"opened_at_utc"`
	OpenedBy      string          `json:"opened_by,omitempty"`
	Status        string          `json:"status"`
	Organisation  string          `json:"organisation"`
	GeneratedUTC  string          `json:"generated_at_utc"`
	GeneratedIST  string          `json:"generated_at_ist"`
	GeneratedBy   string          `json:"generated_by,omitempty"`
	Items         int             `json:"items"`
	FirstPosted   string          `json:"first_posted_utc"`
	LastPosted    string          `json:"last_posted_utc"`
	FirstCaptured string          `json:"first_captured_utc"`
	LastCaptured  string          `json:"last_captured_utc"`
	Records       int             `json:"records"`
	Identifiers   []kindTotal     `json:"identifiers,omitempty"`
	Distinct      []distinctTotal `json:"distinct,omitempty"`
	DistinctNote  string          `json:"distinct_note,omitempty"`
	Signatures    []ruleTotal     `json:"signatures"`
	Sources       []sourceTotal   `json:"sources"`
	Days          []dayTotal      `json:"items_by_day_posted"`
	Gaps          *int            `json:"coverage_gaps,omitempty"`
	Authorised    *int            `json:"authorizations,omitempty"`
	Notices       []noticeTotal   `json:"notices"`
	CustodyHead   string          `json:"custody_head"`
	CustodyLines  int64           `json:"custody_lines,omitempty"`
	PrevBundle    string          `json:"prev_bundle"`
	Fingerprint   string          `json:"signer_fingerprint"`
	TimeStamp     string          `json:"time_stamp"`
	Allowed       []Allowed       `json:"leak_gate_exceptions"`
}

type noticeTotal struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	Subject string `json:"subject"`
	Drafted string `json:"drafted_at_ist"`
}

const distinctNote = "distinct values of each kind, counted by keyed tokens; masked values and dates of birth have none. A sample of what was seen, not a total of what exists"

func (b *builder) summarise() summary {
	c, t := b.in.Case, b.totals
	p, authorised := b.in.Profile, len(b.in.Authorisations)
	s := summary{
		Bundle: b.name, Profile: p, TLP: b.in.TLP, CaseID: c.ID, Title: caption(c.Title), OpenedAtUTC: utc(c.OpenedAt), Status: line(string(c.Status)),
		Organisation: line(b.in.Organisation.Name), GeneratedUTC: utc(b.in.At), GeneratedIST: ist(b.in.At),
		Items: b.items, FirstPosted: utc(t.first), LastPosted: utc(t.last), FirstCaptured: utc(t.captured[0]), LastCaptured: utc(t.captured[1]),
		Records: t.records, Signatures: t.sortedRules(), Sources: t.sortedSources(), Days: t.sortedDays(),
		Notices: []noticeTotal{}, CustodyHead: b.head, PrevBundle: b.in.Prev, Fingerprint: b.in.Signer.Fingerprint(),
		TimeStamp: seeNote, Allowed: []Allowed{},
	}
	if p.has(method) {
		s.OpenedBy, s.GeneratedBy = line(c.OpenedBy), line(b.in.Operator)
	}
	if p.has(counts) {
		s.Identifiers, s.Distinct, s.DistinctNote = t.sortedKinds(), t.distinct(), distinctNote
	}
	if p.has(coverageMap) {
		s.Gaps = &t.gaps
	}
	if p.has(authorisations) {
		s.Authorised = &authorised
	}
	if p.has(custodyLog) {
		s.CustodyLines = b.entries
	}
	for _, n := range b.in.Notices {
		if !p.has(allNotices) && !toPlatform(n.Kind) {
			continue
		}
		s.Notices = append(s.Notices, noticeTotal{line(n.ID), line(n.Kind), caption(n.Subject), ist(n.DraftedAt)})
	}
	s.Allowed = append(s.Allowed, b.in.Allow...)
	return s
}

// summary writes the report three times: for programs, for paper, for a
// browser. All say the same.
func (b *builder) summary() error {
	s := b.summarise()
	if err := b.tree.json("data/report/summary.json", s); err != nil {
		return err
	}
	plain, err := render("summary.txt", s)
	if err != nil {
		return err
	}
	if err := b.tree.write("data/report/summary.txt", []byte(plain)); err != nil {
		return err
	}
	source, err := templates.ReadFile("template/summary.html")
	if err != nil {
		return err
	}
	page, err := template.New("summary.html").Parse(string(source))
	if err != nil {
		return fmt.Errorf("template summary.html: %w", err)
	}
	var out strings.Builder
	if err := page.Execute(&out, s); err != nil {
		return fmt.Errorf("template summary.html: %w", err)
	}
	return b.tree.write("data/report/summary.html", []byte(evidence.Printable(out.String())))
}
