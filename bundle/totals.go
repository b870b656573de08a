package bundle

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"prahari/evidence"
)

// totals counts what the summary says, item by item.
type totals struct {
	items    int
	rules    map[string]*ruleTotal
	kinds    map[kindForm]*kindTotal
	tokens   map[evidence.Kind]map[[sha256.Size]byte]struct{} // digests: short, and all of a length
	sources  map[string]*sourceTotal
	days     map[string]int
	setups   []setupItems // in order of the first item each collected
	setupAt  map[setup]int
	records  int
	gaps     int
	first    time.Time
	last     time.Time
	captured [2]time.Time
}

type kindForm struct {
	kind evidence.Kind
	form evidence.Form
}

type ruleTotal struct {
	Rule     string            `json:"signature"`
	Version  int               `json:"version"`
	Hash     string            `json:"sha256"`
	Title    string            `json:"title"`
	Severity evidence.Severity `json:"severity"`
	Findings int               `json:"findings"`
}

type kindTotal struct {
	Kind  evidence.Kind `json:"kind"`
	Form  evidence.Form `json:"form"`
	Seen  int           `json:"seen"`
	Valid int           `json:"check_passed"`
}

type distinctTotal struct {
	Kind     evidence.Kind `json:"kind"`
	Distinct int           `json:"distinct"`
}

type sourceTotal struct {
	ID       string              `json:"source_id"`
	Kind     evidence.SourceKind `json:"kind"`
	PeerID   int64               `json:"peer_id,omitempty"`
	Username string              `json:"username,omitempty"`
	Title    string              `json:"title"`
	URL      string              `json:"url,omitempty"`
	Items    int                 `json:"items"`
}

type dayTotal struct {
	Day   string `json:"day_ist"`
	Items int    `json:"items"`
}

// setup is a machine, program, clock and account that collected items.
type setup struct {
	Host    evidence.Host       `json:"host"`
	Tool    evidence.Tool       `json:"tool"`
	Clock   string              `json:"time_source"`
	Account string              `json:"account,omitempty"`
	UserID  int64               `json:"telegram_user_id,omitempty"`
	Kind    evidence.SourceKind `json:"-"`
}

func newTotals() totals {
	return totals{
		rules: map[string]*ruleTotal{}, kinds: map[kindForm]*kindTotal{}, tokens: map[evidence.Kind]map[[sha256.Size]byte]struct{}{},
		sources: map[string]*sourceTotal{}, days: map[string]int{}, setupAt: map[setup]int{},
	}
}

func (t *totals) add(e *evidence.Evidence) {
	t.items++
	s := t.sources[e.Source.ID]
	if s == nil {
		s = &sourceTotal{
			ID: line(e.Source.ID), Kind: e.Source.Kind, PeerID: e.Source.PeerID, Username: line(e.Source.Username),
			Title: caption(e.Source.Title), URL: line(e.Source.URL()),
		}
		t.sources[e.Source.ID] = s
	}
	s.Items++
	t.days[ist(e.PostedAt)[:10]]++
	if t.first.IsZero() || e.PostedAt.Before(t.first) {
		t.first = e.PostedAt
	}
	if e.PostedAt.After(t.last) {
		t.last = e.PostedAt
	}
	if t.captured[0].IsZero() || e.CapturedAt.Before(t.captured[0]) {
		t.captured[0] = e.CapturedAt
	}
	if e.CapturedAt.After(t.captured[1]) {
		t.captured[1] = e.CapturedAt
	}
	t.findings(e.Findings)
}

// findings counts each finding, but the records of one item once: signatures
// that catch the same message describe the same people.
func (t *totals) findings(all []evidence.Kept) {
	var fullest []evidence.KeptRecord
	for _, f := range all {
		r := t.rules[f.Rule]
		if r == nil {
			r = &ruleTotal{Rule: line(f.Rule), Version: f.RuleVersion, Hash: line(f.RuleHash), Title: caption(f.Title), Severity: f.Severity}
			t.rules[f.Rule] = r
		}
		r.Findings++
		if len(f.Records) > len(fullest) {
			fullest = f.Records
		}
		for _, record := range f.Records {
			t.distinctIn(record)
		}
	}
	t.records += len(fullest)
	for _, record := range fullest {
		for _, i := range record.Identifiers {
			key := kindForm{i.Kind, i.Form}
			if t.kinds[key] == nil {
				t.kinds[key] = &kindTotal{Kind: i.Kind, Form: i.Form}
			}
			t.kinds[key].Seen++
			if i.Validity == evidence.CheckPassed {
				t.kinds[key].Valid++
			}
		}
	}
}

func (t *totals) distinctIn(r evidence.KeptRecord) {
	for _, i := range r.Identifiers {
		if i.Token == "" {
			continue
		}
		if t.tokens[i.Kind] == nil {
			t.tokens[i.Kind] = map[[sha256.Size]byte]struct{}{}
		}
		t.tokens[i.Kind][sha256.Sum256([]byte(i.Token))] = struct{}{}
	}
}

// setupItems is a set-up and the number of items it collected.
type setupItems struct {
	setup
	items int
}

// collectedWith notes the set-up that collected e and returns its number, from
// 1. The moment and result of each clock comparison are in the item's own
// record.
func (t *totals) collectedWith(e *evidence.Evidence) int {
	c := e.Collection
	s := setup{Host: plainHost(c.Host), Tool: plainTool(c.Tool), Clock: orUnknown(c.Clock.Source), Account: line(c.Account), UserID: c.UserID}
	if e.Source.Kind == evidence.File {
		s.Kind = evidence.File
	}
	at, known := t.setupAt[s]
	if !known {
		at = len(t.setups)
		t.setupAt[s], t.setups = at, append(t.setups, setupItems{setup: s})
	}
	t.setups[at].items++
	return at + 1
}

func (t *totals) sortedRules() []ruleTotal {
	all := []ruleTotal{}
	for _, r := range t.rules {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(x, y ruleTotal) int {
		return cmp.Or(cmp.Compare(y.Severity.Rank(), x.Severity.Rank()), cmp.Compare(x.Rule, y.Rule))
	})
	return all
}

func (t *totals) sortedKinds() []kindTotal {
	all := []kindTotal{}
	for _, k := range t.kinds {
		all = append(all, *k)
	}
	slices.SortFunc(all, func(x, y kindTotal) int { return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Form, y.Form)) })
	return all
}

func (t *totals) distinct() []distinctTotal {
	all := []distinctTotal{}
	for _, kind := range slices.Sorted(maps.Keys(t.tokens)) {
		all = append(all, distinctTotal{kind, len(t.tokens[kind])})
	}
	return all
}

func (t *totals) sortedSources() []sourceTotal {
	all := []sourceTotal{}
	for _, s := range t.sources {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(x, y sourceTotal) int { return cmp.Compare(x.ID, y.ID) })
	return all
}

func (t *totals) sortedDays() []dayTotal {
	all := []dayTotal{}
	for _, day := range slices.Sorted(maps.Keys(t.days)) {
		all = append(all, dayTotal{day, t.days[day]})
	}
	return all
}
