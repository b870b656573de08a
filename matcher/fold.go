package matcher

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// A jump says that from byte at of the folded text on, up to the next jump, the
// original offset is the folded one plus shift.
type jump struct {
	at, shift int32
	evade     bool // the change at at disguises: a foreign digit, an invisible character, a homoglyph
}

// A folder rewrites a text to plain characters. Only what changes is recorded,
// so a text in Hindi costs no more map than one in English.
type folder struct {
	out     []byte
	jumps   []jump
	copied  int // bytes of the source that out accounts for
	changed bool
}

// fold returns text with disguises removed: digits of any script, keycaps,
// circled and superscript digits as ASCII digits, full-width and mathematical
// letters as ASCII letters, Cyrillic and Greek look-alikes beside ASCII as what
// they look like, invisible characters gone, bullets as '*', odd spaces, dashes
// and quotes as the plain ones. Where nothing changes it returns text itself.
func (f *folder) fold(text string) string {
	f.out, f.jumps, f.copied, f.changed = f.out[:0], f.jumps[:0], 0, false
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		if n := plainCharacter(text[i:]); n > 0 {
			i += n
			continue
		}
		i = f.foldAt(text, i)
	}
	if !f.changed {
		return text
	}
	f.out = append(f.out, text[f.copied:]...)
	return view(f.out)
}

// plainCharacter returns the length of a character that needs no folding and is
// common: a letter of Devanagari, an emoji. 0 says nothing.
func plainCharacter(s string) int {
	if len(s) < 4 || s[2]&0xC0 != 0x80 {
		return 0
	}
	switch {
	case s[0] == 0xE0 && (s[1] == 0xA4 || s[1] == 0xA5 && (s[2] < 0xA6 || s[2] > 0xAF)): // U+0966 to U+096F are digits
		return 3
	case s[0] == 0xF0 && s[1] == 0x9F && s[2] >= 0x8C && s[2] != 0xAF && s[3]&0xC0 == 0x80: // from U+1F300 on, U+1FBF0 are digits
		return 4
	}
	return 0
}

// foldAt folds the character at i, whose first byte is not ASCII, and returns
// the offset after it.
func (f *folder) foldAt(text string, i int) int {
	r, size := utf8.DecodeRuneInString(text[i:])
	to, evade := foldRune(r)
	switch to {
	case keep:
		return i + size
	case lookAlike:
		end := lookAlikes(text, i)
		if !besideASCII(text, i, end) {
			return end
		}
		for i < end {
			r, size := utf8.DecodeRuneInString(text[i:])
			f.replace(text, i, size, homoglyph(r), true)
			i += size
		}
		return end
	case drop:
		f.replace(text, i, size, 0, evade)
	default:
		f.replace(text, i, size, byte(to), evade)
	}
	return i + size
}

// replace puts b, or nothing for 0, in place of the n bytes at i.
func (f *folder) replace(text string, i, n int, b byte, evade bool) {
	f.changed = true
	f.out = append(f.out, text[f.copied:i]...)
	f.copied = i + n
	if b == 0 {
		f.jump(len(f.out), evade)
		return
	}
	f.out = append(f.out, b)
	if evade { // the mark sits on the byte itself, the shift after it
		if k := len(f.jumps); k == 0 || f.jumps[k-1].at != int32(len(f.out)-1) {
			shift := int32(0)
			if k > 0 {
				shift = f.jumps[k-1].shift
			}
			f.jumps = append(f.jumps, jump{int32(len(f.out) - 1), shift, true})
		} else {
			f.jumps[k-1].evade = true
		}
	}
	f.jump(len(f.out), false)
}

func (f *folder) jump(at int, evade bool) {
	if k := len(f.jumps); k > 0 && f.jumps[k-1].at == int32(at) {
		f.jumps[k-1].shift = int32(f.copied - at)
		f.jumps[k-1].evade = f.jumps[k-1].evade || evade
		return
	}
	f.jumps = append(f.jumps, jump{int32(at), int32(f.copied - at), evade})
}

