package report

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"prahari/evidence"
)

//go:embed template/*.md
var templateFiles embed.FS

// Languages of templates.
const (
	English = "en"
	Hindi   = "hi"
)

// A frame is what every notice states of itself.
type frame struct {
	TLP, NoticeID, DraftedBy, FactsSHA256 string
	Now                                   time.Time
	Banners                               []string
}

// A page is what templates see. No text in it is markup.
type page struct {
	Frame   frame
	Facts   Facts
	Answers Answers
	Route   Route
	Subject string
	Grounds []Ground
	Clocks  []string
}

// file returns a template's name and text: a user's where there is one.
func (b *Book) file(base string) (name, text string, err error) {
	if b.templates != nil {
		raw, err := fs.ReadFile(b.templates, base)
		if err == nil {
			return "templates/" + base, string(raw), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", "", fmt.Errorf("reading templates/%s: %w", base, err)
		}
	}
	raw, err := templateFiles.ReadFile("template/" + base)
	return base, string(raw), err
}

// template parses the template of a kind with the parts that all share; name is
// that of its file.
func (b *Book) template(kind, language string) (t *template.Template, name string, err error) {
	ending := ".md"
	if language == Hindi {
		ending = ".hi.md"
	}
	t = template.New("").Option("missingkey=error").Funcs(template.FuncMap{
		"blank": blank, "both": both, "utc": utc, "certin": certin, "certinUTC": certinUTC, "target": Target.line, "kind": kindName, "kindHindi": kindHindi,
	})
	for _, base := range []string{"parts" + ending, kind + ending} {
		var text string
		if name, text, err = b.file(base); err != nil {
			return nil, name, err
		}
		if _, err := t.New(name).Parse(text); err != nil {
			return nil, name, placeOf(err)
		}
	}
	return t, name, nil
}

func (b *Book) render(kind, language string, p page) (string, error) {
	t, name, err := b.template(kind, language)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if err := t.ExecuteTemplate(&out, name, p); err != nil {
		return "", placeOf(err)
	}
	tidy := regexp.MustCompile(`\n{3,}`).ReplaceAllString(out.String(), "\n\n")
	return evidence.Printable(strings.TrimSpace(tidy) + "\n"), nil
}

// errTemplate matches what text/template says of a fault: file, line, and where
// it was executing, the field.
var errTemplate = regexp.MustCompile(`^template: ([^:]+):(\d+)(?::\d+)?: (?:executing "[^"]*" at <([^>]*)>: )?(.*)$`)

// placeOf says of a fault in a template its file, its line and the field.
func placeOf(err error) error {
	m := errTemplate.FindStringSubmatch(strings.Join(strings.Fields(err.Error()), " "))
	if m == nil {
		return fmt.Errorf("template: %w", err)
	}
	what := m[4]
	if m[3] != "" {
		what = m[3] + ": " + what
	}
	return fmt.Errorf("%s, line %s: %s; correct the file, or remove it to use the one that comes with prahari", m[1], m[2], evidence.Caption(what, 200))
}

// CheckTemplates drafts every kind in every language, once with nothing and once
// with everything known, and returns what is wrong with the templates.
func (b *Book) CheckTemplates(facts Facts) []error {
	var faults []error
	for _, r := range b.Routes {
		for _, language := range []string{English, Hindi} {
			if !r.speaks(language) {
				continue
			}
			for _, f := range []Facts{{}, facts} {
				if _, err := b.render(r.Kind, language, page{Facts: escaped(f), Answers: escaped(f.Answers), Route: r}); err != nil {
					if !slices.ContainsFunc(faults, func(e error) bool { return e.Error() == err.Error() }) {
						faults = append(faults, err)
					}
				}
			}
		}
	}
	return faults
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

func kindHindi(k evidence.Kind) string {
	names := map[evidence.Kind]string{
		evidence.Aadhaar: "आधार नंबर जैसी संख्याएँ", evidence.VID: "आधार वर्चुअल आईडी", evidence.Mobile: "भारतीय मोबाइल नंबर",
		evidence.PAN: "पैन (PAN) जैसे मान", evidence.Email: "ई-मेल पते",
	}
	if name, ok := names[k]; ok {
		return name
	}
	return string(k)
}

// certin is the form that CERT-In's report asks for.
func certin(t time.Time) string    { return t.In(ist).Format("02/01/2006 15:04") }
func certinUTC(t time.Time) string { return t.UTC().Format("02/01/2006 15:04") }

// Templates yields ours by the names of their files.
func Templates() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		entries, err := templateFiles.ReadDir("template")
		if err != nil {
			return
		}
		for _, e := range entries {
			text, err := templateFiles.ReadFile("template/" + e.Name())
			if err != nil || !yield(e.Name(), string(text)) {
				return
			}
		}
	}
}

// Example is an invented case in which everything is known, to try templates on.
func Example() Facts {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	f := Facts{
		Case: Case{"CASE0000", "Example"}, Counts: []Count{{Kind: evidence.Aadhaar, Distinct: 2, PerMessage: true}, {Kind: evidence.Mobile, Distinct: 3}}, Samples: []string{"aadhaar XXXX XXXX 1234"},
		Messages: 2, Findings: 2, Occurred: at, Detected: at, EvidenceIDs: []string{"ev-example"}, Detector: "prahari",
		Bundle:  Bundle{"EB-CASE0000-0001-20261120T100000Z", strings.Repeat("0", 64), at, at},
		Targets: []Target{{Source: "channel-1", Username: "example", PeerID: 1, Kind: evidence.Channel, Title: "Example", URL: "https://t.me/example", FirstSeen: at, LastSeen: at, Status: "live", CheckedAt: at, Messages: []TargetMessage{{1, "https://t.me/example/1", at, true}}}},
	}
	fill(reflect.ValueOf(&f.Answers).Elem())
	f.Answers.CSAM = false
	return f
}

func fill(v reflect.Value) {
	for i := range v.NumField() {
		switch field := v.Field(i); field.Kind() {
		case reflect.String:
			field.SetString("known")
		case reflect.Struct:
			fill(field)
		}
	}
}
