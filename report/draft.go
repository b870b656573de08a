package report

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"prahari/document"
	"prahari/evidence"
)

// ErrCSAM says that a case shows sexual abuse of children, for which nothing is
// drafted, described or sampled.
var ErrCSAM = errors.New("the case is marked as sexual content with children: nothing is drafted. Report the address and ids only, to stopCA@telegram.org and cybercrime.gov.in, and copy nothing")

// DraftOptions say which draft is made.
type DraftOptions struct {
	NoticeID    string
	Language    string // "": English
	FollowUp    bool   // of a notice that was sent before
	Now         time.Time
	DraftedBy   string
	Attachments []Attachment // beside targets.csv
}

// An Attachment of the mail.
type Attachment struct {
	Name, Type string // "xarf.json", "application/json"
	Content    []byte
}

// A Draft is a notice with what it was made of.
type Draft struct {
	Notice evidence.Notice
	Route  Route
	Rows   []Deadline        // whose clocks it states
	Forms  map[string][]byte // by the ending of the file: .md .html .docx .pdf .txt .eml
}

// Endings of the forms of a notice, in the order in which they are listed.
func Endings() []string { return []string{".md", ".txt", ".html", ".docx", ".pdf", ".eml"} }

// Draft writes one notice of a case in all its forms.
func (b *Book) Draft(kind string, facts Facts, o DraftOptions) (Draft, error) {
	route, err := b.Route(kind)
	if err != nil {
		return Draft{}, err
	}
	if facts.Answers.CSAM {
		return Draft{}, ErrCSAM
	}
	if o.Language == "" {
		o.Language = English
	}
	if !route.speaks(o.Language) {
		return Draft{}, fmt.Errorf("there is no template of %s in the language %q; the program has: %s", kind, evidence.Caption(o.Language, 10), strings.Join(slices.Concat(route.Languages, []string{English})[:max(1, len(route.Languages))], ", "))
	}
	if own := facts.Answers.Recipient.Email; own != "" && route.Channel == "mail" && !route.Takedown {
		route.Recipient = own
		if route.Confidence == Confirmed { // what a person entered was verified by nobody else
			route.Confidence = Secondary
		}
	}
	raw, err := facts.Encode()
	if err != nil {
		return Draft{}, err
	}
	d := Draft{Route: route}
	p := page{
		Facts: escaped(facts), Answers: escaped(facts.Answers), Route: escaped(route), Grounds: b.grounds(facts),
		Frame: frame{TLP: DefaultTLP, NoticeID: o.NoticeID, DraftedBy: document.Escape(o.DraftedBy), FactsSHA256: evidence.Digest(raw), Now: o.Now},
	}
	subject := subject(route, facts, o)
	p.Subject = document.Escape(subject)
	p.Frame.Banners = escaped(banners(route, o.Now))
	b.clocks(&d, &p, facts, o)
	markdown, err := b.render(kind, o.Language, p)
	if err != nil {
		return Draft{}, err
	}
	d.Notice = evidence.Notice{
		ID: o.NoticeID, CaseID: facts.Case.ID, Kind: kind, Subject: subject, Markdown: markdown, Language: o.Language, FollowUp: o.FollowUp,
		Recipient: route.Recipient, FactsSHA256: p.Frame.FactsSHA256, DraftedAt: o.Now.UTC(), DraftedBy: o.DraftedBy,
	}
	return d, d.forms(facts, o)
}

func banners(route Route, now time.Time) []string {
	var out []string
	if route.Confidence != Confirmed {
		out = append(out, strings.TrimSpace(fmt.Sprintf("The route %s is %s. Verify it before first use.", route.Recipient, route.Confidence)))
	}
	if stale(route.VerifiedOn, now) {
		out = append(out, "The route was last verified on "+route.VerifiedOn+", more than 90 days ago. Verify it again.")
	}
	if route.InForce > now.In(ist).Format(time.DateOnly) {
		out = append(out, "This duty is not yet in force; it is expected from "+route.InForce+". Verify it.")
	}
	return out
}

