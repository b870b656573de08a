package matcher

import "strings"

// at tests the at sign at i for an e-mail address, a UPI id or an ABHA address
// around it and returns the offset after what it used.
func (w *work) at(i int) int {
	s := w.s
	start, masks := i, 0
	for start > 0 && i-start < 64 {
		b := s[start-1]
		if class[b]&cMail != 0 || b == '*' || b == '#' {
			if b == '*' || b == '#' {
				masks++
			}
			start--
			continue
		}
		break
	}
	for start < i && (s[start] == '.' || s[start] == '-' || s[start] == '%') {
		start++
	}
	if start == i || strings.IndexByte(".%+", s[i-1]) >= 0 {
		return i + 1
	}
	end, dot, top := i+1, 0, 0
	for end < len(s) && end-i < 128 {
		b := s[end]
		if class[b]&cAlnum != 0 || b == '-' || b == '*' {
			if b == '*' {
				masks++
			}
			end++
			continue
		}
		if b == '.' && end+1 < len(s) && (class[s[end+1]]&cAlnum != 0 || s[end+1] == '*') && end > i+1 {
			dot = end
			end++
			continue
		}
		break
	}
	for end > i+1 && s[end-1] == '-' {
		end--
	}
	if dot > 0 {
		for k := dot + 1; k < end; k++ {
			if class[s[k]]&cLetter == 0 {
				break
			}
			top++
		}
	}
	cd := cand{start: start, end: end}
	switch {
	case dot > 0 && top >= 2 && top == end-dot-1 || masks > 0 && dot > 0:
		cd.allow(kEmail)
		cd.alone, cd.sure = setOf(kEmail), setOf(kEmail)
		if masks > 0 {
			cd.masked = setOf(kEmail)
			if masks < 2 {
				return end
			}
		}
	case dot == 0 && end-i > 2:
		w.handle(&cd, s[i+1:end], masks)
	}
	if cd.kinds == 0 {
		return end
	}
	w.keep(cd)
	return end
}

// handle recognises what a word without a dot after the at sign says.
func (w *work) handle(cd *cand, word string, masks int) {
	var low [32]byte
	if len(word) > len(low) {
		return
	}
	for i := range len(word) {
		low[i] = word[i]
		if class[word[i]]&cUpper != 0 {
			low[i] |= 0x20
		}
	}
	key := view(low[:len(word)])
	switch {
	case key == "abdm" || key == "sbx":
		cd.allow(kABHAAddress)
		cd.alone, cd.sure = setOf(kABHAAddress), setOf(kABHAAddress)
	case w.m.facts.handles[key] != "":
		cd.allow(kUPI)
		cd.alone, cd.sure = setOf(kUPI), setOf(kUPI)
	default:
		cd.allow(kUPI)
		cd.allow(kABHAAddress)
	}
	if masks > 0 {
		cd.masked = cd.kinds
	}
}
