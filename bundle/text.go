package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"prahari/evidence"
)

// watermark stands on every page of a certificate draft.
const watermark = "DRAFT — not a certificate until affirmed and signed"

// seeNote is what the bag says of its own time stamps: it is fixed before they
// are made.
const seeNote = "attest/NOTE.txt says whether and by whom the whole was time-stamped; the times in it rest on the clocks named in it"

func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// ist renders a time as Indian forms want it, UTC+05:30, to the second.
func ist(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Add(5*time.Hour + 30*time.Minute).Format("2006-01-02 15:04:05 IST")
}

// line renders an id or another short text of ours on one line. It hides no
// digits: ids are not values.
func line(s string) string {
	return evidence.OneLine(s, len(s))
}

// caption renders a foreign or typed text on one line, with what looks like an
// identifier hidden.
func caption(s string) string { return evidence.Caption(s, 500) }

// text renders a longer foreign text: nothing in it acts on a terminal or page.
func text(s string) string { return evidence.Printable(s) }

// cell renders a CSV cell on one line that a spreadsheet does not take for a
// formula.
func cell(s string) string { return evidence.Cell(line(s)) }

// encodeJSON writes v for people and programs: two spaces, HTML escaped, sorted
// where Go sorts, one newline at the end.
func encodeJSON(v any) ([]byte, error) {
	e := newEncoder()
	if err := e.encode(v); err != nil {
		return nil, err
	}
	return e.out.Bytes(), nil
}

// An encoder is encodeJSON for many, in memory that is used again.
type encoder struct {
	out  bytes.Buffer // the last
	json *json.Encoder
}

func newEncoder() *encoder {
	e := &encoder{}
	e.json = json.NewEncoder(&e.out)
	e.json.SetIndent("", "  ")
	return e
}

func (e *encoder) encode(v any) error {
	e.out.Reset()
	if err := e.json.Encode(v); err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	return nil
}
