package matcher

import "strings"

// maxPlaces is the longest number looked at: longer runs are hashes, not
// identifiers.
const (
	maxPlaces = 40
	maxGroups = 24
	hidden    = 'X' // a place that the writer hid
)

// A chain is a sequence of groups of digits and hidden places, each pair of
// groups joined by one separator: "+91 98765 43210", "XXXX-XXXX-1234".
type chain struct {
	place    [maxPlaces]byte // '0'–'9' or hidden
	group    [maxGroups + 1]uint8
	start    [maxGroups]int // folded offset of each group
	end      [maxGroups]int
	join     [maxGroups]byte // separator before the group, 0 before the first
	odd      [maxGroups]bool // group has letters for digits
	groups   int
	places   int
	plus     bool // '+' before the first group
	overlong bool
}

// read fills c from the token at i and returns the offset after it. limit is
// the end of the text looked at.
func (c *chain) read(s string, i int) int {
	c.groups, c.places, c.plus, c.overlong = 0, 0, false, false
	if i > 0 && s[i-1] == '+' || i > 1 && s[i-1] == ' ' && s[i-2] == '+' {
		c.plus = true
	}
	join := byte(0)
	for c.groups < maxGroups {
		end, odd := c.numeric(s, i)
		if end == i {
			break
		}
		c.group[c.groups] = uint8(c.places)
		c.start[c.groups], c.end[c.groups], c.join[c.groups], c.odd[c.groups] = i, end, join, odd
		if !c.take(s, i, end) {
			c.overlong = true
			return end
		}
		c.groups++
		c.group[c.groups] = uint8(c.places)
		next, sep := joined(s, end)
		if next == end {
			return end
		}
		i, join = next, sep
	}
	if c.groups == 0 {
		return i
	}
	return c.end[c.groups-1]
}

// joined returns the offset of the next group and the separator, or end itself
// where the number ends.
func joined(s string, end int) (int, byte) {
	if end+1 >= len(s) {
		return end, 0
	}
	sep := s[end]
	next := end + 1
	switch {
	case sep == ')':
		if s[next] == ' ' || s[next] == '-' {
			next++
		}
		sep = ' '
	case class[sep]&cSpace == 0 && sep != '-' && sep != '.' && sep != '/' && sep != '_' && sep != '|':
		return end, 0
	case sep == '\n' || sep == '\r' || sep == '\t':
		return end, 0
	case sep == ' ' && s[next] == '-' && next+2 < len(s) && s[next+1] == ' ':
		next, sep = next+2, '-'
	case sep == ' ' && s[next] == '(':
		next++
	}
	if next < len(s) && class[s[next]]&(cDigit|cMask) != 0 {
		return next, sep
	}
	return end, 0
}

// maxLettersInARow is how many letters may stand for digits beside each other:
// people write 98OO123456, while longer rows are words and codes.
const maxLettersInARow = 2

// numeric returns the end of the token at i if it is made of digits, mask
// glyphs and at most as many letters that stand for digits; else i. odd tells
// of such letters.
func (c *chain) numeric(s string, i int) (end int, odd bool) {
	digits, letters, row, masks, zeros := 0, 0, 0, 0, true
	j := i
	for ; j < len(s); j++ {
		b := s[j]
		switch k := class[b]; {
		case k&cDigit != 0:
			digits++
			row = 0
		case k&cMask != 0:
			masks++
		case k&cLetter != 0:
			if digitFor(b) == 0 {
				return i, false
			}
			if row++; row > maxLettersInARow {
				return i, false
			}
			letters++
			zeros = zeros && (b == 'O' || b == 'o') // beside hidden places only the commonest
		case (b == '-' || b == '_' || b == '.') && dashRun(s, j) >= 3:
			n := dashRun(s, j)
			masks += n
			j += n - 1
		default:
			if letters > 0 && (digits < 3 || letters > digits || masks > 0 && !zeros) {
				return i, false
			}
			return j, letters > 0
		}
		if j-i > maxPlaces {
			for j < len(s) && class[s[j]]&cToken != 0 {
				j++
			}
			return j, false
		}
	}
	if letters > 0 && (digits < 3 || letters > digits || masks > 0 && !zeros) {
		return i, false
	}
	return j, letters > 0
}