// clocks states the clocks of the route, each from one row that holds.
func (b *Book) clocks(d *Draft, p *page, facts Facts, o DraftOptions) {
	trigger, from := o.Now, "If received now"
	switch d.Route.Trigger {
	case "detected":
		trigger, from = facts.Detected, "From the detection on "+both(facts.Detected)
	case "answered":
		at, err := time.Parse(time.RFC3339, facts.Answers.Appeal.AnsweredAt)
		if err != nil {
			p.Clocks = append(p.Clocks, "CHECK: no clock is asserted: "+blank("when did the officer's answer come? 'answered_at' in the facts file, such as 2026-11-24T10:00:00+05:30"))
			return
		}
		trigger, from = at, "From the answer on "+both(at)
	}
	for _, clock := range d.Route.Clocks {
		row, err := b.Clock(clock, trigger)
		if err != nil {
			p.Clocks = append(p.Clocks, fmt.Sprintf("CHECK: no clock is asserted for %s: %v", clock, err))
			continue
		}
		sentence := row.sentence(trigger, from)
		if d.Route.Trigger == "" || d.Route.Trigger == "sent" {
			sentence = strings.Replace(sentence, " (row ", " (provisional, from sending; row ", 1)
		}
		p.Clocks = append(p.Clocks, document.Escape(sentence))
		d.Rows = append(d.Rows, row)
		p.Frame.Banners = append(p.Frame.Banners, escaped(row.Doubts(o.Now))...)
	}
}

func subject(route Route, facts Facts, o DraftOptions) string {
	what := route.Subject
	if o.Language == Hindi && route.SubjectHi != "" {
		what = route.SubjectHi
	}
	parts := []string{what}
	if !route.Plain {
		var names []string
		for _, t := range facts.Targets {
			names = append(names, t.name())
		}
		about := strings.Join(names[:min(len(names), 3)], ", ")
		if len(names) > 3 {
			about += fmt.Sprintf(" and %d more", len(names)-3)
		}
		if about != "" {
			parts = append(parts, about)
		}
	}
	if o.FollowUp {
		parts = append(parts, "follow-up")
	}
	return evidence.Caption(fmt.Sprintf("[%s] %s", DefaultTLP, strings.Join(append(parts, o.NoticeID), " – ")), 200)
}

// grounds picks what the case's findings support.
func (b *Book) grounds(facts Facts) []Ground {
	var out []Ground
	for _, g := range b.Grounds {
		if g.Confidence != Unconfirmed && (len(g.Needs) == 0 || slices.ContainsFunc(g.Needs, facts.has)) {
			out = append(out, g)
		}
	}
	return out
}

// forms renders the notice for reading, editing, printing, pasting and mailing.
func (d *Draft) forms(facts Facts, o DraftOptions) error {
	doc := document.Document{
		Title: d.Notice.Subject, Markdown: d.Notice.Markdown, Hindi: o.Language == Hindi, At: d.Notice.DraftedAt,
		Header: DefaultTLP + "   " + d.Notice.ID + ", case " + d.Notice.CaseID,
		Footer: "DRAFT until a person reviews, signs and sends it. Facts SHA-256 " + d.Notice.FactsSHA256,
	}
	d.Forms = map[string][]byte{".md": []byte(d.Notice.Markdown), ".txt": []byte(doc.Text())}
	for ending, form := range map[string]func() ([]byte, error){".html": doc.HTML, ".docx": doc.DOCX, ".pdf": doc.PDF} {
		made, err := form()
		if err != nil {
			return err
		}
		d.Forms[ending] = made
	}
	attachments := o.Attachments
	if d.Route.Plain { // a letter to a person shows nobody the way to the leak
		attachments = nil
	} else {
		targets, err := targetsCSV(facts)
		if err != nil {
			return err
		}
		attachments = append([]Attachment{{"targets.csv", "text/csv", []byte(targets)}}, attachments...)
	}
	eml, err := mail(*d, facts, doc.Text(), attachments)
	d.Notice.EML, d.Forms[".eml"] = eml, eml
	return err
}