// original returns the span of the source that the folded bytes [start, end)
// stand for. Invisible characters before the first byte stay outside, those after
// the last byte belong to it: a keycap is a digit and what follows it.
func original(jumps []jump, start, end int) (int, int) {
	if len(jumps) == 0 {
		return start, end
	}
	k := jumpAt(jumps, start)
	from := start
	if k >= 0 {
		from += int(jumps[k].shift)
	}
	if start == end {
		return from, from
	}
	// The end is where the byte after the last one begins, as long as nothing
	// was dropped between them; a dropped tail belongs to nobody, except what
	// makes the last byte wider than one.
	k = jumpAt(jumps, end-1)
	to := end - 1
	if k >= 0 {
		to += int(jumps[k].shift)
	}
	if n := k + 1; n < len(jumps) && int(jumps[n].at) == end {
		return from, end + int(jumps[n].shift)
	}
	return from, to + 1
}

// disguised reports whether a disguise lies within the folded span.
func disguised(jumps []jump, start, end int) bool {
	if len(jumps) == 0 {
		return false
	}
	for k := max(jumpAt(jumps, start), 0); k < len(jumps) && int(jumps[k].at) < end; k++ {
		at := int(jumps[k].at)
		if jumps[k].evade && at >= start {
			return true
		}
	}
	return false
}

// jumpAt returns the last jump at or before the folded offset, -1 for none.
func jumpAt(jumps []jump, at int) int {
	k, found := slices.BinarySearchFunc(jumps, at, func(j jump, at int) int { return int(j.at) - at })
	if found {
		return k
	}
	return k - 1
}

// What foldRune says beside a replacement byte.
const (
	keep      = -1
	drop      = -2
	lookAlike = -3
)

// foldRune returns the byte that r folds to, or one of the constants above, and
// whether writing r in its place is a disguise.
func foldRune(r rune) (to int, evade bool) {
	switch {
	case r < 0x80:
		return keep, false
	case r < 0x370:
		return foldLatin(r)
	case r < 0x530: // Greek, Cyrillic
		if r >= 0x483 && r <= 0x489 {
			return drop, true
		}
		if homoglyph(r) != 0 {
			return lookAlike, true
		}
		return keep, false
	case r < 0x900:
		switch {
		case r >= 0x660 && r <= 0x669:
			return int('0' + r - 0x660), true
		case r >= 0x6F0 && r <= 0x6F9:
			return int('0' + r - 0x6F0), true
		case r >= 0x7C0 && r <= 0x7C9:
			return int('0' + r - 0x7C0), true
		case r == 0x61C:
			return drop, true
		case r == 0x60C:
			return ',', false
		}
		return keep, false
	case r < 0xE00: // the Indic blocks keep their digits at the same place in each half
		if d := r&0x7F - 0x66; d >= 0 && d <= 9 {
			return int('0' + d), true
		}
		return keep, false
	case r < 0x2000:
		return foldAsian(r)
	case r < 0x2C00:
		return foldSymbol(r)
	case r >= 0xFE00 && r <= 0xFE0F, r >= 0xFE20 && r <= 0xFE2F, r == 0xFEFF, r == 0x180E:
		return drop, r == 0xFEFF || r >= 0xFE20
	case r == 0x3000:
		return ' ', false
	case r >= 0xFF01 && r <= 0xFF5E:
		return int(r - 0xFF01 + '!'), r >= 0xFF10 && r <= 0xFF5A && r != 0xFF1A
	case r >= 0x1D400 && r <= 0x1D7FF:
		return foldMath(r)
	case r >= 0x1FBF0 && r <= 0x1FBF9:
		return int('0' + r - 0x1FBF0), true
	case r >= 0x1F100 && r <= 0x1F10A: // 🄀 🄁 … digit with full stop or comma
		return int('0' + max(r-0x1F101, 0)), true
	case r >= 0x1F130 && r <= 0x1F149:
		return int('A' + r - 0x1F130), true
	case r >= 0xE0000 && r <= 0xE01EF: // tags and more variation selectors
		return drop, true
	case r < 0xAA00 && r >= 0xA620, r >= 0xA900 && r < 0xAC00, r >= 0x10000 && r < 0x1F000:
		return foldDigit(r)
	}
	return keep, false
}

