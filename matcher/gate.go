package matcher

// worthALook reports whether text may hold an identifier or a signature's word.
func worthALook(text string) bool {
	return len(text) > 3
}

// spelled joins numbers whose places are written apart: "9 8 7 6 …".
func (w *work) spelled() {}
