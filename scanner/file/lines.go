package file

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"prahari/evidence"
)

// readNDJSON reads an object a line. A line that is none stops the reading; what
// came before it was delivered.
func readNDJSON(b *bufio.Reader, name string, yield func(Item) error) error {
	var offset int64
	for number := 1; ; number++ {
		line, err := readLine(b, maxObject)
		switch {
		case errors.Is(err, errLong):
			return &SyntaxError{name, offset, number, fmt.Sprintf("an object of at most %d MiB on the line", maxObject>>20), err}
		case err != nil && !errors.Is(err, io.EOF):
			return fmt.Errorf("%s: %w", evidence.Caption(name, 200), err)
		}
		trimmed := bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")))
		if len(trimmed) > 0 {
			item, bad := parseMessage(trimmed)
			if bad != nil {
				at := offset + badOffset(bad)
				return &SyntaxError{name, at, number, `a JSON object such as {"id": 1, "text": "…"}`, bad}
			}
			if item.Ref == "" {
				item.Ref = "line " + strconv.Itoa(number)
			}
			if item.Message.ID == 0 {
				item.Message.ID = int64(number)
			}
			item.Offset = offset
			if err := yield(item); err != nil {
				return err
			}
		}
		offset += int64(len(line))
		if err != nil {
			return nil
		}
	}
}

func badOffset(err error) int64 {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return max(0, syntax.Offset-1)
	}
	return 0
}

var errLong = errors.New("line too long")

// readLine returns the next line with its newline, io.EOF with the last one.
func readLine(b *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := b.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
		if len(line) > limit {
			return line, errLong
		}
	}
}

// readPlain cuts text into chunks at blank lines where it can, at line ends
// where it must, anywhere where a line is longer than a chunk: a list of people
// stays together, and memory stays flat.
func readPlain(b *bufio.Reader, yield func(Item) error) error {
	var buf []byte
	var offset int64
	line := 1
	emit := func(n int) error {
		text := string(buf[:n])
		lines := strings.Count(text, "\n")
		if strings.TrimSpace(text) != "" {
			data := []byte(text)
			err := yield(Item{
				Ref: "line " + strconv.Itoa(line), Offset: offset,
				Message: evidence.Message{
					ID: int64(line), Text: evidence.Text(strings.ToValidUTF8(text, "\uFFFD")), Origin: evidence.Import,
					Raw: func() ([]evidence.Raw, error) { return []evidence.Raw{{Name: "raw.txt", Data: data}}, nil },
				},
			})
			if err != nil {
				return err
			}
		}
		offset += int64(n)
		line += lines
		buf = append(buf[:0], buf[n:]...)
		return nil
	}
	for {
		part := make([]byte, chunk)
		n, err := b.Read(part)
		buf = append(buf, part[:n]...)
		for len(buf) >= chunk {
			if err := emit(cut(buf[:chunk])); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			if len(buf) == 0 {
				return nil
			}
			return emit(len(buf))
		}
		if err != nil {
			return err
		}
	}
}

// cut finds the best place to end a chunk, in its second half if possible.
func cut(b []byte) int {
	if i := bytes.LastIndex(b, []byte("\n\n")); i >= len(b)/2 {
		return i + 2
	}
	if i := bytes.LastIndexByte(b, '\n'); i >= len(b)/2 {
		return i + 1
	}
	if i := bytes.LastIndexByte(b, ' '); i >= len(b)/2 {
		return i + 1
	}
	for i := len(b) - 1; i > len(b)-4; i-- { // not inside a rune
		if b[i]&0xC0 != 0x80 {
			return i
		}
	}
	return len(b)
}