func foldLatin(r rune) (int, bool) {
	switch r {
	case 0xA0:
		return ' ', false
	case 0xAD:
		return drop, true
	case 0xB2, 0xB3:
		return int('2' + r - 0xB2), true
	case 0xB9:
		return '1', true
	case 0xB7: // middle dot
		return '*', false
	case 0xD7: // multiplication sign
		return '*', false
	case 0xAB:
		return '"', false
	case 0xBB:
		return ':', false
	}
	if r >= 0x300 {
		return drop, true
	}
	return keep, false
}

func foldAsian(r rune) (int, bool) {
	switch {
	case r == 0x1680:
		return ' ', false
	case r >= 0x1AB0 && r <= 0x1AFF, r >= 0x1DC0 && r <= 0x1DFF, r == 0x180E:
		return drop, true
	case r >= 0x1E00 && r <= 0x1FFF:
		return keep, false
	}
	return foldDigit(r)
}

// foldSymbol covers U+2000 to U+2BFF: punctuation, enclosed digits, marks.
func foldSymbol(r rune) (int, bool) {
	switch {
	case r <= 0x200A, r == 0x202F, r == 0x205F:
		return ' ', false
	case r <= 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2060 && r <= 0x206F:
		return drop, r != 0x200D && r != 0x200C
	case r >= 0x2010 && r <= 0x2015, r == 0x2212, r == 0x2043, r == 0x2796:
		return '-', false
	case r >= 0x2018 && r <= 0x201B, r == 0x2032:
		return '\'', false
	case r >= 0x201C && r <= 0x201F, r == 0x2033:
		return '"', false
	case r == 0x2022, r == 0x2023, r == 0x2027, r == 0x2219, r == 0x22C5, r == 0x2217, r == 0x204E, r == 0x2055,
		r == 0x2715, r == 0x2716, r == 0x2717, r == 0x2718, r == 0x274C, r == 0x2573,
		r >= 0x2588 && r <= 0x2593, r >= 0x25A0 && r <= 0x25AB, r >= 0x25CB && r <= 0x25D1,
		r == 0x25E6, r == 0x25EF, r >= 0x25FB && r <= 0x25FE, r == 0x26AA, r == 0x26AB, r >= 0x2731 && r <= 0x273D, r == 0x2B1B, r == 0x2B1C, r == 0x2B24, r == 0x2B55:
		return '*', false
	case r == 0x2024:
		return '.', true
	case r == 0x2028, r == 0x2029:
		return '\n', false
	case r == 0x2044, r == 0x2215:
		return '/', false
	case r == 0x2070:
		return '0', true
	case r >= 0x2074 && r <= 0x2079:
		return int('0' + r - 0x2070), true
	case r >= 0x2080 && r <= 0x2089:
		return int('0' + r - 0x2080), true
	case r >= 0x20D0 && r <= 0x20FF:
		return drop, true
	case r == 0x2190, r == 0x2192, r == 0x21D2, r == 0x21E8, r == 0x27A1, r == 0x27A4, r == 0x279C, r == 0x279D,
		r == 0x27F6, r == 0x2794, r == 0x2799, r == 0x25BA, r == 0x25B6, r == 0x25B8, r == 0x276F, r == 0x203A, r == 0x2799, r == 0x2236:
		return ':', false
	case r >= 0x2460 && r <= 0x2468: // ①
		return int('1' + r - 0x2460), true
	case r >= 0x2474 && r <= 0x247C: // ⑴
		return int('1' + r - 0x2474), true
	case r >= 0x2488 && r <= 0x2490: // ⒈
		return int('1' + r - 0x2488), true
	case r >= 0x249C && r <= 0x24B5:
		return int('a' + r - 0x249C), true
	case r >= 0x24B6 && r <= 0x24CF:
		return int('A' + r - 0x24B6), true
	case r >= 0x24D0 && r <= 0x24E9:
		return int('a' + r - 0x24D0), true
	case r == 0x24EA, r == 0x24FF: // ⓪ ⓿
		return '0', true
	case r >= 0x24F5 && r <= 0x24FD: // ⓵
		return int('1' + r - 0x24F5), true
	case r == 0x2502, r == 0x2503, r == 0x2506, r == 0x2507, r == 0x250A, r == 0x250B, r == 0x2551, r == 0x258F, r == 0x2595:
		return '|', false
	case r >= 0x2500 && r <= 0x2501, r == 0x2504, r == 0x2505, r == 0x2550:
		return '-', false
	case r >= 0x2776 && r <= 0x277E: // ❶
		return int('1' + r - 0x2776), true
	case r >= 0x2780 && r <= 0x2788: // ➀
		return int('1' + r - 0x2780), true
	case r >= 0x278A && r <= 0x2792: // ➊
		return int('1' + r - 0x278A), true
	}
	return keep, false
}

