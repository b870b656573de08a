package matcher

// A run of single characters, one separator between each: "9 8 7 6 …",
// "A.B.C.P.E.1.2.3.4.F".
const (
	minSpelled = 6  // characters; fewer are initials, scores and section numbers
	maxSpelled = 40 // longer runs are tables of digits
)

// spelledFrom returns where the run of single characters begins that the one at i
// belongs to.
func (w *work) spelledFrom(i int) int {
	s, sep := w.s, w.s[i+1]
	for i > 1 && s[i-1] == sep && class[s[i-2]]&cToken != 0 && (i < 3 || class[s[i-3]]&cToken == 0) {
		i -= 2
	}
	return i
}

// isSpelled reports whether a run of single characters begins at i.
func (w *work) isSpelled(i int) bool {
	s := w.s
	if i+2*minSpelled-2 >= len(s) || class[s[i+1]]&cToken != 0 || i > 0 && class[s[i-1]]&cToken != 0 {
		return false
	}
	sep := s[i+1]
	if class[sep]&cJoin == 0 || i > 1 && s[i-1] == sep && class[s[i-2]]&cToken != 0 && (i < 3 || class[s[i-3]]&cToken == 0) {
		return false // no run, or the middle of one
	}
	for k := i; k < i+2*minSpelled-2; k += 2 {
		if class[s[k]]&cToken == 0 || s[k+1] != sep {
			return false
		}
	}
	return class[s[i+2*minSpelled-2]]&cToken != 0
}

// spelled joins the run that begins at i, tests it as one word, and returns the
// offset after it. What is found spans the run as written.
func (w *work) spelled(i int) int {
	s, sep := w.s, w.s[i+1]
	n := 0
	k := i
	for ; k < len(s) && class[s[k]]&cToken != 0 && (k+1 == len(s) || class[s[k+1]]&cToken == 0); k += 2 {
		if n < maxSpelled {
			w.joined[n] = s[k]
		}
		if n++; k+1 == len(s) || s[k+1] != sep {
			k++
			break
		}
	}
	end := min(k, len(s))
	if end > i && s[end-1] == sep {
		end--
	}
	if n > maxSpelled {
		return end
	}
	outer := w.cands
	w.s, w.cands = view(w.joined[:n]), w.inner[:0]
	if d := firstDigit(w.s); d < n {
		w.token(0, d)
	}
	w.s, w.inner, w.cands = s, w.cands, outer
	for _, cd := range w.inner { // back to where the characters stand
		cd.start, cd.end = i+2*cd.start, i+2*cd.end-1
		if cd.start > 1 && s[cd.start-2] == '+' && s[cd.start-1] == sep {
			cd.start -= 2
		}
		cd.evasive = true
		cd.sure = 0
		w.keep(cd)
	}
	return end
}

// firstDigit returns the offset of the first digit or hidden place.
func firstDigit(s string) int {
	for i := range len(s) {
		if class[s[i]]&(cDigit|cMask) != 0 {
			return i
		}
	}
	return len(s)
}