// dashRun returns how often the byte at i repeats.
func dashRun(s string, i int) int {
	n := 1
	for i+n < len(s) && s[i+n] == s[i] {
		n++
	}
	return n
}

// take appends the token's places.
func (c *chain) take(s string, i, end int) bool {
	if c.places+end-i > maxPlaces {
		return false
	}
	for ; i < end; i++ {
		b := s[i]
		switch {
		case class[b]&cDigit != 0:
		case class[b]&cMask != 0 || class[b]&cLetter == 0:
			b = hidden
		default:
			b = digitFor(b)
		}
		c.place[c.places] = b
		c.places++
	}
	return true
}

// digitFor returns the digit that a letter is written for, 0 for none.
func digitFor(b byte) byte {
	switch b {
	case 'O', 'o', 'Q', 'D':
		return '0'
	case 'l', 'I', 'i':
		return '1'
	case 'Z', 'z':
		return '2'
	case 'S', 's':
		return '5'
	case 'B':
		return '8'
	}
	return 0
}

// length returns the places of group g.
func (c *chain) length(g int) int { return int(c.group[g+1]) - int(c.group[g]) }

// shape packs the lengths of groups i to j into one number, a hex digit each:
// 4-4-4 is 0x444. Longer groups count as 15.
func (c *chain) shape(i, j int) uint64 {
	var v uint64
	for g := i; g <= j; g++ {
		v = v<<4 | uint64(min(c.length(g), 15))
	}
	return v
}

// Shapes that people write numbers in.
func mobileShape(v uint64) bool {
	switch v {
	case 0xA, 0x55, 0x334, 0x433, 0x343, 0x244, 0x46, 0x64, 0x22222, 0x37, 0x73, 0x424, 0x3331:
		return true
	}
	return false
}

// numbers reads the number that the token at i begins and returns the offset
// after it.
func (w *work) numbers(i int) int {
	c := &w.chain
	end := c.read(w.s, i)
	if c.overlong || c.groups == 0 {
		return max(end, i+1)
	}
	for g := 0; g < c.groups; {
		g = w.numberAt(g) + 1
	}
	return end
}

// free reports whether a number may begin (or end) at the separator: only
// where groups are parted by spaces. "28.6139391254" is a decimal, "1.2.3.4" an
// address, and no part of either is a number of its own.
func free(sep byte) bool { return sep == 0 || sep == ' ' || sep == '|' }

// numberAt finds the longest sequence of groups from g on that has the shape of
// an identifier, keeps it as a candidate and returns its last group.
func (w *work) numberAt(g int) int {
	c := &w.chain
	first := g
	if !free(c.join[g]) {
		return g
	}
	last := min(c.groups-1, g+11)
	for j := last; j >= g; j-- {
		if j+1 < c.groups && !free(c.join[j+1]) {
			continue
		}
		if !c.uniform(g, j) || c.address(g, j) {
			continue
		}
		cd := cand{start: c.start[g], end: c.end[j]}
		places := c.place[c.group[g]:c.group[j+1]]
		if w.classify(&cd, places, c.shape(g, j), c.plus && g == 0, g, j) {
			for k := g; k <= j; k++ {
				cd.evasive = cd.evasive || c.odd[k]
			}
			if cd.evasive && cd.masked == 0 && j == g && cd.kinds != 0 {
				cd.sure = 0
			}
			if cd.start > 0 && w.s[cd.start-1] == '+' {
				cd.start--
			} else if c.plus && g == 0 {
				cd.start -= 2
			} else if cd.start > 1 && w.s[cd.start-1] == '(' && w.s[cd.start-2] == '+' {
				cd.start -= 2
			}
			w.keep(cd)
			return j
		}
	}
	return first
}

// uniform reports whether groups i to j are parted by one kind of separator,
// the one after a country code apart.
func (c *chain) uniform(i, j int) bool {
	from := i + 2
	if j-i >= 2 && c.length(i) <= 3 {
		from = i + 3
	}
	for g := from; g <= j; g++ {
		if c.join[g] != c.join[g-1] {
			return false
		}
	}
	return true
}

