// Package report drafts notices: takedown requests and incident reports, as
// Markdown to read and as mail that a person opens, completes and sends. It
// sends nothing. Law, routes and grounds are data with sources and doubts
// (data/); what a draft says of a case comes from its facts, and what nobody has
// answered stays a visible blank.
package report

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/goccy/go-yaml"

	"prahari/evidence"
)

//go:embed data/*.yaml
var dataFiles embed.FS

//go:embed template/*.md
var templateFiles embed.FS

// ErrNoKind says that there is no such kind of notice.
var ErrNoKind = errors.New("no such kind of notice")

// A Confidence says how well a fact of law or a route is known.
type Confidence string

// Confidences: the primary text was read; law firms or news say so; from general
// knowledge, never to be printed as fact.
const (
	Confirmed   Confidence = "confirmed"
	Secondary   Confidence = "secondary"
	Unconfirmed Confidence = "unconfirmed"
)

// A Route is where a kind of notice goes.
type Route struct {
	Kind       string     `yaml:"kind" json:"kind"` // "telegram-abuse-mail"
	Title      string     `yaml:"title" json:"title"`
	Recipient  string     `yaml:"recipient" json:"recipient"`
	Addressee  string     `yaml:"addressee" json:"addressee"`
	Confidence Confidence `yaml:"confidence" json:"confidence"`
	Source     string     `yaml:"source" json:"source"`
	VerifiedOn string     `yaml:"verified_on" json:"verified_on"` // 2026-11-23
	Clocks     []string   `yaml:"clocks" json:"clocks"`
}

// A Ground is a provision that a takedown request may cite.
type Ground struct {
	ID         string          `yaml:"id"`
	Citation   string          `yaml:"citation"`
	Says       string          `yaml:"says"`
	Needs      []evidence.Kind `yaml:"needs"` // kinds of identifier of which the case must have one
	Source     string          `yaml:"source"`
	Confidence Confidence      `yaml:"confidence"`
}

// A Book is the data that drafts rest on.
type Book struct {
	Routes    []Route    `yaml:"routes"`
	Deadlines []Deadline `yaml:"deadlines"`
	Grounds   []Ground   `yaml:"grounds"`
}

// Open reads the data that comes with the program; files of the same name in
// corrections, where it is not nil, take their place.
func Open(corrections fs.FS) (*Book, error) {
	var b Book
	for _, name := range []string{"routes.yaml", "deadlines.yaml", "grounds.yaml"} {
		raw, err := dataFiles.ReadFile("data/" + name)
		if err != nil {
			return nil, err
		}
		if corrections != nil {
			switch corrected, err := fs.ReadFile(corrections, name); {
			case err == nil:
				raw = corrected
			case !errors.Is(err, fs.ErrNotExist):
				return nil, fmt.Errorf("reading the corrected %s: %w", name, err)
			}
		}
		if err := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict()).Decode(&b); err != nil {
			return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
		}
	}
	for _, d := range b.Deadlines {
		if err := d.check(); err != nil {
			return nil, fmt.Errorf("deadlines.yaml: row %q: %w", d.ID, err)
		}
	}
	for _, r := range b.Routes {
		if _, err := fs.Stat(templateFiles, "template/"+r.Kind+".md"); err != nil {
			return nil, fmt.Errorf("routes.yaml: there is no template for the kind %q", r.Kind)
		}
		if _, err := time.Parse(time.DateOnly, r.VerifiedOn); err != nil {
			return nil, fmt.Errorf("routes.yaml: %s: verified_on %q is no date", r.Kind, r.VerifiedOn)
		}
	}
	return &b, nil
}

// DraftOptions say which draft is made.
type DraftOptions struct {
	NoticeID  string
	Now       time.Time // also taken as the trigger of clocks: "if received now"
	DraftedBy string
}

// A Draft is a notice with what it was made of.
type Draft struct {
	Notice evidence.Notice
	Route  Route
	Rows   []Deadline // whose clocks it states
}

// DefaultTLP is the label of everything that holds victims' data.
const DefaultTLP = "TLP:AMBER+STRICT"

// frame is what every notice states of itself.
type frame struct {
	TLP, NoticeID, DraftedBy, FactsSHA256 string
	Now                                   time.Time
	Banners                               []string
}

type page struct {
	Frame   frame
	Facts   Facts
	Route   Route
	Subject string
	Grounds []Ground
	Clocks  []string
}

