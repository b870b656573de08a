// Package file reads messages from files: Telegram Desktop's result.json (one
// chat or a full account), NDJSON and plain text. It streams: memory does not
// grow with the file.
package file

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"prahari/evidence"
)

// A Format is what a file turned out to be.
type Format string

// The formats that Read tells apart by content, never by name.
const (
	Telegram Format = "telegram" // Telegram Desktop's machine-readable export
	NDJSON   Format = "ndjson"   // one object a line: {"id": …, "text": …}
	Plain    Format = "text"
)

// An Item is one message of a file.
type Item struct {
	Chat    Chat
	Ref     string // the message's id as the file writes it, "line 7" in plain text
	Offset  int64  // of its first byte in the file
	Message evidence.Message
}

// A Chat is the conversation that a message of an export belongs to.
type Chat struct {
	ID   int64
	Name string // as written: hostile, and not masked
	Type string // "public_channel", "personal_chat", …; "" where the file has none
}

// Stats says what was read, also when Read fails half-way.
type Stats struct {
	Format   Format
	Messages int
	Bytes    int64
}

// A SyntaxError says where a file stopped making sense. What came before it was
// delivered.
type SyntaxError struct {
	Name   string // of the file
	Offset int64  // of the byte that was wrong
	Line   int    // 1-based, 0 where the format has no lines
	Want   string // what was expected there
	Err    error
}

// Error names file, place and expectation.
func (e *SyntaxError) Error() string {
	place := fmt.Sprintf("offset %d", e.Offset)
	if e.Line > 0 {
		place = fmt.Sprintf("line %d (offset %d)", e.Line, e.Offset)
	}
	return fmt.Sprintf("%s: %s: expected %s", evidence.Caption(e.Name, 200), place, e.Want)
}

// Unwrap returns the decoder's error.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Limits on what one message may take, in bytes. They bound memory, not what is
// matched: longer text is split, a longer object is an error.
const (
	maxObject = 32 << 20 // of JSON
	chunk     = 48 << 10 // of plain text
	peek      = 64 << 10
)

// Read calls yield for each message of r in order, until one fails or ctx ends.
// name is used in errors only.
func Read(ctx context.Context, r io.Reader, name string, yield func(Item) error) (Stats, error) {
	in := &counter{r: r, ctx: ctx}
	b := bufio.NewReaderSize(in, peek)
	format, err := detect(b)
	if err != nil {
		return Stats{}, fmt.Errorf("%s: %w", evidence.Caption(name, 200), err)
	}
	stats := Stats{Format: format}
	counted := func(i Item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		stats.Messages++
		return yield(i)
	}
	switch format {
	case Telegram:
		err = readTelegram(b, name, counted)
	case NDJSON:
		err = readNDJSON(b, name, counted)
	default:
		err = readPlain(b, counted)
	}
	stats.Bytes = in.n
	return stats, err
}

// detect looks at the first bytes: a whole object on the first line that is not
// a chat export makes NDJSON, any other object an export, the rest plain text.
func detect(b *bufio.Reader) (Format, error) {
	head, err := b.Peek(peek)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return "", err
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(head) == 0 || head[0] != '{' {
		return Plain, nil
	}
	line, _, whole := bytes.Cut(head, []byte("\n"))
	line = bytes.TrimSpace(line)
	var keys map[string]json.RawMessage
	if json.Unmarshal(line, &keys) == nil {
		if keys["messages"] != nil || keys["chats"] != nil {
			return Telegram, nil
		}
		return NDJSON, nil
	}
	switch {
	case whole && !looksJSON(line): // words in braces
		return Plain, nil
	case !whole && !bytes.Contains(line, []byte(`"messages"`)) && !bytes.Contains(line, []byte(`"chats"`)) && len(line) > peek/2:
		return NDJSON, nil // an object too long to see whole
	}
	return Telegram, nil
}

func looksJSON(line []byte) bool {
	rest := bytes.TrimSpace(line[1:])
	return len(rest) == 0 || rest[0] == '"' || rest[0] == '}'
}

// counter counts what was read and stops when the context ends.
type counter struct {
	r   io.Reader
	ctx context.Context //nolint:containedctx // lives for one Read
	n   int64
}

func (c *counter) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
