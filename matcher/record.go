package matcher

import (
	"slices"

	"prahari/evidence"
)

// result adds to the matches and fields the records and findings that they make.
func (w *work) result(kind evidence.SourceKind) evidence.Result {
	r := w.matches()
	r.Records = w.records(&r)
	r.Findings = w.m.rules.judge(&r, &w.words, kind)
	return r
}

// matches turns the items into matches and fields.
func (w *work) matches() evidence.Result {
	w.cover()
	matches, fields := 0, 0
	for i := range w.items {
		if w.items[i].kind != kNone {
			matches++
		} else if !w.items[i].covered {
			fields++
		}
	}
	r := evidence.Result{Matches: make([]evidence.Match, 0, matches), Fields: make([]evidence.Field, 0, fields)}
	for i := range w.items {
		it := &w.items[i]
		start, end := original(w.fold.jumps, it.start, it.end)
		if it.kind == kNone {
			if it.covered {
				continue
			}
			l := &w.m.facts.lexicon.labels[it.label]
			r.Fields = append(r.Fields, evidence.Field{Name: l.name, Personal: l.personal, Start: start, End: end})
			continue
		}
		if it.cand < 0 { // of a kind that a pack adds
			r.Matches = append(r.Matches, evidence.Match{
				Kind: w.m.rules.added[it.kind-kCount].Kind, Form: evidence.Full, Validity: evidence.NoCheck, Start: start, End: end,
			})
			continue
		}
		c := &w.cands[it.cand]
		if disguised(w.fold.jumps, it.start, it.end) {
			c.evasive = true
		}
		r.Matches = append(r.Matches, evidence.Match{
			Kind: kindNames[it.kind], Form: c.form(it.kind), Validity: c.validity(it.kind),
			Label: w.m.facts.lexicon.labels[it.label].name, Start: start, End: end,
		})
	}
	return r
}

// cover marks the labelled values that are nothing but an identifier: the match
// says it better. Items are in order, and matches do not overlap.
func (w *work) cover() {
	last := -1 // the latest match
	for i := range w.items {
		it := &w.items[i]
		if it.kind != kNone {
			last = i
			continue
		}
		it.covered = last >= 0 && it.end <= w.items[last].end
		for j := i + 1; j < len(w.items) && w.items[j].start == it.start && !it.covered; j++ {
			it.covered = w.items[j].kind != kNone && it.end <= w.items[j].end
		}
	}
}

// A group is the part of the items that may be one person.
type group struct {
	key     int32
	matches []evidence.Match
	fields  []evidence.Field
	m, f    int // where in all matches and fields the group's go on, as long as they follow each other
}

// extend adds the element at i of all to a part of it. As long as the elements
// follow each other the part shares all's memory; next says where it goes on.
func extend[T any](part, all []T, next *int, i int) []T {
	if len(part) == 0 || *next == i {
		*next = i + 1
		return all[i-len(part) : i+1 : i+1]
	}
	*next = -1
	return append(part, all[i])
}

// parts counts distinct kinds and labelled values.
func (g *group) parts() int {
	n := 0
	for i := range g.matches {
		if !slices.ContainsFunc(g.matches[:i], func(m evidence.Match) bool { return m.Kind == g.matches[i].Kind }) {
			n++
		}
	}
	for i := range g.fields {
		if !slices.ContainsFunc(g.fields[:i], func(f evidence.Field) bool { return f.Name == g.fields[i].Name }) {
			n++
		}
	}
	return n
}

// records groups what was found into people. A block of the layout is a person
// where it has an identifier and something beside it; lines of a list without
// labels are people where several say two things each; and where no block says
// two things, but the text does, the text is one person.
func (w *work) records(r *evidence.Result) []evidence.Record {
	if len(r.Matches) == 0 {
		return nil
	}
	groups := w.groups(r)
	if len(groups) == 1 && len(r.Fields) == 0 {
		if lines := w.lines(r); len(lines) > 1 {
			groups = lines
		}
	}
	records := make([]evidence.Record, 0, len(groups))
	for i := range groups {
		if g := &groups[i]; len(g.matches) > 0 && g.parts() >= 2 {
			records = append(records, g.record())
		}
	}
	if len(records) == 0 && len(groups) > 1 {
		all := group{matches: r.Matches, fields: r.Fields}
		if all.kinds() >= 2 {
			records = append(records, all.record())
		}
	}
	return records
}

func (g *group) kinds() int { return len(evidence.Record{Matches: g.matches}.Kinds()) }

func (g *group) record() evidence.Record {
	r := evidence.Record{Matches: g.matches, Fields: g.fields, Start: -1}
	grow := func(start, end int) {
		if r.Start < 0 || start < r.Start {
			r.Start = start
		}
		r.End = max(r.End, end)
	}
	for _, m := range r.Matches {
		grow(m.Start, m.End)
	}
	for _, f := range r.Fields {
		grow(f.Start, f.End)
	}
	return r
}

// groups splits matches and fields by the layout's blocks, in order.
func (w *work) groups(r *evidence.Result) []group {
	groups := make([]group, 0, 4)
	top := int32(-1)
	at := func(key int32) *group {
		for i := len(groups) - 1; i >= 0 && key <= top; i-- { // blocks come in order, but for the last few
			if groups[i].key == key {
				return &groups[i]
			}
		}
		top = max(top, key)
		groups = append(groups, group{key: key})
		return &groups[len(groups)-1]
	}
	m, f := 0, 0
	for i := range w.items {
		it := &w.items[i]
		if it.kind != kNone {
			g := at(it.block)
			g.matches = extend(g.matches, r.Matches, &g.m, m)
			m++
			continue
		}
		if it.covered {
			continue
		}
		g := at(it.block)
		g.fields = extend(g.fields, r.Fields, &g.f, f)
		f++
	}
	return groups
}

// lines splits matches by lines, and keeps the split only where at least two
// lines have two kinds of identifier each.
func (w *work) lines(r *evidence.Result) []group {
	var groups []group
	line, at := int32(0), 0
	for _, m := range r.Matches {
		for ; at < m.Start; at++ {
			if w.text[at] == '\n' {
				line++
			}
		}
		if n := len(groups); n == 0 || groups[n-1].key != line {
			groups = append(groups, group{key: line})
		}
		g := &groups[len(groups)-1]
		g.matches = append(g.matches, m)
	}
	full := 0
	for i := range groups {
		if groups[i].kinds() >= 2 {
			full++
		}
	}
	if full < 2 {
		return nil
	}
	return groups
}
