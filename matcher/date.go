package matcher

import "strings"

// Years that a living person can have been born in, with room for bad data. The
// package has no clock; Config.Year narrows the upper end.
const (
	firstBirthYear = 1900
	lastBirthYear  = 2035
)

// date recognises d/m/y and y-m-d in the groups that begin at g.
func (w *work) date(cd *cand, places []byte, shape uint64, g int) bool {
	var d, m, y int
	num := func(from, to int) int {
		v := 0
		for _, b := range places[from:to] {
			v = v*10 + int(b-'0')
		}
		return v
	}
	n := len(places)
	switch shape {
	case 0x224, 0x124, 0x214, 0x114: // d m yyyy
		d1 := int(shape >> 8 & 15)
		d, m, y = num(0, d1), num(d1, n-4), num(n-4, n)
	case 0x222, 0x122, 0x212, 0x112: // d m yy
		d1 := int(shape >> 8 & 15)
		d, m, y = num(0, d1), num(d1, n-2), num(n-2, n)
		if y += 1900; y < 1930 {
			y += 100
		}
	case 0x422, 0x412, 0x421, 0x411: // yyyy m d
		m1 := int(shape >> 4 & 15)
		y, m, d = num(0, 4), num(4, 4+m1), num(4+m1, n)
	case 8: // ddmmyyyy or yyyymmdd, by label only
		if y = num(4, 8); y >= firstBirthYear && y <= lastBirthYear {
			d, m = num(0, 2), num(2, 4)
		} else {
			y, m, d = num(0, 4), num(4, 6), num(6, 8)
		}
		if realDate(d, m, y) {
			cd.allow(kDOB)
			cd.check(kDOB, true)
			cd.allow(kConsumer)
			return true
		}
		return false
	default:
		return false
	}
	if m > 12 && d <= 12 { // m/d/y
		d, m = m, d
	}
	if d < 1 || d > 31 || m < 1 || m > 12 || y < firstBirthYear || y > lastBirthYear {
		return false
	}
	sep := w.chain.join[g+1]
	if sep == '_' || sep == '|' {
		return false
	}
	cd.allow(kDOB)
	cd.check(kDOB, realDate(d, m, y) && (w.m.year == 0 || y <= w.m.year))
	if cd.passed.has(kDOB) && sep != ' ' {
		cd.company |= setOf(kDOB)
	}
	return true
}

// year recognises a year of birth, by label only.
func (w *work) year(cd *cand, places []byte) bool {
	y := int(places[0]-'0')*1000 + int(places[1]-'0')*100 + int(places[2]-'0')*10 + int(places[3]-'0')
	if y < firstBirthYear || y > lastBirthYear {
		return false
	}
	cd.allow(kDOB)
	cd.check(kDOB, w.m.year == 0 || y <= w.m.year)
	return true
}

func realDate(d, m, y int) bool {
	if d < 1 || m < 1 || m > 12 || y < firstBirthYear || y > lastBirthYear {
		return false
	}
	days := 31
	switch m {
	case 4, 6, 9, 11:
		days = 30
	case 2:
		days = 28
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			days = 29
		}
	}
	return d <= days
}

// monthNames lists the first three letters of each English month.
const monthNames = "janfebmaraprmayjunjulaugsepoctnovdec"

// month returns 1 to 12 for a word that names a month, 0 for others.
func month(word string) int {
	if len(word) < 3 || len(word) > 9 {
		return 0
	}
	var low [3]byte
	for i := range low {
		low[i] = word[i] | 0x20
	}
	at := strings.Index(monthNames, view(low[:]))
	if at < 0 || at%3 != 0 {
		return 0
	}
	full := [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}[at/3]
	if len(word) > 3 && !(len(word) <= len(full) && strings.EqualFold(word, full[:len(word)])) {
		return 0
	}
	return at/3 + 1
}

// wordDate recognises "12 Jan 1990", "12-JAN-90" and "Jan 12, 1990" around the
// digits [start, end) and returns the offset after the date, 0 for none.
func (w *work) wordDate(start, end int) int {
	s := w.s
	d := small(s, start, end)
	if d < 1 || d > 31 {
		return 0
	}
	i := end
	if i+1 < len(s) && (s[i] == 't' || s[i] == 's' || s[i] == 'n' || s[i] == 'r') { // 12th
		i += 2
	}
	from := start
	m, j := 0, i
	if k := skipDateGap(s, i); k < len(s) {
		j = k
		for j < len(s) && class[s[j]]&cLetter != 0 {
			j++
		}
		m = month(s[k:j])
	}
	if m == 0 { // the month may come first
		k := start
		for k > 0 && (s[k-1] == ' ' || s[k-1] == '-' || s[k-1] == '.') {
			k--
		}
		wordStart := k
		for wordStart > 0 && class[s[wordStart-1]]&cLetter != 0 {
			wordStart--
		}
		if m = month(s[wordStart:k]); m == 0 {
			return 0
		}
		from, j = wordStart, i
	}
	k := skipDateGap(s, j)
	e := k
	for e < len(s) && e-k < 5 && class[s[e]]&cDigit != 0 {
		e++
	}
	if e-k != 4 && e-k != 2 {
		return 0
	}
	y := small(s, k, e)
	if e-k == 2 {
		if y += 1900; y < 1930 {
			y += 100
		}
	}
	if y < firstBirthYear || y > lastBirthYear {
		return 0
	}
	cd := cand{start: from, end: e}
	cd.allow(kDOB)
	cd.check(kDOB, realDate(d, m, y))
	if cd.passed != 0 {
		cd.company = setOf(kDOB)
	}
	w.keep(cd)
	return e
}

func skipDateGap(s string, i int) int {
	for n := 0; i < len(s) && n < 3 && (s[i] == ' ' || s[i] == '-' || s[i] == '/' || s[i] == ',' || s[i] == '.' || s[i] == '\''); n++ {
		i++
	}
	return i
}

// small reads up to five digits.
func small(s string, start, end int) int {
	v := 0
	for ; start < end; start++ {
		v = v*10 + int(s[start]-'0')
	}
	return v
}
