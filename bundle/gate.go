package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"prahari/evidence"
)

// A Gate looks for unmasked identifiers in content and returns where they are.
// name is the file's path in the bundle. Long files come in windows of whole
// lines; offsets are into content. It may be called concurrently.
type Gate func(name string, content []byte) []Hit

// A Hit is a place that looks like an unmasked identifier. It holds no value.
type Hit struct {
	Kind       string // "aadhaar"
	Start, End int    // byte offsets into the content
}

// A Leak is a hit that nothing excuses.
type Leak struct {
	File   string `json:"file"`
	Part   string `json:"part"` // "content", "name", or how it was decoded: "mail", "base64", "member of an archive"
	Kind   string `json:"kind"`
	Offset int64  `json:"offset"` // in the part
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
		switch {
		case l.Part == "name":
			// The path itself leaks: name its folder and place only.
			fmt.Fprintf(&out, " %s in the name of a file in %s/", l.Kind, path.Dir(l.File))
		case l.Kind == unreadable:
			fmt.Fprintf(&out, " %s (%s) cannot be looked into", l.File, l.Part)
		default:
			fmt.Fprintf(&out, " %s in %s (%s) at byte %d", l.Kind, l.File, l.Part, l.Offset)
		}
	}
	return out.String()
}

// Is makes errors.Is(err, ErrLeak) true.
func (e *LeakError) Is(target error) bool { return target == ErrLeak }

// unreadable is the kind of a leak in what no one can look into.
const unreadable = "unreadable"

// ids is a set of ids, kept as keyed digests: a case of a hundred thousand items
// has half a million of them.
type ids map[uint64]struct{}

// A gateKeeper runs a Gate and drops the hits that lie in values the bundle must
// hold: digests, ids and what the caller allowed.
type gateKeeper struct {
	gate    Gate
	seed    maphash.Seed
	own     ids                          // ids and digit runs that are not identifiers
	items   ids                          // those of the items, once all are read
	drawn   map[string][sha256.Size]byte // the PDFs that this program drew, by path
	allowed [][]byte
	leaks   []Leak
}

