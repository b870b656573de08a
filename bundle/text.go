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
	return e.out, nil
}

// An encoder is encodeJSON for many, in memory that is used again.
type encoder struct {
	compact bytes.Buffer
	json    *json.Encoder // into compact
	out     []byte        // the last
}

func newEncoder() *encoder {
	e := &encoder{}
	e.json = json.NewEncoder(&e.compact)
	return e
}

func (e *encoder) encode(v any) error {
	e.compact.Reset()
	if err := e.json.Encode(v); err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	e.out = indent(e.out[:0], e.compact.Bytes())
	return nil
}

// indent appends JSON as package json writes it, with a line for each value and
// two spaces a level. Package json's own way checks every byte of what it wrote
// itself, and takes longer than writing it.
func indent(to, compact []byte) []byte {
	depth := 0
	newLine := func() {
		to = append(to, '\n')
		for range depth {
			to = append(to, "  "...)
		}
	}
	for i := 0; i < len(compact); i++ {
		switch c := compact[i]; c {
		case '"':
			end := i + 1
			for ; compact[end] != '"'; end++ {
				if compact[end] == '\\' {
					end++
				}
			}
			to = append(to, compact[i:end+1]...)
			i = end
		case '{', '[':
			to = append(to, c)
			if closing := c + 2; compact[i+1] == closing { // in ASCII
				to = append(to, closing)
				i++
				continue
			}
			depth++
			newLine()
		case '}', ']':
			depth--
			newLine()
			to = append(to, c)
		case ',':
			to = append(to, c)
			newLine()
		case ':':
			to = append(to, ": "...)
		default:
			to = append(to, c)
		}
	}
	return to
}
