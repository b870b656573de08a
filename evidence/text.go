package evidence

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// A Text may hold someone's identifiers. It prints, logs and encodes as its
// length only; Reveal gives the content to matching, masking and sealing.
type Text string

// Format prints the length for every verb.
func (t Text) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "[%d bytes]", len(t)) }

// LogValue keeps the content out of logs.
func (t Text) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }

// MarshalJSON keeps the content out of JSON.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(t)) }

// Reveal returns the content. Callers must not let it reach a disk, a log, an
// error or a terminal.
func (t Text) Reveal() string { return string(t) }

// Cell returns a value as a cell of CSV that no spreadsheet takes for a formula,
// whatever space stands before it and however wide its sign is.
func Cell(s string) string {
	s = Printable(s)
	first, size := utf8.DecodeRuneInString(strings.TrimSpace(s))
	if size > 0 && strings.ContainsRune("=+-@＝＋－＠", first) {
		return "'" + s
	}
	return s
}
