package matcher

import (
	"fmt"
	"strconv"
	"strings"

	"prahari/evidence"
)

// Canonical returns the one spelling of a match's text, so that equal values are
// equal however they were written: digits without separators, "+91" before a
// mobile, upper-case codes, lower-case addresses, dates as 1989-07-15. Places
// that the writer hid are X.
func Canonical(kind evidence.Kind, form evidence.Form, span string) evidence.Text {
	var f folder
	plain := f.fold(span)
	switch kind {
	case evidence.Email, UPI, ABHAAddress:
		return evidence.Text(strings.ToLower(plain))
	case evidence.DateOfBirth:
		return evidence.Text(canonicalDate(plain))
	case evidence.PAN, EPIC, Passport, Licence, Vehicle, VehicleBH, GSTIN, IFSC, Ration, Challan, Consumer, Device, MAC, IP:
		return evidence.Text(canonicalCode(kind, plain))
	case evidence.Mobile:
		places := canonicalNumber(plain)
		if len(places) > 10 {
			places = places[len(places)-10:]
		}
		if form == evidence.Masked {
			return evidence.Text(places)
		}
		return evidence.Text("+91" + places)
	}
	if kindByName(kind) == kNone {
		return evidence.Text(canonicalCode(kind, plain))
	}
	return evidence.Text(canonicalNumber(plain))
}

// canonicalNumber keeps digits, letters that stand for digits, and hidden
// places.
func canonicalNumber(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		b := s[i]
		switch {
		case class[b]&cDigit != 0:
			out = append(out, b)
		case class[b]&cMask != 0:
			out = append(out, hidden)
		case digitFor(b) != 0:
			out = append(out, digitFor(b))
		case (b == '-' || b == '_' || b == '.') && dashRun(s, i) >= 3:
			n := dashRun(s, i)
			out = append(out, strings.Repeat(string(rune(hidden)), n)...)
			i += n - 1
		}
	}
	return string(out)
}

// canonicalCode keeps letters and digits in upper case; letters that stand for
// digits become digits where the kind has digits.
func canonicalCode(kind evidence.Kind, s string) string {
	places := map[evidence.Kind]string{evidence.PAN: panPlaces, EPIC: epicPlaces, Passport: passportPlaces}[kind]
	if up := make([]byte, len(places)); len(places) > 0 && len(s) == len(places) && fits(s, places, up).ok {
		return string(up)
	}
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		b := s[i]
		switch {
		case b == '*' || b == '#':
			out = append(out, hidden)
		case class[b]&cLower != 0:
			out = append(out, b&^0x20)
		case class[b]&cAlnum != 0, b == ':' && (kind == MAC || kind == IP), b == '.' && kind == IP:
			out = append(out, b)
		}
	}
	return string(out)
}

// canonicalDate reads what date and wordDate accept, day first. What it cannot
// read it returns as written.
func canonicalDate(s string) string {
	var parts []string
	for i := 0; i < len(s); {
		k := class[s[i]]
		if k&(cDigit|cLetter|cMask) == 0 {
			i++
			continue
		}
		j := i
		for j < len(s) && class[s[j]]&(cDigit|cLetter|cMask) != 0 && (class[s[j]]&cDigit != 0) == (k&cDigit != 0) {
			j++
		}
		if word := strings.ToLower(s[i:j]); word != "st" && word != "nd" && word != "rd" && word != "th" && word != "of" {
			parts = append(parts, s[i:j])
		}
		i = j
	}
	if len(parts) == 1 {
		switch p := parts[0]; {
		case len(p) == 4:
			return p
		case len(p) == 8 && (p[:2] == "19" || p[:2] == "20"):
			parts = []string{p[:4], p[4:6], p[6:]}
		case len(p) == 8:
			parts = []string{p[:2], p[2:4], p[4:]}
		}
	}
	if len(parts) != 3 {
		return s
	}
	d, m, y := parts[0], parts[1], parts[2]
	if len(d) == 4 && month(d) == 0 {
		d, y = y, d
	}
	if n := month(d); n > 0 {
		d, m = m, strconv.Itoa(n)
	} else if n := month(m); n > 0 {
		m = strconv.Itoa(n)
	}
	di, err1 := strconv.Atoi(d)
	mi, err2 := strconv.Atoi(m)
	yi, err3 := strconv.Atoi(y)
	if err1 != nil || err2 != nil || err3 != nil {
		return strings.Join([]string{y, m, d}, "-")
	}
	if yi < 100 {
		yi += 1900
		if yi < 1930 {
			yi += 100
		}
	}
	if mi > 12 && di <= 12 {
		di, mi = mi, di
	}
	return fmt.Sprintf("%04d-%02d-%02d", yi, mi, di)
}
