package matcher

// code tests the token [start, end), which has letters and digits, for the
// kinds that are written as one word, and for vehicle and licence numbers that
// begin here and go on in the next words. It returns the offset after what it
// used.
func (w *work) code(start, end int) int {
	s := w.s
	if e := w.vehicleOrLicence(start); e > 0 {
		return e
	}
	n := end - start
	cd := cand{start: start, end: end}
	w.shaped(&cd)
	if n == 3 && end+6 <= len(s) && s[end] == ' ' { // passport as A12 34567
		var b [8]byte
		copy(b[:], s[start:end])
		if tail := s[end+1 : end+6]; allDigits(tail) && (end+6 == len(s) || class[s[end+6]]&cToken == 0) {
			copy(b[3:], tail)
			cd.end = end + 6
			w.passport(&cd, view(b[:]))
			if cd.kinds == 0 {
				cd.end = end
			}
		}
	}
	if n >= 6 && n <= 24 && numbered(s[start:end]) {
		cd.allow(kRation)
		cd.allow(kChallan)
		cd.allow(kConsumer)
		cd.allow(kDevice)
	}
	if cd.kinds != 0 {
		w.keep(cd)
	}
	return cd.end
}

// numbered reports whether a word is a number with letters rather than a word
// with numbers: six digits, and four places in a row that are digits or one or
// two letters between digits.
func numbered(word string) bool {
	digits, row, longest, letters := 0, 0, 0, 0
	for i := range len(word) {
		if class[word[i]]&cDigit == 0 {
			letters++
			continue
		}
		if digits++; letters > maxLettersInARow || row == 0 {
			letters, row = 0, 0
		}
		row += letters + 1
		letters = 0
		longest = max(longest, row)
	}
	return digits >= 6 && longest >= 4
}

// shaped tests the word that cd spans for the kinds with a fixed shape.
func (w *work) shaped(cd *cand) bool {
	switch word := w.s[cd.start:cd.end]; len(word) {
	case 8:
		w.passport(cd, word)
	case 10:
		w.pan(cd, word)
		w.epic(cd, word)
	case 11:
		w.ifsc(cd, word)
	case 15:
		w.gstin(cd, word)
	}
	return cd.kinds != 0
}

func allDigits(s string) bool {
	for i := range len(s) {
		if class[s[i]]&cDigit == 0 {
			return false
		}
	}
	return true
}

// The places of a code: 'A' a letter, '9' a digit, '#' either.
const (
	panPlaces      = "AAAAA9999A"
	epicPlaces     = "AAA9999999"
	passportPlaces = "A9999999"
	ifscPlaces     = "AAAA9######"
	gstinPlaces    = "99AAAAA9999A#A#"
)

// A fit says how a word fills the places of a code.
type fit struct {
	ok      bool
	evasive bool // letters stand for digits
	lower   bool // has lower-case letters
	hidden  int
}

// fits compares a word with the places of a code and spells it out in up. Letters
// may stand for half of the digits, and for two beside each other.
func fits(word, places string, up []byte) fit {
	f := fit{ok: true}
	digits, letters, row := 0, 0, 0 // letters and those in a row stand for digits
	for i := range len(places) {
		b := word[i]
		k := class[b]
		switch places[i] {
		case 'A':
			if k&cLetter == 0 {
				if k&cMask != 0 {
					f.hidden++
					up[i] = 'X'
					continue
				}
				return fit{}
			}
		case '9':
			if k&cDigit == 0 {
				if d := digitFor(b); d != 0 && row < maxLettersInARow {
					up[i] = d
					f.evasive = true
					letters++
					row++
					continue
				}
				if k&cMask != 0 {
					f.hidden++
					up[i] = hidden
					continue
				}
				return fit{}
			}
			digits++
			row = 0
		default:
			if k&cAlnum == 0 {
				return fit{}
			}
			if k&cDigit != 0 {
				digits++
			}
		}
		if k&cLower != 0 {
			f.lower = true
			b &^= 0x20
		}
		up[i] = b
	}
	if letters > digits {
		return fit{}
	}
	return f
}

// pan recognises AAAAA9999A whose fourth letter is a holder type.
func (w *work) pan(cd *cand, word string) {
	var up [10]byte
	f := fits(word, panPlaces, up[:])
	if !f.ok {
		w.panMasked(cd, word)
		return
	}
	if f.hidden > 0 {
		w.panMasked(cd, word)
		return
	}
	if up[5] == '0' && up[6] == '0' && up[7] == '0' && up[8] == '0' {
		return
	}
	cd.allow(kPAN)
	cd.evasive = f.evasive
	holder := holderType(up[3])
	if holder && !f.lower {
		cd.alone |= setOf(kPAN)
		if !f.evasive {
			cd.sure |= setOf(kPAN)
		}
	}
	if !holder {
		cd.check(kPAN, false)
	}
}

// holderType reports whether c is a PAN's fourth letter (E and K unverified).
func holderType(c byte) bool {
	switch c {
	case 'A', 'B', 'C', 'F', 'G', 'H', 'J', 'L', 'P', 'T', 'E', 'K':
		return true
	}
	return false
}

