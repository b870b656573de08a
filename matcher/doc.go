// Package matcher finds identifiers of people in Indian leaks, groups them into
// records, one per person, and says which signatures a text fits. Text goes in,
// spans come out: nothing here reads a file, a clock or the network, and no
// result holds a value.
//
// A text passes four stages, each dearer than the one before and seen by fewer
// texts. The gate looks at every byte once for what no identifier can do
// without: digits, mask glyphs, an at sign, or a signature's anchor word. The
// text is then folded (fold.go) to plain characters with a way back to the
// original offsets. Candidates are read off the folded text and checked
// (number.go, code.go, address.go, date.go). Last, labels, layout and company
// decide what each candidate is (layout.go, resolve.go), and records and
// signatures are built of what remains (record.go, signature.go).
package matcher
