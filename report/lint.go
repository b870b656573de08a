package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"prahari/evidence"
)

// A Level says what a Problem means for a draft.
type Level string

// An Error must be solved before a draft can be approved; a Warning must be
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

// A LintInput is a draft with what it is held against.
type LintInput struct {
	Notice evidence.Notice
	Facts  Facts
	Files  map[string][]byte             // the forms by file name, as they lie on the disk
	Find   func(string) []evidence.Match // the unmasked identifiers of a text
	Others []evidence.Notice             // of the same case
	Now    time.Time

	FactsSHA256    string   // of the facts file as it is now; "": not looked at
	RouteAccepted  bool     // a person verified a route that is not confirmed
	Authorisations []string // what does not hold any more of what the case rests on
	Approver       string   // who wants to approve; "": nobody yet
}

// A linter collects the problems of one draft.
type linter struct {
	*Book
	LintInput
	route    Route
	texts    map[string]string // of every form, by file name
	headers  []string
	problems []Problem
}

func (l *linter) add(level Level, rule, format string, args ...any) {
	p := Problem{level, rule, fmt.Sprintf(format, args...)}
	if !slices.Contains(l.problems, p) {
		l.problems = append(l.problems, p)
	}
}

// Lint looks for what keeps a draft from being approved.
func (b *Book) Lint(c LintInput) []Problem {
	l := &linter{Book: b, LintInput: c}
	var err error
	if l.route, err = b.Route(c.Notice.Kind); err != nil {
		l.add(Error, "L09", "%v: routes.yaml has no such kind any more", err)
	}
	l.read()
	l.identifiers()
	l.targets()
	l.clockSentences()
	l.complainant()
	l.wording()
	l.legal()
	l.evidence()
	l.form()
	l.people()
	if n := strings.Count(c.Notice.Markdown, blankMark); n > 0 {
		l.add(Warning, "blanks", "%d places are to be filled by a person", n)
	}
	return l.problems
}

// identifiers: nothing unmasked in any form, any header, any file's name.
func (l *linter) identifiers() {
	a := l.Facts.Answers
	own := strings.Join([]string{a.Complainant.Email, a.Recipient.Email, a.Fiduciary.Contact, a.EU.Officer, l.Notice.Recipient, l.route.Recipient}, "\n")
	for name, text := range l.texts {
		for _, m := range l.Find(text) {
			value := text[m.Start:m.End]
			target := slices.ContainsFunc(l.Facts.Targets, func(t Target) bool { return fmt.Sprint(t.PeerID) == value })
			if strings.Contains(own, value) || samePhone(value, a.Complainant.Phone) || samePhone(value, a.Fiduciary.Contact) || target {
				continue
			}
			l.add(Error, "L01", "%s has an unmasked %s at byte %d of its text", name, m.Kind, m.Start)
		}
	}
}

func (l *linter) targets() {
	named := false
	for _, t := range l.Facts.Targets {
		public := t.Username != "" && strings.HasPrefix(t.URL, "https://t.me/")
		named = named || public
		seen := later(t.LastSeen, t.CheckedAt)
		switch age := l.Now.Sub(seen); {
		case l.route.Plain || !l.route.Takedown:
		case age > 72*time.Hour:
			l.add(Error, "L10", "%s was last seen %s, more than 72 hours ago: run 'prahari recheck', then draft again", t.name(), both(seen))
		case age > 24*time.Hour:
			l.add(Warning, "L10", "%s was last seen %s, more than 24 hours ago", t.name(), both(seen))
		}
		if l.route.Takedown && evidence.Observation(t.Status).Gone() {
			l.add(Warning, "L10", "%s is %s already, as seen %s", t.name(), t.Status, both(t.CheckedAt))
		}
		if !public && strings.HasPrefix(l.Notice.Kind, "telegram-") {
			l.add(Warning, "L17", "%s is not public, and Telegram acts on public content only: go by an agency or a court", t.name())
		}
	}
	switch {
	case l.route.Plain:
	case !named:
		l.add(Error, "L02", "no target has a public name and link")
	default:
		for name, text := range l.texts {
			if !slices.ContainsFunc(l.Facts.Targets, func(t Target) bool { return t.namedIn(name, text) }) {
				l.add(Error, "L02", "%s names no target by its exact t.me link or @name", name)
			}
		}
	}
}