// address reports whether groups i to j are an IPv4 address.
func (c *chain) address(i, j int) bool {
	if j-i != 3 {
		return false
	}
	for g := i; g <= j; g++ {
		if c.length(g) > 3 || g > i && c.join[g] != '.' {
			return false
		}
	}
	return true
}

// classify fills cd with what the places may be and reports whether anything.
func (w *work) classify(cd *cand, places []byte, shape uint64, plus bool, i, j int) bool {
	hiddenPlaces := 0
	for _, b := range places {
		if b == hidden {
			hiddenPlaces++
		}
	}
	if hiddenPlaces > 0 {
		return w.classifyMasked(cd, places, shape, plus, hiddenPlaces)
	}
	if w.date(cd, places, shape, i) {
		return true
	}
	n := len(places)
	if n < 6 || n > 19 {
		return n == 4 && shape == 4 && w.year(cd, places)
	}
	if sameDigit(places) {
		return false
	}
	single := i == j
	w.mobile(cd, places, shape, plus)
	switch n {
	case 12:
		if places[0] >= '2' && !palindrome(places) {
			cd.allow(kAadhaar)
			ok := verhoeff(places)
			cd.check(kAadhaar, ok)
			if ok && (shape == 0x444 || single) {
				cd.alone |= setOf(kAadhaar)
				if shape == 0x444 {
					cd.sure |= setOf(kAadhaar)
				}
			}
		}
		if places[0] == '1' {
			cd.allow(kUAN)
		}
	case 13:
		cd.allow(kCoWIN)
	case 14:
		cd.allow(kCoWIN)
		cd.allow(kABHA)
		if shape == 0x2444 {
			cd.alone |= setOf(kABHA)
		}
	case 15:
		cd.allow(kIMEI)
		cd.check(kIMEI, luhn(places))
		cd.allow(kIMSI)
	case 16:
		if places[0] >= '2' {
			cd.allow(kVID)
			ok := verhoeff(places)
			cd.check(kVID, ok)
			if ok && (shape == 0x4444 || single) {
				cd.alone |= setOf(kVID)
			}
		}
	case 6:
		if single || shape == 0x33 {
			if places[0] != '0' {
				_, known := w.m.facts.pinRange[view(places[:2])]
				cd.allow(kPIN)
				cd.check(kPIN, known)
				if known {
					cd.company |= setOf(kPIN)
				}
			}
		}
	}
	w.card(cd, places, shape, single)
	if n >= 9 && n <= 18 {
		cd.allow(kAccount)
		cd.company |= setOf(kAccount)
	}
	if n >= 8 && n <= 15 {
		cd.allow(kRation)
		cd.allow(kChallan)
	}
	cd.allow(kConsumer)
	cd.allow(kDevice)
	if cd.alone&setOf(kMobile) != 0 && cd.alone&setOf(kAadhaar) != 0 {
		cd.alone &^= setOf(kAadhaar) // 91 and a mobile outnumber Aadhaar numbers that begin so
	}
	return true
}

// mobile recognises ten digits with or without a country or trunk prefix.
func (w *work) mobile(cd *cand, places []byte, shape uint64, plus bool) {
	n := len(places)
	cut := 0
	switch {
	case n == 10:
	case n == 11 && places[0] == '0':
		cut = 1
	case n == 12 && places[0] == '9' && places[1] == '1':
		cut = 2
	case n == 13 && places[0] == '0' && places[1] == '9' && places[2] == '1':
		cut = 3
	case n == 14 && places[0] == '0' && places[1] == '0' && places[2] == '9' && places[3] == '1':
		cut = 4
	default:
		return
	}
	if places[cut] < '6' || sameDigit(places[cut:]) {
		return
	}
	cd.allow(kMobile)
	if plus && cut == 2 {
		cd.alone |= setOf(kMobile)
		cd.sure |= setOf(kMobile)
		return
	}
	rest := shape
	switch bare := n - 10; {
	case cut == 0:
	case shape == uint64(min(n, 15)):
		rest = 0xA
	default: // the prefix is a group of its own, or leads the first group
		for top := uint64(60); ; top -= 4 {
			if g := shape >> top & 15; g != 0 {
				if int(g) == bare {
					rest = shape &^ (15 << top)
				} else {
					rest = shape - uint64(bare)<<top
				}
				break
			}
		}
	}
	if mobileShape(rest) {
		cd.alone |= setOf(kMobile)
	}
}

