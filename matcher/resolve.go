package matcher

import (
	"slices"
	"sort"
	"strings"
)

// An item is a candidate or a labelled value that has been decided on.
type item struct {
	start, end int // folded
	kind       kindID
	label      labelID
	block      int32
	cand       int32 // index, -1 for a labelled value
	covered    bool  // a labelled value that is nothing but an identifier
}

// resolve decides what each candidate is and lists the labelled values.
func (w *work) resolve() {
	l := &w.lay
	k := 0
	for i := range w.cands {
		c := &w.cands[i]
		for k < len(l.cells) && l.cells[k].end <= c.start {
			k++
		}
		var in *cell
		if k < len(l.cells) && l.cells[k].start <= c.start {
			in = &l.cells[k]
		}
		id, inline := w.labelOf(c, in)
		kind := w.decide(c, id, in)
		if kind == kNone && in != nil && !in.column && inline && in.label != id {
			kind = w.decide(c, in.label, in)
			if kind != kNone {
				id = in.label
			}
		}
		if kind == kNone {
			continue
		}
		if !l.x.labels[id].kinds.has(kind) {
			id = noLabel
		}
		block := l.blockAt(c.start)
		if in != nil {
			block = in.block
		}
		w.items = append(w.items, item{c.start, c.end, kind, id, block, int32(i), false})
	}
	if len(w.items) > 0 || len(l.cells) > 0 {
		w.values()
		w.inCompany()
	}
}

// labelOf returns the label that the text gives a candidate, and whether it
// stands right before it.
func (w *work) labelOf(c *cand, in *cell) (labelID, bool) {
	if in != nil && (in.column || w.onlyPunctuation(in.start, c.start)) {
		return in.label, false
	}
	from := 0
	if in != nil {
		from = in.start
	}
	if id := w.inline(c.start, from); id != noLabel {
		return id, true
	}
	if in != nil {
		return in.label, false
	}
	return noLabel, false
}

func (w *work) onlyPunctuation(from, to int) bool {
	for ; from < to; from++ {
		if class[w.s[from]]&cAlnum != 0 || w.s[from] >= 0x80 {
			return false
		}
	}
	return true
}

// maxReach is how far before a value its label may end, in bytes.
const maxReach = 64

// inline returns the label in the words before at.
func (w *work) inline(at, from int) labelID {
	s := w.s
	from = max(from, at-maxReach)
	i := at
	lines := 0
	for i > from {
		switch b := s[i-1]; b {
		case ' ', ':', '=', '-', '>', '"', '\'', '(', '[', '*', '#', '|', '~', '<', '`', '.', '\t', '+', '\r', '/', '{', '\\':
			i--
			continue
		case '\n':
			if lines++; lines > 1 {
				return noLabel
			}
			i--
			continue
		}
		break
	}
	if i == from {
		return noLabel
	}
	line := i
	for line > from && s[line-1] != '\n' {
		line--
	}
	skip := 1
	if lines > 0 {
		skip = 0
	}
	f := w.m.facts.lexicon.before(s, i, line, skip)
	if f.id == noLabel {
		return noLabel
	}
	if lines > 0 { // a label on the line before must be all of it
		if w.onlyPunctuation(line, f.start) && i-line < 40 {
			return f.id
		}
		return noLabel
	}
	return f.id
}

// decide returns the kind of a candidate under a label, kNone where the text
// does not support any.
func (w *work) decide(c *cand, id labelID, in *cell) kindID {
	lab := &w.m.facts.lexicon.labels[id]
	if both := c.kinds & lab.kinds; both != 0 && (!w.inURL(c.start) || w.isParameter(c.start)) {
		if both.len() == 1 {
			return both.first()
		}
		if lab.kinds.first() == kAccount && both.has(kAccount) { // a tenth of all accounts pass for cards
			return kAccount
		}
		if p := both & c.passed; p != 0 {
			return p.first()
		}
		if a := both & c.alone; a != 0 {
			return a.first()
		}
		if nf := both &^ c.failed; nf != 0 {
			return nf.first()
		}
		return both.first()
	}
	if id != noLabel {
		if lab.name == "address" && c.kinds.has(kPIN) {
			return kPIN
		}
		if lab.other || lab.kinds&^addresses != 0 {
			return c.sure.first()
		}
	}
	if w.inURL(c.start) {
		return c.sure.first()
	}
	if c.start > 2 && w.s[c.start-3:c.start] == "₹" || c.start > 0 && w.s[c.start-1] == '$' || c.start > 3 && w.s[c.start-4:c.start] == "₹ " {
		return c.sure.first()
	}
	return c.alone.first()
}

// addresses are the kinds with an at sign: their labels say nothing against a
// number that follows.
const addresses = kindSet(1<<kEmail | 1<<kUPI | 1<<kABHAAddress)