// namedIn reports whether a form names the target by its exact link or @name. A
// PDF's lines may break within a link.
func (t Target) namedIn(form, text string) bool {
	text = strings.ReplaceAll(text, "\\", "") // Markdown's
	if t.Username == "" || t.URL == "" {
		return false
	}
	if strings.HasSuffix(form, ".pdf") && strings.Contains(strings.Join(strings.Fields(text), ""), t.URL) {
		return true
	}
	return regexp.MustCompile(`(?i)(?:` + regexp.QuoteMeta(t.URL) + `|(?:^|[^\w.])@` + regexp.QuoteMeta(t.Username) + `)(?:\W|$)`).MatchString(text)
}

// clockSentences: each rests on one row that holds at its trigger.
func (l *linter) clockSentences() {
	row := regexp.MustCompile(`\brow ([A-Z]{2}-[\w.-]+)`)
	period := regexp.MustCompile(`(?i)\bwithin (\d+) (hours?|days?)\b`)
	for line := range strings.Lines(l.Notice.Markdown) {
		cited := row.FindStringSubmatch(line)
		if period.MatchString(line) && cited == nil && strings.HasPrefix(line, "- ") {
			l.add(Error, "L03", "a clock is stated without the row of the table it comes from: %q", evidence.Caption(line, 80))
		}
		if cited == nil {
			continue
		}
		at := slices.IndexFunc(l.Deadlines, func(d Deadline) bool { return d.ID == cited[1] })
		if at < 0 {
			l.add(Error, "L03", "the row %s is not in the table", cited[1])
			continue
		}
		trigger := l.Notice.DraftedAt
		if l.route.Trigger == "detected" {
			trigger = l.Facts.Detected
		}
		if held, err := l.Clock(l.Deadlines[at].Clock, trigger); l.route.Trigger != "answered" && (err != nil || held.ID != cited[1]) {
			l.add(Error, "L03", "the row %s does not hold any more, or not for certain: draft again", cited[1])
		}
		if l.Deadlines[at].Confidence == Unconfirmed {
			l.add(Error, "L08", "the row %s is unconfirmed: it cannot be cited", cited[1])
		}
	}
	if strings.Contains(l.Notice.Markdown, "CHECK: no clock is asserted") {
		l.add(Warning, "L03", "a clock could not be asserted: see 'CHECK' in the draft")
	}
	for _, g := range l.Grounds {
		if g.Confidence == Unconfirmed && strings.Contains(l.Notice.Markdown, g.Citation) {
			l.add(Error, "L08", "%s is unconfirmed: it cannot be cited", g.Citation)
		}
	}
}

func (l *linter) complainant() {
	own := l.Facts.Answers.Complainant
	capacity := strings.ToLower(own.Capacity)
	for _, text := range l.texts {
		if hours(text, "3", "three", "३", "तीन", "180") && (l.Facts.Answers.CourtOrder.What == "" || len(l.Facts.Answers.CourtOrder.SHA256) != 64) {
			l.add(Error, "L04", "the three-hour clock needs a court order or an authorised intimation, attached and hashed ('court_order' in the facts file)")
		}
		theirs := strings.Contains(capacity, "individual") || strings.Contains(capacity, "agent")
		if hours(text, "2", "two", "२", "दो", "120") && !(l.Facts.Answers.PrivateImages && theirs) {
			l.add(Error, "L05", "the two-hour clock is for images of rule 3(2)(b), on complaint of the individual or their agent")
		}
	}
	switch expires, err := time.ParseInLocation(time.DateOnly, own.AuthorityExpires, ist); {
	case !strings.HasPrefix(l.Notice.Kind, "telegram-") && l.Notice.Kind != "gac-appeal": // others ask for it in their own words
	case own.Capacity == "":
		l.add(Error, "L07", "the capacity of the complainant is not stated: 'capacity' in the facts file")
	case strings.Contains(capacity, "agent") && own.Authority == "":
		l.add(Error, "L07", "an authorised agent attaches the authority: name it under 'authority'")
	case own.AuthorityExpires != "" && err != nil:
		l.add(Error, "L07", "'authority_expires' is no day such as 2026-12-31")
	case own.AuthorityExpires != "" && !l.Now.Before(expires):
		l.add(Error, "L07", "the authority of the agent expired on %s", own.AuthorityExpires)
	}
}