// panMasked recognises ten places of a PAN of which some are hidden:
// XXXXX1234X, ABXXXXXX4F, ABCPE****F.
func (w *work) panMasked(cd *cand, word string) {
	shown := 0
	for i := range len(word) {
		k := class[word[i]]
		if k&cMask != 0 {
			continue
		}
		digit := i >= 5 && i <= 8
		if digit && k&cDigit == 0 || !digit && k&cLetter == 0 {
			return
		}
		shown++
	}
	if shown < 2 || !hiddenRow(word) {
		return
	}
	cd.allow(kPAN)
	cd.masked |= setOf(kPAN)
	if shown >= 4 {
		cd.alone |= setOf(kPAN)
	}
}

// hiddenRow reports whether three places in a row are hidden: who hides a part of
// a code hides it in one piece.
func hiddenRow(word string) bool {
	row := 0
	for i := range len(word) {
		if class[word[i]]&cMask == 0 {
			row = 0
		} else if row++; row == 3 {
			return true
		}
	}
	return false
}

func (w *work) epic(cd *cand, word string) {
	var up [10]byte
	f := fits(word, epicPlaces, up[:])
	if !f.ok || f.hidden > 0 && !hiddenRow(word) {
		return
	}
	if f.hidden > 0 {
		if class[word[0]]&cLetter != 0 && class[word[9]]&cDigit != 0 && up[0] != 'X' {
			cd.allow(kEPIC)
			cd.masked |= setOf(kEPIC)
		}
		return
	}
	cd.allow(kEPIC)
	cd.evasive = cd.evasive || f.evasive
	if !f.lower && !f.evasive && !w.m.isOtherPrefix(view(up[:3])) {
		cd.alone |= setOf(kEPIC)
	}
}

func (w *work) passport(cd *cand, word string) {
	var up [8]byte
	f := fits(word, passportPlaces, up[:])
	if !f.ok || f.hidden > 0 && (up[0] == 'X' || up[7] == hidden || !hiddenRow(word)) {
		return
	}
	cd.allow(kPassport)
	cd.evasive = cd.evasive || f.evasive
	if f.hidden > 0 {
		cd.masked |= setOf(kPassport)
		return
	}
	strict := up[0] != 'Q' && up[0] != 'X' && up[0] != 'Z' && up[1] != '0' && up[7] != '0'
	if strict && !f.lower && !f.evasive {
		cd.company |= setOf(kPassport)
	}
}

func (w *work) ifsc(cd *cand, word string) {
	var up [11]byte
	f := fits(word, ifscPlaces, up[:])
	if !f.ok || f.hidden > 0 || up[4] != '0' || word[4] != '0' && !numberLike(word[5:]) {
		return
	}
	cd.allow(kIFSC)
	cd.evasive = cd.evasive || f.evasive
	if _, known := w.m.facts.banks[view(up[:4])]; known {
		if !f.lower {
			cd.alone |= setOf(kIFSC)
			if !f.evasive {
				cd.sure |= setOf(kIFSC)
			}
		}
	} else {
		cd.company |= setOf(kIFSC)
	}
}

// numberLike reports whether s is made of digits, but for an O in at most half of
// its places.
func numberLike(s string) bool {
	digits := 0
	for i := range len(s) {
		if !isDigitOrO(s[i]) {
			return false
		}
		if class[s[i]]&cDigit != 0 {
			digits++
		}
	}
	return 2*digits >= len(s)
}

func (w *work) gstin(cd *cand, word string) {
	var up [15]byte
	f := fits(word, gstinPlaces, up[:])
	if !f.ok || f.hidden > 0 || up[13] != 'Z' {
		return
	}
	state := int(up[0]-'0')*10 + int(up[1]-'0')
	if state < 1 || state > 38 && state != 97 && state != 99 || !holderType(up[5]) {
		return
	}
	cd.allow(kGSTIN)
	cd.evasive = cd.evasive || f.evasive
	ok := gstinCheck(up[:])
	cd.check(kGSTIN, ok)
	if !f.lower {
		cd.alone |= setOf(kGSTIN)
		if ok {
			cd.sure |= setOf(kGSTIN)
		}
	}
}