func newGateKeeper(gate Gate, allow []Allowed) *gateKeeper {
	g := &gateKeeper{gate: gate, seed: maphash.MakeSeed(), own: ids{}, drawn: map[string][sha256.Size]byte{}}
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
func (g *gateKeeper) know(names ...string) { g.enter(g.own, names...) }

// draw notes a PDF that this program drew. What its format spells in digits is
// looked over in that file alone: nothing that stands in a file can claim as much.
func (g *gateKeeper) draw(name string, content []byte) { g.drawn[name] = sha256.Sum256(content) }

func (g *gateKeeper) enter(set ids, names ...string) {
	for _, name := range names {
		if len(name) >= 5 {
			set[maphash.String(g.seed, name)] = struct{}{}
		}
	}
}

const (
	gateWindow  = 1 << 20 // bytes of a file that the gate sees at once
	gateOverlap = 4 << 10 // bytes seen again, for what spans two windows
)

// Look shows files that stand in no bundle to the gate as Build shows open files,
// decoded and with the ids of the case and its items excused. Any leak that nothing
// excuses is a *LeakError.
func Look(ctx context.Context, gate Gate, allow []Allowed, c evidence.Case, items []evidence.Evidence, files []Further) error {
	g := newGateKeeper(gate, allow)
	g.know(c.ID)
	for i := range items {
		g.know(idsOf(&items[i])...)
	}
	for _, f := range files {
		leaks, err := g.read(ctx, f.Path, bytes.NewReader(f.Data))
		if err != nil {
			return err
		}
		g.add(append(g.look(f.Path, "name", []byte(f.Path), 0, nil), leaks...))
	}
	if len(g.leaks) > 0 {
		return &LeakError{g.leaks}
	}
	return nil
}

type fileReader interface {
	io.Reader
	io.ReaderAt
}

// file passes one file on disk through the gate. It may be called concurrently.
func (g *gateKeeper) file(ctx context.Context, name, at string) (leaks []Leak, err error) {
	f, err := os.Open(at)
	if err != nil {
		return nil, fmt.Errorf("leak gate: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return g.read(ctx, name, f)
}

// read passes one file through the gate.
func (g *gateKeeper) read(ctx context.Context, name string, f fileReader) (leaks []Leak, err error) {
	whole, err := decodedWhole(name, f)
	if err != nil {
		return nil, fmt.Errorf("leak gate: reading %s: %w", name, err)
	}
	if whole {
		data, err := io.ReadAll(io.LimitReader(f, maxDecoded+1))
		if err != nil {
			return nil, fmt.Errorf("leak gate: reading %s: %w", name, err)
		}
		return g.inspect(name, data, 0, nil), nil
	}
	var buf []byte
	base := int64(0) // of buf in the file
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		have := len(buf)
		buf = slices.Grow(buf, gateWindow)[:have+gateWindow]
		n, err := io.ReadFull(f, buf[have:])
		buf = buf[:have+n]
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("leak gate: reading %s: %w", name, err)
		}
		if err != nil { // the last window
			return addLeaks(leaks, g.inspect(name, buf, base, nil)), nil
		}
		end := bytes.LastIndexByte(buf, '\n') + 1
		if end <= gateOverlap {
			end = len(buf)
		}
		leaks = addLeaks(leaks, g.inspect(name, buf[:end], base, nil))
		keep := max(0, end-gateOverlap)
		base += int64(keep)
		buf = append(buf[:0], buf[keep:]...)
	}
}

// add keeps leaks, each once.
func (g *gateKeeper) add(leaks []Leak) { g.leaks = addLeaks(g.leaks, leaks) }

func addLeaks(all, leaks []Leak) []Leak {
	for _, l := range leaks {
		if !containsLeak(all, l) {
			all = append(all, l)
		}
	}
	return all
}

func containsLeak(all []Leak, l Leak) bool {
	for i := len(all) - 1; i >= 0 && all[i].File == l.File; i-- {
		if all[i] == l {
			return true
		}
	}
	return false
}

// inspect passes content and everything that can be decoded from it through the
// gate. local are further ids that are known here.
func (g *gateKeeper) inspect(name string, content []byte, base int64, local ids) []Leak {
	shown := content
	if sum, ok := g.drawn[name]; ok && sum == sha256.Sum256(content) {
		shown = withoutPlumbing(content)
	}
	leaks := g.look(name, "content", shown, base, local)
	d := decoder{left: maxDecoded, each: func(how string, decoded []byte) {
		leaks = append(leaks, g.look(name, how, decoded, 0, local)...)
	}}
	if how, err := d.decode(name, content, 0); err != nil {
		leaks = append(leaks, Leak{File: name, Part: how, Kind: unreadable})
	}
	return leaks
}

// look passes one text through the gate.
func (g *gateKeeper) look(name, how string, content []byte, base int64, local ids) []Leak {
	var leaks []Leak
	for _, h := range g.gate(name, content) {
		if h.Start < 0 || h.End > len(content) || h.Start >= h.End || !g.excused(content, h, local) {
			leaks = append(leaks, Leak{name, how, h.Kind, base + int64(h.Start)})
		}
	}
	return leaks
}

// excused reports whether the hit lies within a digest, an id or an allowed
// text.
func (g *gateKeeper) excused(content []byte, h Hit, local ids) bool {
	start, end := grow(content, h, isHex)
	if run := content[start:end]; len(run) == 64 || len(run) == 32 || len(run) == 40 {
		if (start == 0 || !isWord(content[start-1])) && (end == len(content) || !isWord(content[end])) {
			return true
		}
	}
	for _, in := range []func(byte) bool{isDigit, isWord} {
		if start, end = grow(content, h, in); start < end {
			key := maphash.Bytes(g.seed, content[start:end])
			for _, set := range []ids{g.own, g.items, local} {
				if _, known := set[key]; known {
					return true
				}
			}
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
