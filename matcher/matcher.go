package matcher

import (
	"math/bits"
	"strings"
	"sync"

	"prahari/evidence"
)

// Config configures a Matcher.
type Config struct {
	Rules *Rules // signatures; nil: Builtin()
	Year  int    // the current year, to refuse births after it; 0: not known
}

// A Matcher finds identifiers, records and findings in texts. It is safe for
// concurrent use.
type Matcher struct {
	rules  *Rules
	facts  *facts
	year   int
	states [26][26]bool
	issuer [100]bool // first two digits of payment cards
	prints *fingerprints
	pool   sync.Pool
}

// New returns a Matcher. It fails only on a Rules value that does not hold
// together.
func New(c Config) (*Matcher, error) {
	f, err := loadFacts()
	if err != nil {
		return nil, err
	}
	if c.Rules == nil {
		if c.Rules, err = Builtin(); err != nil {
			return nil, err
		}
	}
	m := &Matcher{rules: c.Rules, facts: f, year: c.Year, prints: newFingerprints(c.Rules.anchorWords)}
	for code := range f.states {
		m.states[code[0]-'A'][code[1]-'A'] = true
	}
	for prefix := range f.issuers {
		for n := range 100 {
			if two := string([]byte{byte('0' + n/10), byte('0' + n%10)}); strings.HasPrefix(two, prefix) {
				m.issuer[n] = true
			}
		}
	}
	m.pool.New = func() any { return &work{m: m} }
	return m, nil
}

// isState reports whether two letters are a state's code on number plates.
func (m *Matcher) isState(a, b byte) bool {
	a, b = a&^0x20, b&^0x20
	return a >= 'A' && a <= 'Z' && b >= 'A' && b <= 'Z' && m.states[a-'A'][b-'A']
}

// issued reports whether a card issuer's numbers begin like digits.
func (m *Matcher) issued(digits []byte) bool {
	return m.issuer[int(digits[0]-'0')*10+int(digits[1]-'0')]
}

// isOtherPrefix reports whether three capitals before a number name something
// else than a voter: an invoice, an order.
func (m *Matcher) isOtherPrefix(letters string) bool {
	switch letters {
	case "INV", "REF", "TXN", "ORD", "SKU", "AWB", "PNR", "UTR", "BIL", "INR", "UPC", "TKT", "TRN", "REQ", "DOC", "CRN", "SRN", "FIR", "GRN", "RRN", "UPI", "EMI", "AMT", "POS", "COD", "IMG", "DSC", "VID", "MOB", "TEL", "FAX", "PIN", "OTP", "UID", "PAN", "LOT", "BAT", "PRO", "CVE", "RFC", "ISO":
		return true
	}
	return false
}

// Find returns what text holds. Offsets are bytes into text.
func (m *Matcher) Find(text string, kind evidence.SourceKind) evidence.Result {
	l := m.look(text)
	if !l.passed && !l.anchored && !m.mayHoldAdded(text) {
		return evidence.Result{}
	}
	w := m.pool.Get().(*work) //nolint:forcetypeassert // the pool holds nothing else
	defer m.pool.Put(w)
	if !w.find(text, &l, true) {
		return evidence.Result{}
	}
	return w.result(kind)
}

// Matches returns the Matches of Find alone: who only asks whether a text holds
// identifiers needs no records, and no signature weighed.
func (m *Matcher) Matches(text string) []evidence.Match {
	l := m.look(text)
	if !l.passed && !l.anchored && !m.mayHoldAdded(text) {
		return nil
	}
	w := m.pool.Get().(*work) //nolint:forcetypeassert // the pool holds nothing else
	defer m.pool.Put(w)
	if !w.find(text, &l, false) {
		return nil
	}
	return w.matches().Matches
}

// mayHoldAdded reports whether a text that the gate turns away may hold a kind
// that a pack adds.
func (m *Matcher) mayHoldAdded(text string) bool {
	for i := range m.rules.added {
		if m.rules.added[i].mayHold(text) {
			return true
		}
	}
	return false
}

// work is the scratch that one text needs, reused for the next.
type work struct {
	m     *Matcher
	text  string // original
	s     string // folded
	fold  folder
	chain chain
	cands []cand
	lay   layout
	items []item
	words wordSet

	joined [maxSpelled]byte // a run of single characters without what parts them
	inner  []cand           // found in joined

	spots   [chunk]uint64 // where candidates may be, a bit each, from spotsAt on
	spotsAt int
}

// keep adds a candidate unless a longer one covers it.
func (w *work) keep(c cand) {
	if n := len(w.cands); n > 0 {
		last := &w.cands[n-1]
		if c.start < last.end && last.kinds != 0 {
			if c.end-c.start <= last.end-last.start {
				return
			}
			*last = c
			return
		}
	}
	w.cands = append(w.cands, c)
}

