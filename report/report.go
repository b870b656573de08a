// Package report drafts notices: takedown requests and incident reports, as
// Markdown to read and as mail that a person opens, completes and sends. It
// sends nothing. Law, routes and grounds are data with sources and doubts
// (data/); what a draft says of a case comes from its facts, and what nobody has
// answered stays a visible blank.
package report

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"prahari/evidence"
)

//go:embed data/*.yaml
var dataFiles embed.FS

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
	Channel    string     `yaml:"channel" json:"channel"`     // mail, form, portal, app, handover
	Recipient  string     `yaml:"recipient" json:"recipient"` // a mail address; "": none is known, or it is no mail
	Addressee  string     `yaml:"addressee" json:"addressee"`
	Confidence Confidence `yaml:"confidence" json:"confidence"`
	Source     string     `yaml:"source" json:"source"`
	VerifiedOn string     `yaml:"verified_on" json:"verified_on"` // 2026-11-23
	Clocks     []string   `yaml:"clocks" json:"clocks"`
	Trigger    string     `yaml:"trigger" json:"trigger,omitempty"` // of the clocks: sent (""), detected, answered
	Subject    string     `yaml:"subject" json:"-"`
	SubjectHi  string     `yaml:"subject_hi" json:"-"`
	Languages  []string   `yaml:"languages" json:"languages,omitempty"` // none: English
	Needs      []string   `yaml:"needs" json:"needs,omitempty"`         // eu, aadhaar
	Plain      bool       `yaml:"plain" json:"-"`                       // without addresses of the leak
	Takedown   bool       `yaml:"takedown" json:"-"`
	Amends     bool       `yaml:"amends" json:"-"` // a notice that was sent
	InForce    string     `yaml:"in_force_from" json:"in_force_from,omitempty"`
	Beside     string     `yaml:"beside" json:"beside,omitempty"` // the kind that it must not go without
}

// speaks reports whether the route has templates in a language.
func (r Route) speaks(language string) bool {
	return language == English && len(r.Languages) == 0 || slices.Contains(r.Languages, language)
}

func (r Route) check() error {
	switch {
	case r.Title == "" || r.Addressee == "" || r.Source == "":
		return errors.New("title, addressee and source are required")
	case !slices.Contains([]string{"mail", "form", "portal", "app", "handover"}, r.Channel):
		return fmt.Errorf("channel %q is none of mail, form, portal, app, handover", evidence.Caption(r.Channel, 20))
	case !slices.Contains([]Confidence{Confirmed, Secondary, Unconfirmed}, r.Confidence):
		return fmt.Errorf("confidence %q is none of confirmed, secondary, unconfirmed", evidence.Caption(string(r.Confidence), 20))
	case !slices.Contains([]string{"", "sent", "detected", "answered"}, r.Trigger):
		return fmt.Errorf("trigger %q is none of sent, detected, answered", evidence.Caption(r.Trigger, 20))
	}
	for _, date := range []string{r.VerifiedOn, r.InForce} {
		if _, err := time.Parse(time.DateOnly, date); err != nil && (date != "" || r.VerifiedOn == "") {
			return fmt.Errorf("%q is not a date such as 2026-11-23", evidence.Caption(date, 20))
		}
	}
	return nil
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
	Never     Never      `yaml:"-"`

	templates fs.FS // a user's, before ours; may be nil
}

// Open reads the data that comes with the program; files of the same name in
// corrections, where it is not nil, take their place. Templates of the same name
// in templates, where it is not nil, take the place of ours.
func Open(corrections, templates fs.FS) (*Book, error) {
	b := Book{templates: templates}
	for name, into := range map[string]any{"routes.yaml": &b, "deadlines.yaml": &b, "grounds.yaml": &b, "lint.yaml": &b.Never} {
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
		if err := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict()).Decode(into); err != nil {
			return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
		}
	}
	for _, d := range b.Deadlines {
		if err := d.check(); err != nil {
			return nil, fmt.Errorf("deadlines.yaml: row %q: %w", d.ID, err)
		}
	}
	for i := range b.Routes {
		b.Routes[i].Channel = cmp.Or(b.Routes[i].Channel, "mail")
		b.Routes[i].Subject = cmp.Or(b.Routes[i].Subject, b.Routes[i].Title)
	}
	for _, r := range b.Routes {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("routes.yaml: %s: %w", evidence.Caption(r.Kind, 40), err)
		}
		if _, _, err := b.template(r.Kind, English); errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
			return nil, fmt.Errorf("routes.yaml: there is no template for the kind %q", evidence.Caption(r.Kind, 40))
		} else if err != nil {
			return nil, err
		}
	}
	if err := b.Never.compile(); err != nil {
		return nil, fmt.Errorf("lint.yaml: %w", err)
	}
	return &b, nil
}

// Route returns the route of a kind.
func (b *Book) Route(kind string) (Route, error) {
	at := slices.IndexFunc(b.Routes, func(r Route) bool { return r.Kind == kind })
	if at < 0 {
		return Route{}, fmt.Errorf("%q: %w", evidence.Caption(kind, 40), ErrNoKind)
	}
	return b.Routes[at], nil
}

// DefaultTLP is the label of everything that holds victims' data.
const DefaultTLP = "TLP:AMBER+STRICT"

// ist is India's time, which the law's clocks are read in.
var ist = time.FixedZone("IST", 5*3600+1800) //nolint:gochecknoglobals // a constant that Go cannot write as one

func both(t time.Time) string { return t.In(ist).Format("2006-01-02 15:04 IST") + " (" + utc(t) + ")" }

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// stale reports whether a date lies more than 90 days back.
func stale(verified string, now time.Time) bool {
	on, err := time.ParseInLocation(time.DateOnly, verified, ist)
	return err != nil || now.Sub(on) > 91*24*time.Hour
}
