package matcher

// worthALook reports whether text may hold an identifier or a signature's word.
func worthALook(text string) bool {
	return len(text) > 3
}
