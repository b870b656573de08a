package matcher

import "strings"

// The Verhoeff tables (J. Verhoeff, "Error Detecting Decimal Codes", 1969): the
// product of the dihedral group D5, and the powers of its permutation.
//
//nolint:gochecknoglobals // published tables, never changed
var (
	verhoeffProduct = [10][10]uint8{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		{1, 2, 3, 4, 0, 6, 7, 8, 9, 5},
		{2, 3, 4, 0, 1, 7, 8, 9, 5, 6},
		{3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
		{4, 0, 1, 2, 3, 9, 5, 6, 7, 8},
		{5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
		{6, 5, 9, 8, 7, 1, 0, 4, 3, 2},
		{7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
		{8, 7, 6, 5, 9, 3, 2, 1, 0, 4},
		{9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
	}
	verhoeffPower = [8][10]uint8{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		{1, 5, 7, 6, 2, 8, 3, 0, 9, 4},
		{5, 8, 0, 3, 7, 9, 6, 1, 4, 2},
		{8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
		{9, 4, 5, 3, 1, 2, 6, 8, 7, 0},
		{4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
		{2, 7, 9, 3, 8, 0, 6, 4, 1, 5},
		{7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
	}
)

// verhoeff reports whether the last digit checks the others.
func verhoeff(digits []byte) bool {
	c := uint8(0)
	for i := range digits {
		c = verhoeffProduct[c][verhoeffPower[i&7][digits[len(digits)-1-i]-'0']]
	}
	return c == 0
}

// luhn reports whether the last digit checks the others (ISO/IEC 7812-1, annex
// B). A tenth of all numbers pass, so it never decides alone.
func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i&1 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

const base36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// gstinCheck reports whether the last of fifteen upper-case places checks the
// others: Luhn's rule carried to 36 symbols.
func gstinCheck(s []byte) bool {
	sum := 0
	for i := range 14 {
		v := strings.IndexByte(base36, s[i])
		if v < 0 {
			return false
		}
		v *= 1 + i&1
		sum += v/36 + v%36
	}
	return base36[(36-sum%36)%36] == s[14]
}

// palindrome reports whether digits read the same from both ends, which no
// Aadhaar number does.
func palindrome(digits []byte) bool {
	for i := range len(digits) / 2 {
		if digits[i] != digits[len(digits)-1-i] {
			return false
		}
	}
	return true
}

// sameDigit reports whether one digit fills the number.
func sameDigit(digits []byte) bool {
	for _, d := range digits {
		if d != digits[0] {
			return false
		}
	}
	return true
}
