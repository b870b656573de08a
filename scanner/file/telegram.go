package file

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-faster/jx"

	"prahari/evidence"
)

// readTelegram walks an export without holding it: {"messages": […]} of one
// chat, or {"chats": {"list": [chat…]}} of an account.
func readTelegram(b *bufio.Reader, name string, yield func(Item) error) error {
	if bom, err := b.Peek(3); err == nil && string(bom) == "\xef\xbb\xbf" {
		_, _ = b.Discard(3)
	}
	guard := &guarded{r: b}
	d := jx.Decode(guard, peek)
	w := walker{d: d, guard: guard, yield: yield}
	err := w.chat("the top level")
	if err == nil {
		if !w.seen {
			return &SyntaxError{name, guard.n, 0, `a "messages" or "chats" list in the export`, nil}
		}
		if d.Next() != jx.Invalid { // anything after the object
			return &SyntaxError{name, guard.n, 0, "the end of the file after the export's last brace", nil}
		}
		return nil
	}
	var stop yieldError
	if errors.As(err, &stop) {
		return stop.err
	}
	if guard.err != nil {
		return fmt.Errorf("%s: %w", evidence.Caption(name, 200), guard.err)
	}
	want := "valid JSON inside " + w.where
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		want = "the rest of " + w.where + "; the file ends too early"
	}
	if guard.over {
		want = fmt.Sprintf("a message of at most %d MiB", maxObject>>20)
	}
	return &SyntaxError{name, w.offset(err, guard.n), 0, want, err}
}

// yieldError carries the consumer's error through the decoder.
type yieldError struct{ err error }

func (e yieldError) Error() string { return e.err.Error() }

type walker struct {
	d     *jx.Decoder
	guard *guarded
	yield func(Item) error
	where string // what was being read, for errors
	seen  bool   // a message list
}

// offset finds the place of a syntax error: the decoder names it only in its
// text, and at an early end it is the end of the file.
func (w *walker) offset(err error, read int64) int64 {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return read
	}
	text := err.Error()
	if i := strings.LastIndex(text, " at "); i >= 0 {
		if at, err := strconv.ParseInt(text[i+4:], 10, 64); err == nil {
			return at
		}
	}
	return read
}

func (w *walker) chat(where string) error {
	var c Chat
	w.where = where
	return w.d.Obj(func(d *jx.Decoder, key string) error {
		w.where = where
		switch key {
		case "name":
			return w.text(&c.Name)
		case "type":
			return w.text(&c.Type)
		case "id":
			return w.number(&c.ID)
		case "messages":
			if d.Next() != jx.Array {
				return d.Skip()
			}
			w.seen = true
			return w.messages(c, where)
		case "chats", "left_chats":
			if d.Next() != jx.Object {
				return d.Skip()
			}
			return d.Obj(func(d *jx.Decoder, key string) error {
				if key != "list" || d.Next() != jx.Array {
					return d.Skip()
				}
				w.seen = true
				n := 0
				return d.Arr(func(*jx.Decoder) error {
					n++
					return w.chat(fmt.Sprintf("chat %d of the list", n))
				})
			})
		}
		return d.Skip()
	})
}

func (w *walker) text(into *string) error {
	if w.d.Next() != jx.String {
		return w.d.Skip()
	}
	s, err := w.d.Str()
	*into = s
	return err
}

func (w *walker) number(into *int64) error {
	if w.d.Next() != jx.Number {
		return w.d.Skip()
	}
	n, err := w.d.Num()
	if err != nil {
		return err
	}
	*into, _ = strconv.ParseInt(n.String(), 10, 64)
	return nil
}

func (w *walker) messages(c Chat, where string) error {
	n := 0
	return w.d.Arr(func(d *jx.Decoder) error {
		n++
		w.where = fmt.Sprintf("message %d of %s", n, where)
		w.guard.allow(maxObject)
		defer w.guard.allow(0)
		raw, err := d.Raw()
		if err != nil {
			return err
		}
		item, err := parseMessage(raw)
		if err != nil {
			return err
		}
		item.Chat = c
		if item.Ref == "" {
			item.Ref = strconv.Itoa(n)
		}
		if item.Message.ID == 0 {
			item.Message.ID = int64(n)
		}
		if err := w.yield(item); err != nil {
			return yieldError{err}
		}
		return nil
	})
}

// guarded counts what is read and refuses to read past an allowance.
type guarded struct {
	r     io.Reader
	n     int64
	limit int64 // 0: none
	over  bool
	err   error // a real reading error
}

func (g *guarded) allow(more int64) {
	g.limit = 0
	if more > 0 {
		g.limit = g.n + more
	}
}

