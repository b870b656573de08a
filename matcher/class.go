package matcher

import "unsafe"

// Classes of bytes in folded text.
const (
	cDigit  = 1 << iota
	cUpper  // A–Z
	cLower  // a–z
	cMask   // X x * #: places that a writer hides
	cSpace  // space, tab, newline, carriage return
	cMail   // may stand in the local part of an e-mail address
	cHigh   // part of a character outside ASCII
	cJoin   // may stand once between the groups of a number
	cLetter = cUpper | cLower
	cAlnum  = cDigit | cUpper | cLower
	cToken  = cDigit | cUpper | cLower | cMask
)

//nolint:gochecknoglobals // computed once, never changed
var class = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case c >= '0' && c <= '9':
			t[c] = cDigit | cMail
		case c >= 'A' && c <= 'Z':
			t[c] = cUpper | cMail
		case c >= 'a' && c <= 'z':
			t[c] = cLower | cMail
		case c >= 0x80:
			t[c] = cHigh
		}
	}
	for _, c := range "Xx*#" {
		t[c] |= cMask
	}
	for _, c := range " \t\n\r" {
		t[c] |= cSpace
	}
	for _, c := range "._%+-" {
		t[c] |= cMail
	}
	for _, c := range " -./_|" {
		t[c] |= cJoin
	}
	return t
}()

// view returns b as a string without copying. The string lives as long as b is
// left alone: until the scratch goes back to its pool.
func view(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}