// foldMath covers the mathematical alphanumerics, alphabets of 52 letters each
// and digits in five styles.
func foldMath(r rune) (int, bool) {
	if r >= 0x1D7CE {
		return int('0' + (r-0x1D7CE)%10), true
	}
	if r >= 0x1D6A4 { // Greek
		return keep, false
	}
	k := (r - 0x1D400) % 52
	if k < 26 {
		return int('A' + k), true
	}
	return int('a' + k - 26), true
}

// foldDigit folds the decimal digits of every other script: runs of ten, in
// order of value.
func foldDigit(r rune) (int, bool) {
	for _, run := range unicode.Nd.R16 {
		if r <= rune(run.Hi) {
			if r >= rune(run.Lo) {
				return int('0' + (r-rune(run.Lo))%10), true
			}
			return keep, false
		}
	}
	for _, run := range unicode.Nd.R32 {
		if r <= rune(run.Hi) {
			if r >= rune(run.Lo) {
				return int('0' + (r-rune(run.Lo))%10), true
			}
			return keep, false
		}
	}
	return keep, false
}

// homoglyph returns the ASCII letter or digit that a Greek or Cyrillic letter
// looks like, 0 for none.
func homoglyph(r rune) byte {
	if r >= 0x370 && int(r) < 0x370+len(homoglyphs) {
		return homoglyphs[r-0x370]
	}
	return 0
}

//nolint:gochecknoglobals // computed once from its pairs
var homoglyphs = func() (t [0x1C0]byte) {
	for _, pair := range []string{
		"ΑA", "ΒB", "ΕE", "ΖZ", "ΗH", "ΙI", "ΚK", "ΜM", "ΝN", "ΟO", "ΡP", "ΤT", "ΥY", "ΧX", "αa", "οo", "ρp", "νv", "ιi", "κk", "υu", "χx",
		"АA", "ВB", "ЕE", "КK", "МM", "НH", "ОO", "РP", "СC", "ТT", "УY", "ХX", "ЅS", "ІI", "ЈJ", "аa", "еe", "оo", "рp", "сc", "уy", "хx", "ѕs", "іi", "јj", "З3", "ԁd", "Ԁd", "ԛq", "ԝw", "һh", "ӏl", "Ӏl", "Ԛq", "ѵv", "Ѵv",
	} {
		r, n := utf8.DecodeRuneInString(pair)
		t[r-0x370] = pair[n]
	}
	return t
}()

// lookAlikes returns the end of the run of homoglyphs at i.
func lookAlikes(text string, i int) int {
	for i < len(text) && text[i] >= utf8.RuneSelf {
		r, n := utf8.DecodeRuneInString(text[i:])
		if homoglyph(r) == 0 {
			break
		}
		i += n
	}
	return i
}

// besideASCII reports whether a letter or digit of ASCII touches the span: only
// then is a Greek or Cyrillic letter there a disguise, and not Greek or Russian.
func besideASCII(text string, start, end int) bool {
	return start > 0 && class[text[start-1]]&cAlnum != 0 || end < len(text) && class[text[end]]&cAlnum != 0
}
