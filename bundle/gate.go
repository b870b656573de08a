package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"path"
	"strings"
)

// A Gate looks for unmasked identifiers in content and returns where they are.
// name is the file's path in the bundle. Long files come in windows of whole
// lines; offsets are into content.
type Gate func(name string, content []byte) []Hit

// A Hit is a place that looks like an unmasked identifier. It holds no value.
type Hit struct {
	Kind       string // "aadhaar"
	Start, End int    // byte offsets into the content
}

// A Leak is a hit that nothing excuses.
type Leak struct {
	File   string `json:"file"`
	Part   string `json:"part"` // "content", "name" or "decoded mail"
	Kind   string `json:"kind"`
	Offset int64  `json:"offset"`
}

// A LeakError names every leak, never its value. It is ErrLeak.
type LeakError struct{ Leaks []Leak }

// Error names the first leaks by file, kind and offset.
func (e *LeakError) Error() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%v, nothing was written:", ErrLeak)
	for i, l := range e.Leaks {
		if i == 10 {
			fmt.Fprintf(&out, " and %d more", len(e.Leaks)-i)
			break
		}
		if i > 0 {
			out.WriteByte(',')
		}
		if l.Part == "name" {
			// The path itself leaks: name its folder and place only.
			fmt.Fprintf(&out, " %s in the name of a file in %s/", l.Kind, path.Dir(l.File))
			continue
		}
		fmt.Fprintf(&out, " %s in %s (%s) at byte %d", l.Kind, l.File, l.Part, l.Offset)
	}
	return out.String()
}

// Is makes errors.Is(err, ErrLeak) true.
func (e *LeakError) Is(target error) bool { return target == ErrLeak }

// gateKeeper runs a Gate and drops the hits that lie in values the bundle must
// hold: digests, ids and what the caller allowed.
type gateKeeper struct {
	gate    Gate
	own     map[string]bool // ids and digit runs that are not identifiers
	allowed [][]byte
	leaks   []Leak
}

func newGateKeeper(gate Gate, allow []Allowed) *gateKeeper {
	g := &gateKeeper{gate: gate, own: map[string]bool{}}
	for _, a := range allow {
		g.allow(a.Text)
	}
	return g
}

// allow excuses hits that lie within these texts.
func (g *gateKeeper) allow(texts ...string) {
	for _, text := range texts {
		if text != "" {
			g.allowed = append(g.allowed, []byte(text))
		}
	}
}

// know adds ids of our own or of Telegram's. Short numbers trouble no gate.
func (g *gateKeeper) know(ids ...string) {
	for _, id := range ids {
		if len(id) >= 5 {
			g.own[id] = true
		}
	}
}

const (
	gateWindow  = 1 << 20 // bytes of a file that the gate sees at once
	gateOverlap = 4 << 10 // bytes seen again, for what spans two windows
)

// file passes one file on disk and its name through the gate.
func (g *gateKeeper) file(ctx context.Context, name, at string) (err error) {
	g.look(name, "name", []byte(name), 0)
	f, err := os.Open(at)
	if err != nil {
		return fmt.Errorf("leak gate: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if strings.HasSuffix(name, ".eml") {
		data, err := io.ReadAll(f)
		if err != nil {
			return fmt.Errorf("leak gate: %w", err)
		}
		g.look(name, "content", data, 0)
		return g.mail(name, data)
	}
	var buf []byte
	base := int64(0) // of buf in the file
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		have := len(buf)
		buf = append(buf, make([]byte, gateWindow)...)
		n, err := io.ReadFull(f, buf[have:])
		buf = buf[:have+n]
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("leak gate: reading %s: %w", name, err)
		}
		if err != nil { // the last window
			g.look(name, "content", buf, base)
			return nil
		}
		end := bytes.LastIndexByte(buf, '\n') + 1
		if end <= gateOverlap {
			end = len(buf)
		}
		g.look(name, "content", buf[:end], base)
		keep := max(0, end-gateOverlap)
		base += int64(keep)
		buf = append(buf[:0:0], buf[keep:]...)
	}
}

func (g *gateKeeper) look(name, part string, content []byte, base int64) {
	for _, h := range g.gate(name, content) {
		if h.Start < 0 || h.End > len(content) || h.Start >= h.End || !g.excused(content, h) {
			l := Leak{name, part, h.Kind, base + int64(h.Start)}
			if !containsLeak(g.leaks, l) {
				g.leaks = append(g.leaks, l)
			}
		}
	}
}

func containsLeak(all []Leak, l Leak) bool {
	for i := len(all) - 1; i >= 0 && all[i].File == l.File; i-- {
		if all[i] == l {
			return true
		}
	}
	return false
}

// excused reports whether the hit lies within a digest, an id or an allowed
// text.
func (g *gateKeeper) excused(content []byte, h Hit) bool {
	start, end := grow(content, h, isHex)
	if run := content[start:end]; len(run) == 64 || len(run) == 32 || len(run) == 40 {
		if (start == 0 || !isWord(content[start-1])) && (end == len(content) || !isWord(content[end])) {
			return true
		}
	}
	for _, in := range []func(byte) bool{isDigit, isWord} {
		if start, end = grow(content, h, in); g.own[string(content[start:end])] {
			return true
		}
	}
	for _, text := range g.allowed {
		from, to := max(0, h.End-len(text)), min(len(content), h.Start+len(text))
		if from < to && bytes.Contains(content[from:to], text) {
			return true
		}
	}
	return false
}

func grow(content []byte, h Hit, in func(byte) bool) (start, end int) {
	for i := h.Start; i < h.End; i++ {
		if !in(content[i]) {
			return h.Start, h.Start
		}
	}
	start, end = h.Start, h.End
	for start > 0 && in(content[start-1]) {
		start--
	}
	for end < len(content) && in(content[end]) {
		end++
	}
	return start, end
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
func isHex(b byte) bool   { return isDigit(b) || b >= 'a' && b <= 'f' }
func isWord(b byte) bool {
	return isDigit(b) || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '-' || b == '_'
}

// mail passes the decoded headers and parts of a mail through the gate.
func (g *gateKeeper) mail(name string, data []byte) error {
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("leak gate: %s is not a mail: %w", name, err)
	}
	var decode mime.WordDecoder
	for key := range m.Header {
		text, err := decode.DecodeHeader(m.Header.Get(key))
		if err != nil {
			return fmt.Errorf("leak gate: %s: header %s: %w", name, key, err)
		}
		g.look(name, "decoded mail", []byte(text), 0)
	}
	return g.mailPart(name, m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body, 0)
}

func (g *gateKeeper) mailPart(name, contentType, encoding string, body io.Reader, depth int) error {
	kind, params, err := mime.ParseMediaType(contentType)
	if err == nil && strings.HasPrefix(kind, "multipart/") && depth < 8 {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			p, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("leak gate: %s: reading its parts: %w", name, err)
			}
			if err := g.mailPart(name, p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p, depth+1); err != nil {
				return err
			}
		}
	}
	text, err := io.ReadAll(transferDecoder(encoding, body))
	if err != nil {
		return fmt.Errorf("leak gate: %s: decoding a part: %w", name, err)
	}
	g.look(name, "decoded mail", text, 0)
	return nil
}