// Draft writes one notice of a case.
func (b *Book) Draft(kind string, facts Facts, o DraftOptions) (Draft, error) {
	at := slices.IndexFunc(b.Routes, func(r Route) bool { return r.Kind == kind })
	if at < 0 {
		return Draft{}, fmt.Errorf("%q: %w", evidence.Caption(kind, 40), ErrNoKind)
	}
	d := Draft{Route: b.Routes[at]}
	raw, err := facts.Encode()
	if err != nil {
		return Draft{}, err
	}
	p := page{
		Facts: facts, Route: d.Route, Subject: subject(kind, facts, o.NoticeID), Grounds: b.grounds(facts),
		Frame: frame{TLP: DefaultTLP, NoticeID: o.NoticeID, DraftedBy: o.DraftedBy, FactsSHA256: evidence.Digest(raw), Now: o.Now},
	}
	if d.Route.Confidence != Confirmed {
		p.Frame.Banners = append(p.Frame.Banners, fmt.Sprintf("The route %s is %s. Verify it before first use.", d.Route.Recipient, d.Route.Confidence))
	}
	if stale(d.Route.VerifiedOn, o.Now) {
		p.Frame.Banners = append(p.Frame.Banners, "The route was last verified on "+d.Route.VerifiedOn+", more than 90 days ago. Verify it again.")
	}
	for _, clock := range d.Route.Clocks {
		row, err := b.Clock(clock, o.Now)
		if err != nil {
			p.Clocks = append(p.Clocks, fmt.Sprintf("CHECK: no clock is asserted for %s: %v", clock, err))
			continue
		}
		p.Clocks = append(p.Clocks, row.sentence(o.Now))
		d.Rows = append(d.Rows, row)
		if stale(row.VerifiedOn, o.Now) {
			p.Frame.Banners = append(p.Frame.Banners, fmt.Sprintf("The clock %s was last verified on %s, more than 90 days ago. Verify it again.", row.ID, row.VerifiedOn))
		}
	}
	markdown, err := render(kind, p)
	if err != nil {
		return Draft{}, err
	}
	d.Notice = evidence.Notice{
		ID: o.NoticeID, CaseID: facts.Case.ID, Kind: kind, Subject: p.Subject, Markdown: markdown,
		FactsSHA256: p.Frame.FactsSHA256, DraftedAt: o.Now.UTC(), DraftedBy: o.DraftedBy,
	}
	d.Notice.EML, err = mail(d, facts)
	return d, err
}

func subject(kind string, facts Facts, id string) string {
	var names []string
	for _, t := range facts.Targets {
		names = append(names, t.name())
	}
	about := strings.Join(names[:min(len(names), 3)], ", ")
	if len(names) > 3 {
		about += fmt.Sprintf(" and %d more", len(names)-3)
	}
	what := "Takedown request – exposed personal data (India)"
	if kind == "certin-incident" {
		what = "Incident report – personal data published on Telegram"
	}
	return evidence.Caption(fmt.Sprintf("[%s] %s – %s – %s", DefaultTLP, what, about, id), 200)
}

// grounds picks what the case's findings support.
func (b *Book) grounds(facts Facts) []Ground {
	var out []Ground
	for _, g := range b.Grounds {
		if g.Confidence == Unconfirmed {
			continue
		}
		if len(g.Needs) == 0 || slices.ContainsFunc(facts.Counts, func(c Count) bool { return slices.Contains(g.Needs, c.Kind) && c.Distinct > 0 }) {
			out = append(out, g)
		}
	}
	return out
}

func render(kind string, p page) (string, error) {
	source, err := templateFiles.ReadFile("template/" + kind + ".md")
	if err != nil {
		return "", err
	}
	t, err := template.New(kind).Option("missingkey=error").Funcs(template.FuncMap{
		"blank": blank, "both": both, "utc": utc, "certin": certin, "target": Target.line, "kind": kindName,
	}).Parse(string(source))
	if err != nil {
		return "", fmt.Errorf("template %s: %w", kind, err)
	}
	var out strings.Builder
	if err := t.Execute(&out, p); err != nil {
		return "", fmt.Errorf("template %s: %w", kind, err)
	}
	return evidence.Printable(out.String()), nil
}

// blankMark begins every place that a person must fill.
const blankMark = "[[TO FILL: "

func blank(question string) string { return blankMark + question + "]]" }

func kindName(k evidence.Kind) string {
	names := map[evidence.Kind]string{
		evidence.Aadhaar: "Aadhaar-shaped numbers with a valid check digit or label", evidence.VID: "Aadhaar virtual ids", evidence.Mobile: "Indian mobile numbers",
		evidence.PAN: "PAN-shaped values", evidence.Email: "e-mail addresses",
	}
	if name, ok := names[k]; ok {
		return name
	}
	return string(k) + " values"
}

// ist is India's time, which the law's clocks are read in.
var ist = time.FixedZone("IST", 5*3600+1800) //nolint:gochecknoglobals // a constant that Go cannot write as one

func both(t time.Time) string { return t.In(ist).Format("2006-01-02 15:04 IST") + " (" + utc(t) + ")" }

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// certin is the form that CERT-In's report asks for.
func certin(t time.Time) string { return t.In(ist).Format("02/01/2006 15:04") }

// stale reports whether a date lies more than 90 days back.
func stale(verified string, now time.Time) bool {
	on, err := time.ParseInLocation(time.DateOnly, verified, ist)
	return err != nil || now.Sub(on) > 91*24*time.Hour
}