// find gathers what text holds, of which the gate saw l; false: nothing. Words
// that signatures ask for are looked for where it is to be judged; else they are
// taken to be there, since no match hangs on them.
func (w *work) find(text string, l *look, judged bool) bool {
	w.text = text
	w.cands, w.items = w.cands[:0], w.items[:0]
	if w.s, w.fold.jumps = text, w.fold.jumps[:0]; l.high != 0 {
		w.s = w.fold.fold(text)
	}
	w.spotsAt = -1
	w.candidates()
	words := l.anchored && (!judged || w.m.rules.wordsIn(w.s, &w.words))
	if !words {
		w.words.hits = w.words.hits[:0]
	}
	if len(w.cands) == 0 && (!words || !judged) && len(w.m.rules.added) == 0 {
		return false
	}
	// Most numbers in chats are nobody's, and most of those chats have no layout
	// that could say otherwise: then the layout is read only for what was found.
	if len(w.m.rules.added) == 0 && !structured(w.s) {
		w.lay.none(w.s, &w.m.facts.lexicon)
		if w.resolve(); len(w.items) == 0 && !words {
			return false
		}
		w.items = w.items[:0]
	}
	w.lay.parse(w.s, &w.m.facts.lexicon)
	w.resolve()
	w.addedKinds()
	if len(w.items) == 0 && !words {
		return false
	}
	return true
}

// spot returns the next offset from i on where a candidate may be seen: of a
// digit, a mask glyph or an at sign, or of what the gate takes for hidden places.
func (w *work) spot(i int) int {
	s := w.s
	for i < len(s) {
		at := i &^ (64*chunk - 1)
		if at != w.spotsAt {
			var out [chunk]block
			for k := at; k < min(at+64*chunk, len(s)); {
				n := w.m.blocks(s[k:], &out)
				for j := range n {
					if to := (k-at)/64 + j; to < chunk {
						w.spots[to] = out[j].digit | out[j].mask | out[j].at
					}
				}
				k += 64 * n
			}
			w.spotsAt = at
		}
		end := min(at+64*chunk, len(s))
		for i < end {
			if spots := w.spots[(i-at)/64] >> (i & 63); spots != 0 {
				return i + bits.TrailingZeros64(spots)
			}
			i = i&^63 + 64
		}
	}
	return len(s)
}

// candidates visits every token with a digit, a mask glyph or an at sign. Whatever
// a test says it used, the next one begins further on: a hostile text must not
// hold us.
func (w *work) candidates() {
	s := w.s
	for i := 0; i < len(s); {
		if i = w.spot(i); i == len(s) {
			break
		}
		k, next := class[s[i]], i+1
		switch {
		case k&(cDigit|cMask) != 0 && i+2 < len(s) && class[s[i+1]]&cJoin != 0 && class[s[i+2]]&cToken != 0 && w.isSpelled(w.spelledFrom(i)):
			next = w.spelled(w.spelledFrom(i))
		case k&cDigit != 0 || k&cMask != 0 && i+1 < len(s) && class[s[i+1]]&(cMask|cDigit) != 0:
			start := i
			for start > 0 && i-start < 32 && class[s[start-1]]&cToken != 0 {
				start--
			}
			next = w.token(start, i)
		case s[i] == '@':
			next = w.at(i)
		}
		i = max(next, i+1)
	}
}

// token tests the token that begins at start and has its first digit or mask
// glyph at i.
func (w *work) token(start, i int) int {
	s := w.s
	if n := len(w.cands); n > 0 && start < w.cands[n-1].end {
		start = i
	}
	end, letters := i, start < i
	for end < len(s) && class[s[end]]&cToken != 0 {
		if k := class[s[end]]; k&cLetter != 0 && k&cMask == 0 {
			letters = true
		}
		end++
	}
	if end-start > maxPlaces {
		return end
	}
	if start >= 3 && class[s[start-1]]&cJoin != 0 { // "MH 12 AB 1234", "DL-04 2011…"
		if k := start - 3; class[s[k]]&cUpper != 0 && class[s[k+1]]&cUpper != 0 && (k == 0 || class[s[k-1]]&cToken == 0) {
			if e := w.vehicleOrLicence(k); e > 0 {
				return e
			}
		}
	}
	if !letters {
		if end-i <= 2 {
			if e := w.wordDate(i, end); e > 0 {
				return e
			}
		}
		if s[start] >= '2' && end-start == 2 {
			if e := w.vehicleBH(start); e > 0 {
				return e
			}
		}
		return max(w.numbers(start), end)
	}
	if e, odd := w.chain.numeric(s, start); e == end && odd {
		if e := w.vehicleOrLicence(start); e > 0 {
			return e
		}
		// SID3142380 reads as a number with letters for digits, but has a code's shape.
		if cd := (cand{start: start, end: end}); class[s[start]]&cLetter != 0 && w.shaped(&cd) {
			w.keep(cd)
			return end
		}
		n := len(w.cands)
		next := w.numbers(start)
		if len(w.cands) > n {
			return max(next, end)
		}
	}
	if end-i <= 4 && start < i { // 12th Jan 1990 begins with its digits; others do not
		return max(w.code(start, end), end)
	}
	if start == i {
		d := i
		for d < end && class[s[d]]&cDigit != 0 {
			d++
		}
		if d-i <= 2 {
			if e := w.wordDate(i, d); e > 0 {
				return e
			}
		}
	}
	return max(w.code(start, end), end)
}
