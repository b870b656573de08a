package bundle

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"prahari/chart"
	"prahari/evidence"
)

// pagePath is the page that people open first. The tag manifest covers it.
const pagePath = "index.html"

// What the page shows at most; the tables and logs of the bundle hold all.
const (
	pageItems = 500
	pageTrail = 300
)

// A gathered is what the page shows of single items and custody entries, kept
// as they are written.
type gathered struct {
	items   []pageItem
	trail   []pageEntry
	routine map[string]int64 // entries that come with every item, by action
	first   map[string]time.Time
}

// A pageItem is a row of the page's table.
type pageItem struct {
	ID, Posted, Source, Message, Address, Rule, Text, Status string

	Severity evidence.Severity
}

// A pageEntry is a line of the custody trail.
type pageEntry struct {
	Seq                                      int64
	At, Action, Object, By, Approver, Reason string
}

// A pageEvent is a point of the timeline. What is a key of the page's texts.
type pageEvent struct {
	at     time.Time
	At     string
	What   string
	Detail string
}

// page is index.html. Everything in it is masked.
type page struct {
	summary
	Shown     []pageItem
	Trail     []pageEntry
	TrailMore int64
	Timeline  []pageEvent
	ByKind    chart.Chart
	ByDay     chart.Chart
	Namespace string
	Identity  string
}

// MoreItems returns how many items the table leaves out.
func (p page) MoreItems() int { return p.Items - len(p.Shown) }

// showItem keeps an item for the page, in the order of the tables.
func (b *builder) showItem(e *evidence.Evidence) {
	if len(b.shown.items) >= pageItems {
		return
	}
	_, status := b.lastLook(e)
	row := pageItem{
		ID: line(e.ID), Posted: ist(e.PostedAt), Source: line(cmp.Or(e.Source.Username, e.Source.ID)), Message: id(e.MessageID),
		Address: line(e.URL), Status: line(status),
	}
	if len(e.Findings) > 0 {
		row.Rule, row.Severity = caption(e.Findings[0].Title), e.Findings[0].Severity
	}
	if len(b.shown.items) < platformSamples || b.in.Profile.has(allTexts) {
		row.Text = text(e.Masked)
	}
	b.shown.items = append(b.shown.items, row)
}

// showEntry keeps a custody entry for the page. Each item brings the same few:
// they are counted.
func (b *builder) showEntry(e evidence.Entry) {
	if b.shown.routine == nil {
		b.shown.routine, b.shown.first = map[string]int64{}, map[string]time.Time{}
	}
	if b.shown.first[e.Action].IsZero() {
		b.shown.first[e.Action] = e.At
	}
	if e.Action == "collect" || e.Action == "seal" || len(b.shown.trail) >= pageTrail {
		b.shown.routine[e.Action]++
		return
	}
	b.shown.trail = append(b.shown.trail, pageEntry{e.Seq, ist(e.At), e.Action, e.Object, e.Actor, e.Approver, e.Reason})
}

// page writes index.html: one file, no script, nothing loaded from anywhere.
func (b *builder) page() error {
	s := b.summarise()
	p := page{summary: s, Shown: b.shown.items, Namespace: Namespace(b.in.Organisation.Domain), Identity: Identity(b.in.Organisation.Domain)}
	if b.in.Profile.has(custodyLog) {
		p.Trail = b.shown.trail
		for _, n := range b.shown.routine {
			p.TrailMore += n
		}
	}
	p.Timeline = b.timeline()
	kinds := map[string]int{}
	for _, k := range s.Identifiers {
		kinds[string(k.Kind)] += k.Seen
	}
	p.ByKind, p.ByDay = chart.Bars(kinds), chart.Columns(b.totals.days)
	body, err := renderPage(p)
	if err != nil {
		return err
	}
	return b.tree.write(pagePath, []byte(evidence.Printable(body)))
}

// timeline lists what happened when, as far as the profile shows it.
func (b *builder) timeline() []pageEvent {
	var all []pageEvent
	add := func(at time.Time, what, detail string) {
		if !at.IsZero() {
			all = append(all, pageEvent{at, ist(at), what, detail})
		}
	}
	t := b.totals
	add(t.first, "First item posted", "")
	add(t.last, "Last item posted", "")
	add(t.captured[0], "First item collected", "")
	add(t.captured[1], "Last item collected", "")
	add(b.in.Case.OpenedAt, "Case opened", line(b.in.Case.ID))
	for _, n := range b.in.Notices {
		if b.in.Profile.has(allNotices) || toPlatform(n.Kind) {
			add(n.DraftedAt, "Notice drafted", line(n.ID+" "+n.Kind))
		}
	}
	if b.in.Profile.has(stateChecks) {
		for _, looks := range b.sightings {
			for _, look := range looks {
				if look.State != "present" {
					add(look.At, "Looked at again", line(fmt.Sprintf("%s/%d: %s", look.SourceID, look.MessageID, look.State)))
				}
			}
		}
	}
	add(b.shown.first["export"], "First bundle exported", "")
	add(b.in.At, "This bundle made", b.name)
	slices.SortStableFunc(all, func(x, y pageEvent) int {
		return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.What, y.What), cmp.Compare(x.Detail, y.Detail))
	})
	return all
}

// renderPage fills the template with every text in both languages.
func renderPage(p page) (string, error) {
	source, err := templates.ReadFile("template/index.html")
	if err != nil {
		return "", err
	}
	style, err := templates.ReadFile("template/index.css")
	if err != nil {
		return "", err
	}
	hindi, err := pageTexts()
	if err != nil {
		return "", err
	}
	both := func(english string) (template.HTML, error) {
		h, ok := hindi[english]
		if !ok {
			return "", fmt.Errorf("template/index.hi.json has no Hindi for %q", english)
		}
		//nolint:gosec // both parts are escaped here
		return template.HTML(`<span class="en" lang="en">` + template.HTMLEscapeString(english) + `</span><span class="hi" lang="hi">` + template.HTMLEscapeString(h) + `</span>`), nil
	}
	t, err := template.New(pagePath).Funcs(template.FuncMap{
		"t":     both,
		"style": func() template.CSS { return template.CSS(style) }, //nolint:gosec // ours
		"styleHash": func() string {
			sum := sha256.Sum256(style)
			return base64.StdEncoding.EncodeToString(sum[:])
		},
	}).Parse(string(source))
	if err != nil {
		return "", fmt.Errorf("template index.html: %w", err)
	}
	var out strings.Builder
	if err := t.Execute(&out, p); err != nil {
		return "", fmt.Errorf("template index.html: %w", err)
	}
	return out.String(), nil
}

// pageTexts returns the page's texts in Hindi, by the English.
func pageTexts() (map[string]string, error) {
	data, err := templates.ReadFile("template/index.hi.json")
	if err != nil {
		return nil, err
	}
	var texts map[string]string
	if err := json.Unmarshal(data, &texts); err != nil {
		return nil, fmt.Errorf("template/index.hi.json: %w", err)
	}
	return texts, nil
}