func (g *guarded) Read(p []byte) (int, error) {
	if g.limit > 0 && g.n > g.limit {
		g.over = true
		return 0, io.ErrUnexpectedEOF
	}
	n, err := g.r.Read(p)
	g.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		g.err = err
	}
	return n, err
}

// exported is a message as Telegram Desktop and NDJSON write it.
type exported struct {
	ID       json.RawMessage `json:"id"`
	Type     string          `json:"type"`
	Date     string          `json:"date"`
	DateUnix string          `json:"date_unixtime"`
	EditUnix string          `json:"edited_unixtime"`
	Text     richText        `json:"text"`
	Caption  richText        `json:"caption"`
	Title    richText        `json:"title"`
	File     string          `json:"file"`
	FileName string          `json:"file_name"`
	MIME     string          `json:"mime_type"`
	Size     int64           `json:"file_size"`
	Contact  *struct {
		First string `json:"first_name"`
		Last  string `json:"last_name"`
		Phone string `json:"phone_number"`
	} `json:"contact_information"`
	Poll *struct {
		Question richText `json:"question"`
		Answers  []struct {
			Text richText `json:"text"`
		} `json:"answers"`
	} `json:"poll"`
	Buttons [][]struct {
		Text string `json:"text"`
		Data string `json:"data"`
	} `json:"inline_bot_buttons"`
}

// parseMessage reads one object. Fields of an unexpected type are passed over
// rather than losing the message, except that the object itself must be JSON.
func parseMessage(raw []byte) (Item, error) {
	var m exported
	if err := json.Unmarshal(raw, &m); err != nil {
		var wrongType *json.UnmarshalTypeError
		if !errors.As(err, &wrongType) || wrongType.Field == "" {
			return Item{}, err
		}
	}
	item := Item{Ref: reference(m.ID)}
	id, _ := strconv.ParseInt(item.Ref, 10, 64)
	data := append([]byte(nil), raw...)
	item.Message = evidence.Message{
		ID: id, Date: m.date(), EditedAt: unix(m.EditUnix), Text: evidence.Text(m.shown()), Origin: evidence.Import,
		Raw: func() ([]evidence.Raw, error) { return []evidence.Raw{{Name: "raw.json", Data: data}}, nil },
	}
	if m.File != "" {
		item.Message.Media = []evidence.Media{{MIME: evidence.Caption(m.MIME, 80), Size: m.Size}}
	}
	return item, nil
}

// reference returns an id as written, a number or a string.
func reference(id json.RawMessage) string {
	var s string
	if json.Unmarshal(id, &s) == nil {
		return s
	}
	if id := string(id); id != "null" {
		return id
	}
	return ""
}

// shown gathers everything a reader is shown, one part a line after the text.
func (m exported) shown() string {
	parts := []string{m.Text.text, m.Caption.text, m.Title.text}
	parts = append(parts, m.Text.links...)
	parts = append(parts, m.Caption.links...)
	parts = append(parts, m.FileName)
	if m.Contact != nil {
		parts = append(parts, strings.TrimSpace(m.Contact.First+" "+m.Contact.Last), m.Contact.Phone)
	}
	if m.Poll != nil {
		parts = append(parts, m.Poll.Question.text)
		for _, a := range m.Poll.Answers {
			parts = append(parts, a.Text.text)
		}
	}
	for _, row := range m.Buttons {
		for _, b := range row {
			parts = append(parts, b.Text, b.Data)
		}
	}
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "\n")
}

func (m exported) date() time.Time {
	if t := unix(m.DateUnix); !t.IsZero() {
		return t
	}
	if t, err := time.Parse("2006-01-02T15:04:05", m.Date); err == nil {
		return t
	}
	return time.Time{}
}

func unix(s string) time.Time {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		return time.Unix(n, 0).UTC()
	}
	return time.Time{}
}

// richText is a string, an object with a text, or a list of both, as exports
// write formatted text.
type richText struct {
	text  string
	links []string // targets that the text hides
}

// UnmarshalJSON never fails on a type: what is no text is none.
func (t *richText) UnmarshalJSON(raw []byte) error {
	t.add(raw)
	return nil
}

func (t *richText) add(raw []byte) {
	if len(raw) == 0 {
		return
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			t.text += s
		}
	case '{':
		var entity struct {
			Text string `json:"text"`
			Href string `json:"href"`
		}
		if json.Unmarshal(raw, &entity) == nil {
			t.text += entity.Text
			if entity.Href != "" {
				t.links = append(t.links, entity.Href)
			}
		}
	case '[':
		var parts []json.RawMessage
		if json.Unmarshal(raw, &parts) == nil {
			for _, p := range parts {
				if len(p) > 0 && p[0] != '[' { // exports nest no lists
					t.add(p)
				}
			}
		}
	}
}