// hours reports whether a text states a clock of so many hours, in digits, words,
// Hindi or minutes.
func hours(text, digits, word, hindiDigits, hindiWord, minutes string) bool {
	return regexp.MustCompile(`(?i)\b(?:` + digits + `|` + word + `)[\s-]*(?:hours?|hrs?|h)\b` +
		`|(?:^|[^\d०-९])(?:` + digits + `|` + hindiDigits + `|` + hindiWord + `)\s*(?:घंट|घण्ट|घन्ट)` +
		`|\b` + minutes + `[\s-]*min`).MatchString(text)
}

// wording: nothing that claims more than is known.
func (l *linter) wording() {
	for name, text := range l.texts {
		if word := l.Never.banned.FindString(text); word != "" {
			l.add(Error, "L12", "%q claims more than anybody can (%s)", word, name)
		}
		if claim := l.Never.attribution(text); claim != "" && l.Facts.Answers.SourceBasis == "" {
			l.add(Error, "L16", "%q says where the data comes from (%s): write \"consistent with\", or name the published basis under 'source_basis'", claim, name)
		}
		for _, said := range l.Never.basis(l.Notice.Kind, l.Facts, text) {
			l.add(Error, "L06", "%s", said)
		}
		for _, label := range []string{"TLP:CLEAR", "TLP:WHITE", "TLP:GREEN", "TLP:AMBER"} {
			if strings.Contains(strings.ReplaceAll(text, DefaultTLP, ""), label) {
				l.add(Error, "L14", "%s is weaker than the bundle's %s (%s)", label, DefaultTLP, name)
			}
		}
	}
	if len(l.Facts.Samples) > maxSamples {
		l.add(Error, "L13", "%d samples; at most %d are shown", len(l.Facts.Samples), maxSamples)
	}
	for i, s := range l.Facts.Samples {
		if len(l.Find(s)) > 0 {
			l.add(Error, "L13", "sample %d is not masked", i+1)
		}
	}
	if regexp.MustCompile(`(?m)^- .*\b\d+ distinct\b|: \d+ .*distinct`).MatchString(l.Notice.Markdown) && !strings.Contains(l.Notice.Markdown, "distinct keyed digests") {
		l.add(Error, "L13", "the counts do not say how they were counted")
	}
	if !strings.Contains(l.Notice.Subject, DefaultTLP) || !strings.HasPrefix(l.Notice.Markdown, DefaultTLP) {
		l.add(Error, "L14", "the label %s is missing in subject or header", DefaultTLP)
	}
}