// isParameter reports whether a value stands right after an equals sign.
func (w *work) isParameter(at int) bool { return at > 0 && w.s[at-1] == '=' }

// inURL reports whether the word around at is a link.
func (w *work) inURL(at int) bool {
	s := w.s
	from := at
	for from > 0 && at-from < 200 && class[s[from-1]]&cSpace == 0 {
		from--
		if s[from] == ':' && from+2 < len(s) && s[from+1] == '/' && s[from+2] == '/' {
			return true
		}
	}
	return at-from > 4 && s[from] == 'w' && s[from+1] == 'w' && s[from+2] == 'w'
}

// values lists the labelled values that no check knows.
func (w *work) values() {
	l := &w.lay
	n := len(w.items)
	for _, c := range l.cells {
		if lab := &l.x.labels[c.label]; lab.field && c.end-c.start < 400 {
			w.items = append(w.items, item{c.start, c.end, kNone, c.label, c.block, -1, false})
		}
	}
	if n > 0 && len(w.items) > n {
		slices.SortStableFunc(w.items, func(a, b item) int { return a.start - b.start })
	}
}

// addedKinds lists what the patterns of packs find where nothing else was.
func (w *work) addedKinds() {
	n := len(w.items)
	for k := range w.m.rules.added {
		d := &w.m.rules.added[k]
		if !d.mayHold(w.s) {
			continue
		}
		for _, at := range d.compiled.FindAllStringIndex(w.s, maxAdded) {
			taken := at[0] == at[1]
			for _, it := range w.items[:n] {
				taken = taken || it.kind != kNone && it.start < at[1] && at[0] < it.end
			}
			if !taken {
				w.items = append(w.items, item{at[0], at[1], kCount + kindID(k), noLabel, w.lay.blockAt(at[0]), -1, false})
			}
		}
	}
	if len(w.items) > n {
		slices.SortStableFunc(w.items, func(a, b item) int { return a.start - b.start })
	}
}

// maxAdded bounds what one pattern may find in one text.
const maxAdded = 1000

// mayHold reports whether a text has what every value has.
func (d *Identifier) mayHold(s string) bool {
	if d.Literal != "" && !strings.Contains(s, d.Literal) {
		return false
	}
	for i, n := 0, 0; n < d.Digits; i++ {
		if i == len(s) {
			return false
		}
		if class[s[i]]&cDigit != 0 {
			n++
		}
	}
	return true
}

// inCompany accepts candidates that stand beside other fields of a record.
func (w *work) inCompany() {
	added := false
	n := len(w.items)
	next := 0
	for i := range w.cands {
		c := &w.cands[i]
		if c.company == 0 {
			continue
		}
		for next < n && w.items[next].start < c.start {
			next++
		}
		taken := false
		for k := next; k < n && w.items[k].start == c.start; k++ {
			taken = taken || w.items[k].kind != kNone
		}
		if taken {
			continue
		}
		kind := w.beside(c, next, n)
		if kind == kNone {
			continue
		}
		w.items = append(w.items, item{c.start, c.end, kind, noLabel, w.lay.blockAt(c.start), int32(i), false})
		added = true
	}
	if added {
		slices.SortStableFunc(w.items, func(a, b item) int { return a.start - b.start })
	}
}

// beside decides a candidate by the other items of its block, which lie around
// the item at next, the first of n that does not begin before it.
func (w *work) beside(c *cand, next, n int) kindID {
	cells := w.lay.cells
	at := sort.Search(len(cells), func(i int) bool { return cells[i].start > c.start }) - 1
	if at >= 0 && c.start < cells[at].end && cells[at].label != noLabel {
		return kNone // it has a label, for something else
	}
	if id := w.inline(c.start, 0); id != noLabel {
		return kNone
	}
	block := w.lay.blockAt(c.start)
	var kinds kindSet
	fields := 0
	address := false
	from, to := next, next
	for from > 0 && w.items[from-1].block == block {
		from--
	}
	for to < n && w.items[to].block == block {
		to++
	}
	for _, it := range w.items[from:to] {
		if it.kind != kNone {
			kinds |= 1 << it.kind
		} else {
			fields++
			address = address || w.m.facts.lexicon.labels[it.label].name == "address"
		}
	}
	if kinds == 0 {
		return kNone
	}
	switch {
	case c.company.has(kAccount) && kinds.has(kIFSC) && !kinds.has(kAccount):
		return kAccount
	case c.company.has(kPIN) && address:
		return kPIN
	case c.company.has(kDOB) && !kinds.has(kDOB) && kinds.len()+fields >= 2:
		return kDOB
	case c.company.has(kPassport) && kinds.len()+fields >= 2:
		return kPassport
	case c.company.has(kIFSC) && kinds.has(kAccount):
		return kIFSC
	}
	return kNone
}
