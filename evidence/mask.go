package evidence

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaskText renders a text that is safe to store and to show: every match and
// every personal field of r is hidden, then whatever is left that looks like an
// identifier, then everything that could act on a terminal. canonical gives the
// one spelling of a match, as matcher.Canonical does.
func MaskText(text Text, r Result, canonical func(Kind, Form, string) Text) string {
	plain := text.Reveal()
	type hidden struct {
		start, end int
		as         string
	}
	var hide []hidden
	for _, m := range r.Matches {
		if m.Start < 0 || m.End > len(plain) || m.Start >= m.End {
			continue
		}
		hide = append(hide, hidden{m.Start, m.End, MaskValue(m.Kind, m.Form, canonical(m.Kind, m.Form, plain[m.Start:m.End]))})
	}
	for _, f := range r.Fields {
		if !f.Personal || f.Start < 0 || f.End > len(plain) || f.Start >= f.End {
			continue
		}
		hide = append(hide, hidden{f.Start, f.End, Initials(plain[f.Start:f.End])})
	}
	// The longer of two that start together comes first and swallows the other.
	slices.SortFunc(hide, func(a, b hidden) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end))
	})
	var out strings.Builder
	at := 0
	for _, h := range hide {
		if h.start < at {
			if h.end > at { // overlapping tail: hide it whole
				out.WriteString("…")
				at = h.end
			}
			continue
		}
		out.WriteString(between(plain[at:h.start], at > 0, true))
		out.WriteString(h.as)
		at = h.end
	}
	out.WriteString(between(plain[at:], at > 0, false))
	return Printable(out.String())
}

// between renders what stands between hidden values. Digits that touch one are
// hidden too: with the places shown of it they would be a longer number.
func between(s string, after, before bool) string {
	swept := []rune(Sweep(s))
	for i := 0; after && i < len(swept) && unicode.IsNumber(swept[i]); i++ {
		swept[i] = 'X'
	}
	for i := len(swept) - 1; before && i >= 0 && unicode.IsNumber(swept[i]); i-- {
		swept[i] = 'X'
	}
	return string(swept)
}

// MaskRecord renders one person's record on one line, each value behind its name,
// in the order of the text: "name R**** K****; mobile XXXXXX4321".
func MaskRecord(text Text, r Record, canonical func(Kind, Form, string) Text) string {
	plain := text.Reveal()
	type part struct {
		start int
		text  string
	}
	var parts []part
	for _, m := range r.Matches {
		value := canonical(m.Kind, m.Form, plain[m.Start:m.End])
		parts = append(parts, part{m.Start, string(m.Kind) + " " + MaskValue(m.Kind, m.Form, value)})
	}
	for _, f := range r.Fields {
		value := Caption(plain[f.Start:f.End], 60)
		if f.Personal {
			value = Initials(plain[f.Start:f.End])
		}
		parts = append(parts, part{f.Start, f.Name + " " + value})
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.start, b.start) })
	all := make([]string, len(parts))
	for i, p := range parts {
		all[i] = p.text
	}
	return OneLine(strings.Join(all, "; "), 400)
}

// MaskValue renders one identifier with at most its last four places. A masked
// form shows no more than its writer did: hidden places are X in canonical.
func MaskValue(k Kind, form Form, canonical Text) string {
	v := canonical.Reveal()
	switch k {
	case Email:
		return maskEmail(v)
	case DateOfBirth:
		return maskDate(v)
	case PAN:
		if utf8.RuneCountInString(v) == 10 && len(v) == 10 { // XXXXX1234X
			return "XXXXX" + onlyShown(v[5:9]) + "X"
		}
	case Mobile:
		v = strings.TrimPrefix(v, "+91")
	}
	places := []rune(v)
	if len(places) <= 6 { // too short to show any of it
		return strings.Repeat("X", len(places))
	}
	last := onlyShown(string(places[len(places)-4:]))
	masked := strings.Repeat("X", len(places)-4) + last
	if k == Aadhaar || k == VID {
		return grouped(masked)
	}
	return masked
}

// onlyShown keeps ASCII letters and digits and hides the rest.
func onlyShown(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return 'X'
	}, s)
}

func grouped(s string) string {
	var out strings.Builder
	for i, r := range s {
		if i > 0 && i%4 == 0 {
			out.WriteByte(' ')
		}
		out.WriteRune(r)
	}
	return out.String()
}

func maskEmail(v string) string {
	name, host, ok := strings.Cut(v, "@")
	if !ok || name == "" || host == "" {
		return "X***@X***"
	}
	first, _ := utf8.DecodeRuneInString(name)
	hostFirst, _ := utf8.DecodeRuneInString(host)
	top := ""
	if i := strings.LastIndexByte(host, '.'); i > 0 {
		top = Sweep(host[i:])
	}
	return string(first) + "***@" + string(hostFirst) + "******" + top
}