// legal: what law and route demand.
func (l *linter) legal() {
	needs := func(what string, has bool, say string) {
		if slices.Contains(l.route.Needs, what) && !has {
			l.add(Error, "L06", "%s", say)
		}
	}
	needs("eu", l.Facts.Answers.EU.Nexus != "", "no link with the EU is stated: 'nexus' under 'eu' in the facts file")
	needs("aadhaar", l.Facts.has(evidence.Aadhaar), "the case has no Aadhaar finding")
	if l.route.Confidence != Confirmed && !l.RouteAccepted {
		l.add(Error, "L09", "the route is %s: verify it, then approve with --route-verified", l.route.Confidence)
	}
	if l.route.Confidence != Confirmed && !strings.Contains(l.Notice.Markdown, "Verify it before first use.") {
		l.add(Error, "L09", "the draft has no banner that its route is %s", l.route.Confidence)
	}
	if l.route.Beside != "" && !slices.ContainsFunc(l.Others, func(n evidence.Notice) bool { return n.Kind == l.route.Beside && n.Step() != evidence.NoticeWithdrawn }) {
		l.add(Warning, "L09", "%s is never the sole route: draft %s too", l.Notice.Kind, l.route.Beside)
	}
	if l.route.InForce > l.Now.In(ist).Format(time.DateOnly) && !strings.Contains(l.Notice.Markdown, "not yet in force") {
		l.add(Error, "L22", "the draft has no banner that its duty is not yet in force")
	}
	if l.Facts.Answers.CSAM {
		l.add(Error, "L20", "%v", ErrCSAM)
	}
	if l.route.Takedown && l.Facts.Answers.JournalistCheck == "" {
		l.add(Error, "G25", "nobody said whether the channel is a journalist's or a whistleblower's: 'journalist_check' in the facts file")
	}
	if l.route.Amends && l.Facts.Answers.Withdrawal.Notice == "" {
		l.add(Error, "L11", "the notice that is corrected or withdrawn is not named: 'notice' under 'withdrawal' in the facts file")
	}
	for _, n := range l.Others {
		if n.ID != l.Notice.ID && n.Kind == l.Notice.Kind && n.Recipient == l.Notice.Recipient && n.Language == l.Notice.Language &&
			(n.Step() == evidence.NoticeSent || n.Step() == evidence.NoticeAnswered || n.Step() == evidence.NoticeApproved) && !l.Notice.FollowUp {
			l.add(Error, "L11", "%s of the same kind to the same recipient is %s: draft with --follow-up, or withdraw it", n.ID, n.Step())
		}
	}
}

// evidence: what the notice rests on, and that it is still the same.
func (l *linter) evidence() {
	if !l.route.Plain {
		b := l.Facts.Bundle
		switch {
		case b.ID == "":
			l.add(Error, "L15", "no bundle of the case was exported: run 'prahari bundle export %s', then draft again", l.Notice.CaseID)
		case !strings.Contains(l.Notice.Markdown, b.ID) || !strings.Contains(l.Notice.Markdown, b.TagManifestSHA256):
			l.add(Error, "L15", "the draft does not name the bundle %s with its hash: draft again", b.ID)
		case b.StampedAt.IsZero():
			l.add(Warning, "L15", "the bundle has no time-stamp that is recorded")
		}
		if len(l.Facts.EvidenceIDs) == 0 || !slices.ContainsFunc(l.Facts.EvidenceIDs, func(id string) bool { return strings.Contains(l.Notice.Markdown, id) }) {
			l.add(Error, "L23", "no evidence id is named")
		}
	}
	if l.FactsSHA256 != "" && l.FactsSHA256 != l.Notice.FactsSHA256 {
		l.add(Error, "L24", "the facts changed since the draft: draft again")
	}
	if !strings.Contains(l.Notice.Markdown, l.Notice.FactsSHA256) {
		l.add(Error, "L24", "the draft does not print the hash of its facts")
	}
}

// people: who may decide.
func (l *linter) people() {
	for _, what := range l.Authorisations {
		l.add(Error, "L25", "%s", what)
	}
	if l.Approver != "" && evidence.SamePerson(l.Approver, l.Notice.DraftedBy) {
		l.add(Error, "L26", "%s drafted it: another person approves", l.Notice.DraftedBy)
	}
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
	a = strings.TrimPrefix(digits(a), "91")
	return len(a) >= 8 && strings.Contains(digits(b), a)
}
