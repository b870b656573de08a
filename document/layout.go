package document

import (
	"strings"
	"unicode"
)

// Measures of an A4 page, in points.
const (
	pageWidth, pageHeight = 595.28, 841.89
	marginX               = 56.0
	marginTop, marginFoot = 62.0, 58.0
	bodySize              = 9.5
	leading               = 1.45 // Devanagari has marks above and below
)

// A placed run has its place on a page, from the lower left corner.
type placed struct {
	run
	x, y, size float64
	grey       bool
}

// A line across a page: a rule, or a border.
type stroke struct{ x1, y1, x2, y2, width float64 }

type sheet struct {
	runs    []placed
	strokes []stroke
}

// A layout sets blocks on pages, from top to bottom.
type layout struct {
	t     *typesetter
	pages []*sheet
	y     float64 // of the last line's foot
}

func (l *layout) page() *sheet { return l.pages[len(l.pages)-1] }

func (l *layout) newPage() {
	l.pages = append(l.pages, &sheet{})
	l.y = pageHeight - marginTop
}

// need begins a page where there is no room for a height.
func (l *layout) need(height float64) {
	if l.y-height < marginFoot {
		l.newPage()
	}
}

// A word is what is not broken across lines if it can be helped; space follows
// it, and a line break where last is set.
type word struct {
	runs  []run
	width int
	last  bool
}

// words shapes spans, one word after the other. Tabs become spaces.
func (l *layout) words(spans []span, bold bool) []word {
	var out []word
	glue := false // the next word continues the one before it: a style changes inside
	for _, s := range spans {
		for i, line := range strings.Split(strings.ReplaceAll(s.text, "\t", "    "), "\n") {
			if i > 0 {
				if len(out) == 0 {
					out = append(out, word{})
				}
				out[len(out)-1].last = true
				glue = false
			}
			indent := 0
			if s.code {
				indent = len(line) - len(strings.TrimLeft(line, " "))
			}
			pieces := strings.FieldsFunc(line, func(r rune) bool { return unicode.IsSpace(r) && r != 0xa0 })
			for j, piece := range pieces {
				if j == 0 && indent > 0 {
					piece = strings.Repeat(" ", indent) + piece
				}
				w := word{runs: l.t.shape(piece, bold || s.bold)}
				for _, r := range w.runs {
					w.width += r.width
				}
				if j == 0 && glue && i == 0 && !strings.HasPrefix(line, " ") && len(out) > 0 {
					before := &out[len(out)-1]
					before.runs, before.width = append(before.runs, w.runs...), before.width+w.width
					continue
				}
				out = append(out, w)
			}
			glue = line != "" && !strings.HasSuffix(line, " ") || line == "" && glue
		}
	}
	return out
}

// set breaks words into lines of a width and returns them.
func (l *layout) set(words []word, width, size float64) [][]word {
	limit := int(width / size * units)
	space := l.space()
	var out [][]word
	var line []word
	used := 0
	flush := func() { out, line, used = append(out, line), nil, 0 }
	for _, w := range words {
		if len(line) > 0 && used+space+w.width > limit {
			flush()
		}
		for w.width > limit { // longer than a line: broken anywhere
			head, tail := l.split(w, limit)
			line = append(line, head)
			flush()
			w = tail
		}
		if len(line) > 0 {
			used += space
		}
		line, used = append(line, w), used+w.width
		if w.last {
			flush()
		}
	}
	if len(line) > 0 || len(out) == 0 {
		flush()
	}
	return out
}

func (l *layout) space() int { return l.t.shape(" ", false)[0].width }