var year = regexp.MustCompile(`(19|20)[0-9]{2}`)

// maskDate keeps the century: XX/XX/19XX.
func maskDate(v string) string {
	if y := year.FindString(v); y != "" {
		return "XX/XX/" + y[:2] + "XX"
	}
	return "XX/XX/XXXX"
}

// Initials hides a labelled value but for the first letter of each word: "R****
// K****". Digits are all hidden, and so is the length of a word.
func Initials(v string) string {
	words := strings.Fields(v)
	if len(words) > 6 {
		words = words[:6]
	}
	for i, w := range words {
		first, _ := utf8.DecodeRuneInString(w)
		if !unicode.IsLetter(first) {
			words[i] = "****"
			continue
		}
		words[i] = string(first) + "****"
	}
	return strings.Join(words, " ")
}

var (
	looseEmail = regexp.MustCompile(`[^\s@<>()",;]+@[^\s@<>()",;]+\.[^\s@<>()",;]+`)
	loosePAN   = regexp.MustCompile(`(?i)[a-z]{5}[0-9]{4}[a-z]`)
	// Seven or more digits with at most two separators between neighbours; a
	// colon is none, so that a time of day survives beside a date.
	looseNumber = regexp.MustCompile(`\p{Nd}(?:[\s.\-–/_|()\x{200B}-\x{200F}\x{2060}\x{FEFF}\x{00AD}*]{0,2}\p{Nd}){6,}`)
	longDigits  = regexp.MustCompile(`\p{Nd}{5,}`)
	looseDate   = regexp.MustCompile(`^(?:\p{Nd}{1,2}[./-]\p{Nd}{1,2}[./-]\p{Nd}{4}|\p{Nd}{4}-\p{Nd}{2}-\p{Nd}{2})$`)
)

// Sweep hides what looks like an identifier although nothing matched it: long
// numbers however split, addr-specs, PAN shapes. It would rather hide an order
// number than show a bank account.
func Sweep(s string) string {
	if tame(s) {
		return s
	}
	s = looseEmail.ReplaceAllStringFunc(s, maskEmail)
	s = loosePAN.ReplaceAllString(s, "XXXXXXXXXX")
	hideDigits := func(found string) string {
		return strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Nd, r) {
				return 'X'
			}
			return r
		}, found)
	}
	s = looseNumber.ReplaceAllStringFunc(s, func(found string) string {
		if looseDate.MatchString(found) {
			return found
		}
		return hideDigits(found)
	})
	return longDigits.ReplaceAllStringFunc(s, hideDigits)
}

// tame reports whether Sweep finds nothing in s, as it does in most titles and
// sentences: all it hides has an at sign or four digits.
func tame(s string) bool {
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf || c == '@':
			return false
		case c >= '0' && c <= '9':
			if digits++; digits == 4 {
				return false
			}
		}
	}
	return true
}

// Printable returns s as valid UTF-8 that cannot steer a terminal or reorder a
// page: control characters but newline and tab, and every bidirectional and
// invisible format character, become U+FFFD or go.
func Printable(s string) string {
	plain := 0
	for plain < len(s) && (s[plain] >= ' ' && s[plain] <= '~' || s[plain] == '\n' || s[plain] == '\t') {
		plain++
	}
	if plain == len(s) { // most texts of ours
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\u200c' || r == '\u200d': // Indic scripts and emoji need the joiners
			return r
		case unicode.IsControl(r) || r == utf8.RuneError:
			return utf8.RuneError
		case unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029':
			return -1
		}
		return r
	}, s)
}

// Caption renders a title, file name or other short foreign string that is safe
// to store and to show on one line of at most max runes.
func Caption(s string, maxRunes int) string {
	return OneLine(Sweep(s), maxRunes)
}

// OneLine renders on one line, at most so many runes long, what is masked
// already or was never foreign.
func OneLine(s string, maxRunes int) string {
	if s = Printable(s); !spaced(s) {
		s = strings.Join(strings.Fields(s), " ")
	}
	if len(s) <= maxRunes {
		return s
	}
	if runes := []rune(s); len(runes) > maxRunes {
		s = string(runes[:maxRunes-1]) + "…"
	}
	return s
}

// spaced reports whether s is ASCII whose words have one space between them and
// nothing around them, so that there is nothing to do.
func spaced(s string) bool {
	before := byte(' ')
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c >= utf8.RuneSelf || c == ' ' && before == ' ' {
			return false
		}
		before = c
	}
	return s == "" || before != ' '
}
