package matcher

import (
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// The gate decides in one look at every byte whether a text is worth more. It
// must let through every text that holds an identifier or a signature's anchor
// word; what it lets through besides costs time and nothing else. Nine texts in
// ten hold neither, so the program is about as fast as the gate.

// A block says of 64 bytes which are what, a bit each.
type block struct {
	digit  uint64 // 0–9
	letter uint64 // A–Z, a–z
	mask   uint64 // X x * # - _ .
	at     uint64 // @
	exotic uint64 // begins a digit of another script, an invisible character, a bullet
	word   uint64 // begins like an anchor word
	high   uint64 // part of a character outside ASCII
}

// fingerprints are three pairs of tables, for the low and the high half of three
// bytes that follow each other: what is set in all six is the set of buckets
// whose patterns may begin there. Buckets 0 to 4 are exotic characters, 5 to 7
// anchor words.
type fingerprints struct {
	low, high [3][32]byte // each 16-byte table twice
}

const (
	exoticBuckets = 0x1F
	wordBuckets   = 0xE0
)

// add lets a bucket begin with any of the bytes first, second, third.
func (f *fingerprints) add(bucket byte, bytes ...[]byte) {
	for i, choices := range bytes {
		for _, b := range choices {
			for _, half := range []int{0, 16} {
				f.low[i][half+int(b&15)] |= bucket
				f.high[i][half+int(b>>4)] |= bucket
			}
		}
	}
}

func span(from, to int) []byte {
	var out []byte
	for b := from; b <= to; b++ {
		out = append(out, byte(b))
	}
	return out
}

// newFingerprints returns tables for what the folder changes (fold.go) and for
// the first bytes of anchor words.
func newFingerprints(anchors []string) *fingerprints {
	f := &fingerprints{}
	f.add(1, []byte{0xE0}, []byte{0xA5, 0xA7, 0xA9, 0xAB, 0xAD, 0xAF, 0xB1, 0xB3, 0xB5}, span(0xA6, 0xAF))        // Indic digits
	f.add(2, []byte{0xEF}, span(0xBB, 0xBD), span(0x80, 0xBF))                                                    // full-width forms, BOM
	f.add(4, []byte{0x9D}, []byte{0x9F}, span(0x80, 0xBF))                                                        // mathematical digits, after F0
	f.add(8, []byte{0xE2}, []byte{0x80, 0x81}, append(span(0x8B, 0x8F), 0xA0, 0xA2, 0xA3))                        // invisible characters, bullets
	f.add(16, []byte{0xE2}, []byte{0x82, 0x83, 0x91, 0x92, 0x93, 0x96, 0x97, 0x9D, 0x9E, 0xAC}, span(0x80, 0xBF)) // keycaps, circled digits, blocks
	f.add(16, []byte{0xC2}, []byte{0xAD, 0xB2, 0xB3, 0xB9}, span(0x00, 0xFF))                                     // soft hyphen, superscripts
	f.add(4, []byte{0xD9, 0xDB}, append(span(0xA0, 0xA9), span(0xB0, 0xB9)...), span(0x00, 0xFF))                 // Arabic digits
	for _, word := range anchors {
		// A bucket mixes the bytes of all its words, so those that differ most have
		// one each.
		bucket := byte(32)
		switch {
		case class[word[0]]&cHigh != 0:
			bucket = 128
		case len(word) < 3:
			bucket = 64
		}
		var choices [3][]byte
		for k := range 3 {
			if k >= len(word) {
				choices[k] = span(0, 255)
				continue
			}
			choices[k] = []byte{word[k]}
			if class[word[k]]&cLetter != 0 {
				choices[k] = []byte{word[k] &^ 0x20, word[k] | 0x20}
			}
		}
		f.add(bucket, choices[0], choices[1], choices[2])
	}
	return f
}

// classifyGo fills out with the blocks of 64 bytes from p on. It reads two bytes
// past them.
func classifyGo(p *byte, blocks int, f *fingerprints, out *block) {
	s := unsafe.Slice(p, 64*blocks+2)
	to := unsafe.Slice(out, blocks)
	for i := range to {
		var b block
		for k := range 64 {
			c, c1, c2 := s[64*i+k], s[64*i+k+1], s[64*i+k+2]
			bit := uint64(1) << k
			switch t := class[c]; {
			case t&cDigit != 0:
				b.digit |= bit
			case t&cLetter != 0:
				b.letter |= bit
			case c == '@':
				b.at |= bit
			}
			if class[c]&cMask != 0 || c == '-' || c == '_' || c == '.' {
				b.mask |= bit
			}
			if c >= 0x80 {
				b.high |= bit
			}
			buckets := f.low[0][c&15] & f.high[0][c>>4] & f.low[1][c1&15] & f.high[1][c1>>4] & f.low[2][c2&15] & f.high[2][c2>>4]
			if buckets&exoticBuckets != 0 {
				b.exotic |= bit
			}
			if buckets&wordBuckets != 0 {
				b.word |= bit
			}
		}
		to[i] = b
	}
}

// chunk is how many blocks are classified at once.
const chunk = 4

// page is the least size of a page of memory: whoever may read one byte of it may
// read all of it.
const page = 4096

// look passes over text and says what it saw.
func (m *Matcher) look(text string) look {
	var l look
	var out [chunk]block
	for from := 0; from < len(text); {
		n := m.blocks(text[from:], &out)
		l.see(out[:n], text, from, m.rules)
		if l.passed && l.anchored {
			l.high = 1 // not known of the rest
			break
		}
		from += 64 * n
	}
	return l
}

// blocks classifies the beginning of rest and returns how many blocks it fills.
func (m *Matcher) blocks(rest string, out *[chunk]block) int {
	p := unsafe.StringData(rest)
	n := (len(rest) + 63) / 64
	// The last block is read to its end and two bytes more, past the text: its own
	// page goes on that far, or else a copy does.
	switch {
	case n <= chunk && uintptr(unsafe.Pointer(p))&(page-1) <= page-(64*chunk+2):
		classify(p, n, m.prints, &out[0])
		out[n-1].cut(len(rest) - 64*(n-1))
	case len(rest) >= 66:
		n = min((len(rest)-2)/64, chunk)
		classify(p, n, m.prints, &out[0])
	default:
		var tail [130]byte
		n = (copy(tail[:], rest) + 63) / 64
		classify(&tail[0], n, m.prints, &out[0])
	}
	return n
}

// cut forgets all but the first n bytes.
func (b *block) cut(n int) {
	keep := ^uint64(0) >> (64 - n)
	b.digit &= keep
	b.letter &= keep
	b.mask &= keep
	b.at &= keep
	b.exotic &= keep
	b.word &= keep
	b.high &= keep
}

// A look is what the gate saw of a text, and what it remembers from block to
// block. A text is worth more where it passed or is anchored.
type look struct {
	passed   bool   // may hold an identifier
	anchored bool   // has an anchor word
	high     uint64 // not 0 where it may have characters outside ASCII

	digits  int // so far
	exotics int
	foreign int  // exotics that are digits or letters
	four    bool // four digits in a row
	hidden  bool // three hidden places in a row

	// Of the block before.
	digit, place, run, letter, other, mask, at, exotic uint64
}

// see looks at the next blocks, which begin at text[from:]. Shifts to the left
// reach into the block before: bit i of x<<k says what was k places earlier.
func (l *look) see(blocks []block, text string, from int, rules *Rules) {
	for i := range blocks {
		b := &blocks[i]
		at := from + 64*i
		l.high |= b.high
		if b.exotic != 0 {
			b.exotic = l.exact(b.exotic, text, at)
		}
		letter := b.letter | b.high
		if b.digit|b.mask|b.at|b.exotic|b.word|l.digit|l.mask|l.at|l.exotic == 0 { // plain words
			l.letter, l.other = b.letter, letter
			continue
		}
		if !l.passed {
			l.passed = b.digit|l.digit != 0 && l.numbers(b, text, at) || b.mask|l.mask != 0 && l.hides(b, text, at) ||
				b.at|l.at != 0 && l.addresses(b) || b.exotic|l.exotic != 0 && l.disguises(b) || l.hidden && l.digits+l.exotics >= 2 ||
				l.exotics > 0 && (l.digits >= 6 || l.exotics > 1 && l.digits+l.exotics >= 6) || l.foreign > 0 && l.digits+l.foreign >= 4
		}
		if b.word != 0 && !l.anchored {
			l.anchored = l.anchors(b, text, at, rules)
		}
		l.digit, l.letter, l.other, l.mask, l.at, l.exotic = b.digit, b.letter, letter, b.mask, b.at, b.exotic
	}
}

// numbers reports whether digits stand close enough for an identifier.
func (l *look) numbers(b *block, text string, at int) bool {
	l.digits += bits.OnesCount64(b.digit)
	d, letter := b.digit, b.letter|b.high
	// One letter between digits, or two, may stand for digits.
	one := d & (b.letter<<1 | l.letter>>63)
	pair := one & (b.letter<<2 | l.letter>>62) & (d<<3 | l.digit>>61)
	one &= d<<2 | l.digit>>62
	place, before := d|one>>1|pair>>1|pair>>2, l.place|one<<63|pair<<63|pair<<62
	two, two0 := place&(place<<1|before>>63), before&(before<<1)
	three, three0 := two&(place<<2|before>>62), two0&(before<<2)
	four := three & (place<<3 | before>>61)
	beside := four&(b.letter<<4|l.letter>>60)&(b.letter<<5|l.letter>>59) |
		letter&(four<<1|l.run>>63)&(letter<<5|l.other>>59)&(letter<<6|l.other>>58)
	single := d & (d<<2 | l.digit>>62)
	spelled := single & (single<<2 | (l.digit&(l.digit<<2))>>62) & (d<<6 | l.digit>>58)
	pairs := two & (two<<3 | two0>>61) & (two<<6 | two0>>58)
	triples := three & (three<<4 | three0>>60 | three<<5 | three0>>59 | three<<6 | three0>>58)
	l.four = l.four || four != 0
	series := four & (b.letter<<5 | l.letter>>59) // DL 3 C 1234
	filled := place&^d | before&^l.digit
	if beside|spelled|pairs|triples != 0 || l.four && (l.digits >= 6 || filled != 0) || series != 0 && l.digits >= 5 {
		return true
	}
	for ends := b.letter & (four<<1 | l.run>>63); ends != 0; ends &= ends - 1 { // 1100OO
		if digitFor(text[at+bits.TrailingZeros64(ends)]) != 0 {
			return true
		}
	}
	branch := d & (letter<<1 | l.other>>63) & (letter<<2 | l.other>>62) & (letter<<3 | l.other>>61) & (letter<<4 | l.other>>60)
	for ; branch != 0; branch &= branch - 1 { // letters stand for digits, or a branch of a bank has letters
		k := at + bits.TrailingZeros64(branch)
		if looksAlike(text[:k]) {
			return true
		}
		switch length(text, k) {
		case len(panPlaces), len(ifscPlaces), len(gstinPlaces):
			return true
		}
	}
	l.place, l.run = place, four
	return false
}

// hides reports whether places are hidden as a code hides them, and remembers
// rows of hidden places.
func (l *look) hides(b *block, text string, at int) bool {
	mask := b.mask
	row := mask & (mask<<1 | l.mask>>63) & (mask<<2 | l.mask>>62)
	apart := mask & (mask<<2 | l.mask>>62) & (mask<<4 | l.mask>>60) &^ (mask<<1 | l.mask>>63)
	if apart != 0 {
		return true
	}
	two, two0 := mask&(mask<<1|l.mask>>63), l.mask&(l.mask<<1)
	l.hidden = l.hidden || row|two&(two<<3|two0>>61) != 0
	for ends := row &^ (mask >> 1); ends != 0; ends &= ends - 1 { // ABCPE****F shows no digit
		if length(text, at+bits.TrailingZeros64(ends)) == len(panPlaces) {
			return true
		}
	}
	return false
}

// addresses reports whether an at sign stands between characters.
func (l *look) addresses(b *block) bool {
	near, near0 := b.letter|b.high|b.digit|b.mask, l.other|l.digit|l.mask
	return (b.at<<1|l.at>>63)&near&(near<<2|near0>>62) != 0
}

// disguises reports whether exotic characters stand in a row beside a letter:
// ABCPE••••F.
func (l *look) disguises(b *block) bool {
	l.exotics += bits.OnesCount64(b.exotic)
	row := b.exotic & (b.exotic<<3 | l.exotic>>61) & (b.exotic<<6 | l.exotic>>58)
	return row&(b.letter<<7|l.letter>>57)|
		b.letter&(b.exotic<<3|l.exotic>>61)&(b.exotic<<6|l.exotic>>58)&(b.exotic<<9|l.exotic>>55) != 0
}

// anchors reports whether a signature's anchor word begins in the block.
func (l *look) anchors(b *block, text string, at int, rules *Rules) bool {
	begins := b.word &^ ((b.letter|b.digit)<<1 | (l.letter|l.digit)>>63) &^ (b.high & (b.high<<1 | l.other>>63))
	for ; begins != 0; begins &= begins - 1 {
		k := at + bits.TrailingZeros64(begins)
		if k+2 < len(text) && !rules.begin[beginning(text, k)] && class[text[k+2]]&(cAlnum|cHigh) != 0 {
			continue
		}
		if rules.anchored(text, k) {
			return true
		}
	}
	return false
}

// exact keeps of the bits for what may be exotic characters those that are: the
// fingerprints say yes to hearts and rupee signs too.
func (l *look) exact(may uint64, text string, at int) uint64 {
	var is uint64
	for ; may != 0; may &= may - 1 {
		bit := bits.TrailingZeros64(may)
		k := at + bit
		if text[k] == 0x9D { // mathematical, after F0
			k = max(k-1, 0)
		}
		r, _ := utf8.DecodeRuneInString(text[k:])
		to, _ := foldRune(r)
		switch {
		case to == keep || to == lookAlike || to >= 0 && to < 0x80 && class[to]&(cAlnum|cMask) == 0:
			continue
		case to >= 0 && class[to]&cAlnum != 0:
			l.foreign++
		}
		is |= 1 << bit
	}
	return is
}

// looksAlike reports whether one of the last four characters of text looks like a
// letter of ASCII and is none.
func looksAlike(text string) bool {
	for range 4 {
		r, n := utf8.DecodeLastRuneInString(text)
		if r >= utf8.RuneSelf && homoglyph(r) != 0 {
			return true
		}
		text = text[:len(text)-n]
	}
	return false
}

// length returns how many bytes the token around at has, 16 for more than 15.
func length(text string, at int) int {
	start, end := at, at
	for start > 0 && at-start < 16 && class[text[start-1]]&cToken != 0 {
		start--
	}
	for end < len(text) && end-start < 16 && class[text[end]]&cToken != 0 {
		end++
	}
	return min(end-start, 16)
}
