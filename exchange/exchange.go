// Package exchange renders a case in the formats that other desks' programs
// read: XARF, STIX, MISP, CASE/UCO, CSV and NDJSON. All of them carry masked
// values, counts and public addresses only, marked with the case's TLP; nothing
// is sent anywhere.
package exchange

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"prahari/evidence"
)

// ErrNoFormat says that there is no such format.
var ErrNoFormat = errors.New("no such format")

// ErrNothing says that a format has nothing to say of a case.
var ErrNothing = errors.New("nothing to export")

// An Organisation reports.
type Organisation struct{ Name, Email, Domain string }

// A Case is what the formats say of one.
type Case struct {
	Case         evidence.Case
	Items        []evidence.Evidence // those without a finding are left out
	Distinct     map[evidence.Kind]int
	Organisation Organisation
	Tool         evidence.Tool
	TLP          string    // "TLP:AMBER+STRICT"
	At           time.Time // of the export
}

// A File is one file of an export.
type File struct {
	Name, Type string // "xarf.json", "application/json"
	Content    []byte
}

// Formats lists the names of the formats.
func Formats() []string { return []string{"xarf", "stix", "misp", "case", "csv", "ndjson"} }

// Export renders a case in one format: one file, but for XARF, which has one for
// each source.
func (c Case) Export(format string) ([]File, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	switch format {
	case "xarf":
		return c.xarf()
	case "stix":
		return one("stix.json", "application/stix+json", c.stix())
	case "misp":
		return one("misp.json", "application/json", c.misp())
	case "case":
		return one("case.jsonld", "application/ld+json", c.uco())
	case "csv":
		content, err := c.table()
		return []File{{"findings.csv", "text/csv", content}}, err
	case "ndjson":
		content, err := c.lines()
		return []File{{"case.ndjson", "application/x-ndjson", content}}, err
	}
	return nil, fmt.Errorf("%q: %w; there are %s", evidence.Caption(format, 20), ErrNoFormat, strings.Join(Formats(), ", "))
}

func (c Case) check() error {
	switch {
	case c.Case.ID == "" || c.At.IsZero() || c.TLP == "":
		return errors.New("exchange: Case, At and TLP are required")
	case c.Organisation.Name == "" || c.Organisation.Email == "":
		return fmt.Errorf("%w: the organisation has no name or no e-mail address, fill in 'organisation' in prahari.yaml", ErrNothing)
	case len(c.sources()) == 0:
		return fmt.Errorf("%w: case %s has no finding", ErrNothing, c.Case.ID)
	}
	return nil
}

func one(name, mediaType string, v any) ([]File, error) {
	content, err := indented(v)
	return []File{{name, mediaType, content}}, err
}

// indented keeps lines short, so that mail breaks none of them within a value.
func indented(v any) ([]byte, error) {
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encoding the export: %w", err)
	}
	return append(out, '\n'), nil
}

// A source with the items that were found in it.
type source struct {
	evidence.Source
	items []evidence.Evidence
}

// sources groups the items that have findings, in the order of their posting.
func (c Case) sources() []source {
	var out []source
	items := slices.DeleteFunc(slices.Clone(c.Items), func(e evidence.Evidence) bool { return len(e.Findings) == 0 })
	slices.SortStableFunc(items, func(a, b evidence.Evidence) int {
		return cmp.Or(a.PostedAt.Compare(b.PostedAt), cmp.Compare(a.ID, b.ID))
	})
	for _, e := range items {
		at := slices.IndexFunc(out, func(s source) bool { return s.ID == e.Source.ID })
		if at < 0 {
			at = len(out)
			out = append(out, source{Source: e.Source})
		}
		out[at].items = append(out[at].items, e)
	}
	return out
}

// records counts the people whose records the items hold, as kept.
func (s source) records() int {
	n := 0
	for _, e := range s.items {
		for _, f := range e.Findings {
			n += len(f.Records)
		}
	}
	return n
}

func (s source) first() evidence.Evidence { return s.items[0] }
func (s source) last() evidence.Evidence  { return s.items[len(s.items)-1] }

// confidence is that of the surest finding.
func (s source) confidence() float64 {
	best := 0.0
	for _, e := range s.items {
		for _, f := range e.Findings {
			best = max(best, f.Confidence)
		}
	}
	return min(best, 1)
}

// address is where the source is public; "" where it is not.
func (s source) address() string {
	if u := s.URL(); strings.HasPrefix(u, "https://t.me/") {
		return u
	}
	return ""
}

// kinds lists the kinds of identifier in the items.
func (s source) kinds() []evidence.Kind {
	var out []evidence.Kind
	for _, e := range s.items {
		for _, f := range e.Findings {
			for _, r := range f.Records {
				for _, i := range r.Identifiers {
					if !slices.Contains(out, i.Kind) {
						out = append(out, i.Kind)
					}
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// summary says in one masked sentence what was seen.
func (c Case) summary() string {
	var parts []string
	kinds := make([]evidence.Kind, 0, len(c.Distinct))
	for k := range c.Distinct {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		if c.Distinct[k] > 0 {
			parts = append(parts, fmt.Sprintf("%d distinct %s", c.Distinct[k], k))
		}
	}
	s := "Personal data published on Telegram, observed and masked; an observed sample, not the extent."
	if len(parts) > 0 {
		s += " Full values counted as distinct keyed digests: " + strings.Join(parts, ", ") + "."
	}
	return s
}

// stamp is RFC 3339 in UTC with milliseconds, as STIX asks for.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// own makes ids of ours from names; the same case has the same ids in every
// export.
func own(parts ...string) uuid.UUID {
	space := uuid.MustParse("6f2c1d3a-52f7-5d0e-9c0a-7a1b6a1f0c55") // drawn once, for prahari alone
	return lettered(func(n byte) uuid.UUID { return uuid.NewSHA1(space, append([]byte(strings.Join(parts, "\x00")), n)) })
}

// v4 has the form of a random UUID, made of what it names: XARF asks for that
// form, and the same report keeps its id.
func v4(parts ...string) string {
	return lettered(func(n byte) (id uuid.UUID) {
		sum := sha256.Sum256(append([]byte(strings.Join(parts, "\x00")), n))
		copy(id[:], sum[:])
		id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
		return id
	}).String()
}

// lettered tries until an id looks like no identifier of a person, to the leak
// gate or to anybody else.
func lettered(try func(n byte) uuid.UUID) uuid.UUID {
	for n := byte(0); ; n++ {
		if id := try(n); n == 255 || plain(id) {
			return id
		}
	}
}

// likePerson is what a number of hexadecimal digits may spell by chance: seven
// digits in a row, however split, or the shape of a PAN.
var likePerson = regexp.MustCompile(`[0-9]{7}|[a-f]{5}[0-9]{4}[a-f]`)

func plain(id uuid.UUID) bool {
	return !likePerson.MatchString(strings.ReplaceAll(id.String(), "-", ""))
}

// text is a value from Telegram as the formats carry it: one line, nothing that
// acts.
func text(s string, limit int) string { return evidence.OneLine(s, limit) }

func joined(lines [][]byte) []byte { return append(bytes.Join(lines, []byte("\n")), '\n') }