// split cuts a long word after as many characters as fit; it shapes the halves
// anew, for a cut may fall anywhere but before a mark or a joiner.
func (l *layout) split(w word, limit int) (head, tail word) {
	width := 0
	for i, r := range w.runs {
		bold := r.font >= fonts
		runes := []rune(r.text)
		if width+r.width <= limit {
			head.runs = append(head.runs, r)
			width += r.width
			continue
		}
		low, high := 0, len(runes)
		for low < high { // how many characters fit
			middle := (low + high + 1) / 2
			n := 0
			for _, part := range l.t.shape(string(runes[:middle]), bold) {
				n += part.width
			}
			if width+n <= limit {
				low = middle
			} else {
				high = middle - 1
			}
		}
		for low > 0 && low < len(runes) && (unicode.IsMark(runes[low]) || runes[low] == 0x200d || runes[low-1] == 0x200d || runes[low-1] == 0x94d) {
			low--
		}
		if low == 0 && len(head.runs) == 0 {
			low = 1
		}
		if low > 0 {
			head.runs = append(head.runs, l.t.shape(string(runes[:low]), bold)...)
		}
		if low < len(runes) {
			tail.runs = l.t.shape(string(runes[low:]), bold)
		}
		tail.runs = append(tail.runs, w.runs[i+1:]...)
		break
	}
	for _, r := range head.runs {
		head.width += r.width
	}
	for _, r := range tail.runs {
		tail.width += r.width
	}
	tail.last = w.last
	return head, tail
}

// draw puts one line at a place.
func (l *layout) draw(line []word, x, y, size float64, grey bool) {
	p := l.page()
	for i, w := range line {
		if i > 0 {
			space := l.t.shape(" ", false)[0]
			p.runs = append(p.runs, placed{space, x, y, size, grey})
			x += float64(space.width) * size / units
		}
		for _, r := range w.runs {
			p.runs = append(p.runs, placed{r, x, y, size, grey})
			x += float64(r.width) * size / units
		}
	}
	// Readers of text tell cells and markers apart by it.
	p.runs = append(p.runs, placed{l.t.shape(" ", false)[0], x, y, size, grey})
}

// text sets spans as lines with a margin, the marker of an item before them.
func (l *layout) text(spans []span, marker string, indent, size, after float64, bold bool) {
	lines := l.set(l.words(spans, bold), pageWidth-2*marginX-indent, size)
	for i, line := range lines {
		l.need(size * leading)
		l.y -= size * leading
		if i == 0 && marker != "" {
			l.draw(l.words([]span{{text: marker}}, bold), marginX+indent-14, l.y, size, false)
		}
		l.draw(line, marginX+indent, l.y, size, false)
	}
	l.y -= after
}

func (l *layout) block(b block) {
	indent := 16 * float64(b.indent)
	switch b.kind {
	case heading:
		size := []float64{14, 11.5, 10}[min(b.level, 3)-1]
		l.need(size*leading + 3*bodySize*leading) // not alone at the foot of a page
		l.y -= size * 0.5
		l.text(b.spans, "", 0, size, 3, true)
	case item:
		l.text(b.spans, b.marker, indent, bodySize, 1.5, false)
	case quote:
		l.need(2 * bodySize * leading)
		top, before := l.y, l.page()
		l.text(b.spans, "", 10, bodySize, 2, true)
		if l.page() != before {
			top = pageHeight - marginTop
		}
		l.page().strokes = append(l.page().strokes, stroke{marginX + 3, top - 2, marginX + 3, l.y - 2, 2.5})
		l.y -= 6
	case rule:
		l.need(12)
		l.y -= 8
		l.page().strokes = append(l.page().strokes, stroke{marginX, l.y, pageWidth - marginX, l.y, 0.5})
		l.y -= 4
	case table:
		l.table(b.rows)
	case code:
		l.text(b.spans, "", indent+16, bodySize, 5, false)
	default:
		l.text(b.spans, "", indent, bodySize, 5, false)
	}
}

func (l *layout) table(rows [][][]span) {
	const pad = 4
	widths := columns(rows)
	total := pageWidth - 2*marginX
	border := func() {
		l.page().strokes = append(l.page().strokes, stroke{marginX, l.y, pageWidth - marginX, l.y, 0.4})
	}
	border()
	for _, row := range rows {
		var cells [][][]word
		deepest := 1
		for i, cell := range row {
			lines := l.set(l.words(cell, false), widths[i]*total-2*pad, bodySize)
			cells = append(cells, lines)
			deepest = max(deepest, len(lines))
		}
		for i := range deepest {
			if l.y-bodySize*leading < marginFoot {
				l.newPage()
				border()
			}
			l.y -= bodySize * leading
			x := marginX
			for c, lines := range cells {
				if i < len(lines) {
					l.draw(lines[i], x+pad, l.y, bodySize, false)
				}
				x += widths[c] * total
			}
		}
		l.y -= 4
		border()
	}
	l.y -= 8
}