// vehicleOrLicence recognises "MH12AB1234", "MH 12 AB 1234", "22 BH 1234 AA" and
// "MH12 20110012345" from start on, with spaces, hyphens or nothing between the
// parts, and returns the offset after them, 0 for none.
func (w *work) vehicleOrLicence(start int) int {
	s := w.s
	if start+7 > len(s) {
		return 0
	}
	if class[s[start]]&cDigit != 0 {
		return w.vehicleBH(start)
	}
	if class[s[start+1]]&cLetter == 0 || !w.m.isState(s[start], s[start+1]) {
		return 0
	}
	lower := class[s[start]]&cLower != 0
	i := gapAfter(s, start+2)
	d := i
	for d < len(s) && d-i < 14 && isDigitOrO(s[d]) {
		d++
	}
	odd := hasLetter(s[i:d])
	if d-i == 13 && odd || d-i == 13 { // RTO, year and serial in one word
		return w.licence(start, i, d, lower, odd)
	}
	if d-i < 1 || class[s[i]]&cDigit == 0 && s[i] != 'O' {
		return 0
	}
	if d-i > 2 {
		return 0
	}
	// licence: SS RR YYYY NNNNNNN with a gap after RR
	if k := gapAfter(s, d); k > d {
		e := k
		for e < len(s) && e-k < 12 && isDigitOrO(s[e]) {
			e++
		}
		if e-k == 11 && d-i == 2 {
			return w.licenceParts(start, k, e, lower, odd || hasLetter(s[k:e]))
		}
	}
	// The letters of a series may begin with the O that stood for a digit.
	k := gapAfter(s, d)
	l := k
	for l < len(s) && l-k < 3 && class[s[l]]&cLetter != 0 {
		l++
	}
	if l == k {
		return 0
	}
	if g := gapAfter(s, l); l == k+1 && g > l && class[s[g]]&cLetter != 0 { // DL 3C AB 1234
		for l = g; l < len(s) && l-g < 2 && class[s[l]]&cLetter != 0; {
			l++
		}
	}
	return w.vehicleSerial(start, l, lower, odd)
}

// vehicleSerial reads the four digits that end a vehicle number. Letters may stand
// for the two in the middle; before them, an O is one of the series.
func (w *work) vehicleSerial(start, i int, lower, odd bool) int {
	s := w.s
	k := gapAfter(s, i)
	e := k + 4
	if e > len(s) || e < len(s) && class[s[e]]&cToken != 0 ||
		class[s[k]]&class[s[e-1]]&cDigit == 0 || !isDigitOrO(s[k+1]) || !isDigitOrO(s[k+2]) {
		return 0
	}
	cd := cand{start: start, end: e, evasive: odd || hasLetter(s[k:e])}
	cd.allow(kVehicle)
	if !lower && !cd.evasive {
		cd.alone = setOf(kVehicle)
	}
	w.keep(cd)
	return e
}

// licence reads RRYYYYNNNNNNN in one run.
func (w *work) licence(start, i, end int, lower, odd bool) int {
	return w.licenceParts(start, i+2, end, lower, odd)
}

// licenceParts checks the year of a licence whose year and serial fill
// [i, end).
func (w *work) licenceParts(start, i, end int, lower, odd bool) int {
	s := w.s
	if end < len(s) && class[s[end]]&cToken != 0 || end-i != 11 {
		return 0
	}
	var y [4]byte
	for k := range y {
		if y[k] = s[i+k]; class[y[k]]&cDigit == 0 {
			y[k] = digitFor(y[k])
		}
	}
	if y[0] != '1' && y[0] != '2' || y[0] == '1' && y[1] != '9' || y[0] == '2' && y[1] != '0' {
		return 0
	}
	cd := cand{start: start, end: end, evasive: odd}
	cd.allow(kLicence)
	if !lower && !odd {
		cd.alone = setOf(kLicence)
	}
	w.keep(cd)
	return end
}

// vehicleBH reads YY BH 9999 A or AA.
func (w *work) vehicleBH(start int) int {
	s := w.s
	if class[s[start+1]]&cDigit == 0 && digitFor(s[start+1]) == 0 || s[start] < '2' {
		return 0
	}
	i := gapAfter(s, start+2)
	if i+2 > len(s) || s[i]|0x20 != 'b' || s[i+1]|0x20 != 'h' {
		return 0
	}
	lower := s[i] == 'b'
	k := gapAfter(s, i+2)
	if k+5 > len(s) {
		return 0
	}
	for _, b := range []byte(s[k : k+4]) {
		if !isDigitOrO(b) {
			return 0
		}
	}
	if class[s[k]]&class[s[k+3]]&cDigit == 0 { // as vehicleSerial
		return 0
	}
	l := gapAfter(s, k+4)
	e := l
	for e < len(s) && e-l < 3 && class[s[e]]&cLetter != 0 {
		if u := s[e] &^ 0x20; u == 'I' || u == 'O' {
			return 0
		}
		e++
	}
	if e == l || e-l > 2 || e < len(s) && class[s[e]]&cToken != 0 {
		return 0
	}
	cd := cand{start: start, end: e, evasive: hasLetter(s[k:k+4]) || class[s[start+1]]&cDigit == 0}
	cd.allow(kVehicleBH)
	if !lower {
		cd.alone = setOf(kVehicleBH)
	}
	w.keep(cd)
	return e
}

// gapAfter skips one space or hyphen.
func gapAfter(s string, i int) int {
	if i+1 < len(s) && (s[i] == ' ' || s[i] == '-') && class[s[i+1]]&cAlnum != 0 {
		return i + 1
	}
	if i+3 < len(s) && s[i] == ' ' && s[i+1] == '-' && s[i+2] == ' ' {
		return i + 3
	}
	return i
}

func isDigitOrO(b byte) bool { return class[b]&cDigit != 0 || b == 'O' || b == 'o' }

func hasLetter(s string) bool {
	for i := range len(s) {
		if class[s[i]]&cLetter != 0 {
			return true
		}
	}
	return false
}