// card needs an issuer's prefix and Luhn's check both: a tenth of all
// timestamps pass the check.
func (w *work) card(cd *cand, places []byte, shape uint64, single bool) {
	n := len(places)
	if n < 13 {
		return
	}
	issued := w.m.issued(places)
	if n <= 19 && issued {
		cd.allow(kCard)
		ok := luhn(places)
		cd.check(kCard, ok)
		if ok && (single || shape == 0x4444 || shape == 0x465 || shape == 0x464) {
			cd.alone |= setOf(kCard)
			cd.alone &^= setOf(kVID)
		}
	}
}

// classifyMasked recognises numbers with hidden places.
func (w *work) classifyMasked(cd *cand, places []byte, shape uint64, plus bool, hiddenPlaces int) bool {
	n := len(places)
	shown := n - hiddenPlaces
	if shown < 2 || n < 6 || !conceals(w.s[cd.start:cd.end]) {
		return false
	}
	if panShown(places) {
		cd.allow(kPAN)
		cd.alone = setOf(kPAN)
	}
	if n >= 12 && places[0] == '9' && places[1] == '1' && n == 12 && (places[2] == hidden || places[2] >= '6') &&
		(plus || places[2] != hidden || shape>>4 != 0 && shape != 0x444) {
		cd.allow(kMobile)
		cd.alone |= setOf(kMobile)
		if plus {
			cd.sure |= setOf(kMobile)
		}
	}
	switch {
	case n == 10 && (places[0] == hidden || places[0] >= '6'):
		cd.allow(kMobile)
		if hiddenPlaces >= 4 && !cd.kinds.has(kPAN) {
			cd.alone |= setOf(kMobile)
		}
	case n == 11 && places[0] == '0':
		cd.allow(kMobile)
		cd.alone |= setOf(kMobile)
	case n == 12 && !cd.alone.has(kMobile):
		cd.allow(kAadhaar)
		if hiddenPlaces == 8 && shownTail(places, 4) {
			cd.alone |= setOf(kAadhaar)
			if shape == 0x444 {
				cd.sure |= setOf(kAadhaar)
			}
		}
	case n == 16:
		cd.allow(kCard)
		cd.allow(kVID)
		if hiddenPlaces >= 6 && places[15] != hidden && places[12] != hidden {
			cd.alone |= setOf(kCard)
		}
	}
	if n >= 6 && n <= 18 && places[n-1] != hidden {
		cd.allow(kAccount)
	}
	if n >= 13 && n <= 19 {
		cd.allow(kCard)
	}
	cd.masked = cd.kinds
	return cd.kinds != 0
}

// conceals reports whether places are hidden as people hide them: three in a row,
// two twice beside each other, or three of a number spelled out one by one. The
// gate asks for the same.
func conceals(s string) bool {
	masked := func(i int) bool {
		return i < len(s) && class[s[i]]&cMask != 0 || i < len(s) && strings.IndexByte("-_.", s[i]) >= 0
	}
	for i := range len(s) {
		if masked(i) && (masked(i+1) && (masked(i+2) || masked(i+3) && masked(i+4)) || masked(i+2) && masked(i+4)) {
			return true
		}
	}
	return false
}

// panShown reports whether only the four digits of a PAN are shown, which is how
// forms hide one.
func panShown(places []byte) bool {
	for i, b := range places {
		if len(places) != 10 || (b == hidden) != (i < 5 || i == 9) {
			return false
		}
	}
	return true
}

// shownTail reports whether exactly the last n places are shown.
func shownTail(places []byte, n int) bool {
	for i, b := range places {
		if (b == hidden) != (i < len(places)-n) {
			return false
		}
	}
	return true
}
