package document

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/go-text/typesetting/font"
)

// PDF renders a document as PDF 1.7 on A4 pages, Devanagari shaped, its fonts
// inside. It has no links, scripts, forms or attached files; the same document
// gives the same bytes.
func (d Document) PDF() ([]byte, error) {
	t, err := newTypesetter()
	if err != nil {
		return nil, err
	}
	l := &layout{t: t}
	l.newPage()
	for _, b := range d.blocks() {
		l.block(b)
	}
	small := 7.5
	for i, p := range l.pages {
		at := &layout{t: t, pages: []*sheet{p}}
		at.ends(d.Header, pageHeight-36, small)
		number := fmt.Sprintf("%d / %d", i+1, len(l.pages))
		at.ends(d.Footer, 38, small)
		words := at.words([]span{{text: number}}, false)
		at.draw(words, pageWidth-marginX-26, 26, small, true)
	}
	w := &pdfWriter{}
	return w.write(d, t, l.pages)
}

// ends sets a line at the head or foot of a page; one that is too long goes on
// towards the body.
func (l *layout) ends(text string, y, size float64) {
	for i, line := range l.set(l.words([]span{{text: Inert(text)}}, false), pageWidth-2*marginX-40, size) {
		if i < 2 {
			l.draw(line, marginX, y-float64(i)*size*1.3, size, true)
		}
	}
}

// A pdfWriter collects objects; object n is objects[n-1].
type pdfWriter struct{ objects [][]byte }

func (w *pdfWriter) add(format string, args ...any) int {
	w.objects = append(w.objects, fmt.Appendf(nil, format, args...))
	return len(w.objects)
}

func (w *pdfWriter) stream(dictionary string, content []byte) int {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write(content) // into memory
	_ = z.Close()
	return w.add("<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", dictionary, packed.Len(), packed.Bytes())
}

func (w *pdfWriter) write(d Document, t *typesetter, pages []*sheet) ([]byte, error) {
	catalog, tree := w.add(""), w.add("") // filled in below: they name what follows
	var mark []run
	if d.Watermark != "" {
		mark = t.shape(Inert(d.Watermark), true)
	}
	var resources strings.Builder
	contents := make([][]byte, len(pages))
	for i, p := range pages {
		contents[i] = content(t, p, mark)
	}
	for i, f := range t.faces {
		if len(f.used) == 0 {
			continue
		}
		id, err := w.font(f)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&resources, "/F%d %d 0 R ", i, id)
	}
	var kids []string
	for _, c := range contents {
		stream := w.stream("", c)
		kids = append(kids, fmt.Sprintf("%d 0 R", w.add("<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %.2f %.2f] /Resources << /Font << %s>> >> /Contents %d 0 R >>",
			tree, pageWidth, pageHeight, resources.String(), stream)))
	}
	language := "en-IN"
	if d.Hindi {
		language = "hi-IN"
	}
	w.objects[catalog-1] = fmt.Appendf(nil, "<< /Type /Catalog /Pages %d 0 R /Lang (%s) /ViewerPreferences << /DisplayDocTitle true >> >>", tree, language)
	w.objects[tree-1] = fmt.Appendf(nil, "<< /Type /Pages /Count %d /Kids [%s] >>", len(kids), strings.Join(kids, " "))
	info := w.add("<< /Title <%s> /Producer (prahari) /CreationDate (D:%sZ) >>", utf16Hex(Inert(d.Title)), d.At.UTC().Format("20060102150405"))

	var out bytes.Buffer
	out.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	var offsets []int
	for i, o := range w.objects {
		offsets = append(offsets, out.Len())
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	id := hex.EncodeToString(digest(out.Bytes())[:16])
	start := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, at := range offsets {
		fmt.Fprintf(&out, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&out, "trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R /ID [<%s> <%s>] >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, catalog, info, id, id, start)
	return out.Bytes(), nil
}

func digest(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] }

// content is what a page draws.
func content(t *typesetter, p *sheet, mark []run) []byte {
	var out bytes.Buffer
	if len(mark) > 0 {
		width := 0
		for _, r := range mark {
			width += r.width
		}
		size := min(40, 620*units/float64(width))
		half := float64(width) * size / units / 2 * 0.7071
		fmt.Fprintf(&out, "q 0.88 g\n")
		x := 0.0
		for _, r := range mark {
			showRun(&out, t, r, size, func(dx, dy float64) string {
				along := x + dx
				return fmt.Sprintf("0.7071 0.7071 -0.7071 0.7071 %.2f %.2f Tm", pageWidth/2-half+0.7071*(along-dy), pageHeight/2-half+0.7071*(along+dy))
			})
			x += float64(r.width) * size / units
		}
		out.WriteString("Q\n")
	}
	for _, s := range p.strokes {
		fmt.Fprintf(&out, "%.2f w 0.6 G %.2f %.2f m %.2f %.2f l S\n", s.width, s.x1, s.y1, s.x2, s.y2)
	}
	for _, r := range p.runs {
		shade := "0 g"
		if r.grey {
			shade = "0.35 g"
		}
		out.WriteString(shade + "\n")
		showRun(&out, t, r.run, r.size, func(dx, dy float64) string { return fmt.Sprintf("1 0 0 1 %.2f %.2f Tm", r.x+dx, r.y+dy) })
	}
	return out.Bytes()
}

// showRun draws a run. Where glyphs are not its characters one by one, the text
// goes along as ActualText (ISO 32000-1, 14.9.4), which readers search and copy.
func showRun(out *bytes.Buffer, t *typesetter, r run, size float64, place func(dx, dy float64) string) {
	whole := t.whole(r)
	if !whole {
		fmt.Fprintf(out, "/Span << /ActualText <%s> >> BDC\n", utf16Hex(r.text))
	}
	fmt.Fprintf(out, "BT /F%d %.2f Tf ", r.font, size)
	if whole {
		fmt.Fprintf(out, "%s <", place(0, 0))
		for _, g := range r.glyphs {
			fmt.Fprintf(out, "%04x", g.id)
		}
		out.WriteString("> Tj ")
	} else {
		for _, g := range r.glyphs {
			fmt.Fprintf(out, "%s <%04x> Tj ", place(float64(g.x)*size/units, float64(g.y)*size/units), g.id)
		}
	}
	out.WriteString("ET\n")
	if !whole {
		out.WriteString("EMC\n")
	}
}

// utf16Hex is a text string of PDF, with its byte order mark, in hexadecimal.
func utf16Hex(s string) string {
	var b strings.Builder
	b.WriteString("FEFF")
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04X", u)
	}
	return b.String()
}

// font writes a font with the glyphs used, and how they read as text.
func (w *pdfWriter) font(f *typeface) (int, error) {
	glyphs := slices.Sorted(maps.Keys(f.used))
	file, err := subset(f.raw, f.used)
	if err != nil {
		return 0, fmt.Errorf("font %s: %w", f.name, err)
	}
	// A subset is named with six letters of its own (ISO 32000-1, 9.6.4).
	tag := []byte("AAAAAA")
	for i, b := range digest(fmt.Append(nil, glyphs))[:6] {
		tag[i] = 'A' + b%26
	}
	name := string(tag) + "+" + f.name
	embedded := w.stream(fmt.Sprintf("/Length1 %d", len(file)), file)
	scale := func(n float32) int { return int(n * units / float32(f.face.Upem())) }
	ascender, descender := 1069, -293
	if e, ok := f.face.FontHExtents(); ok {
		ascender, descender = scale(e.Ascender), scale(e.Descender)
	}
	descriptor := w.add("<< /Type /FontDescriptor /FontName /%s /Flags 4 /FontBBox [-600 %d 2000 %d] /ItalicAngle 0 /Ascent %d /Descent %d /CapHeight 714 /StemV 80 /FontFile2 %d 0 R >>",
		name, descender, ascender, ascender, descender, embedded)
	var widths, unicodes strings.Builder
	for _, g := range glyphs {
		fmt.Fprintf(&widths, "%d [%d] ", g, f.widths[g])
	}
	descendant := w.add("<< /Type /Font /Subtype /CIDFontType2 /BaseFont /%s /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /FontDescriptor %d 0 R /DW 0 /W [%s] /CIDToGIDMap /Identity >>",
		name, descriptor, widths.String())
	unicodes.WriteString("/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Adobe-Identity-UCS def /CMapType 2 def\n1 begincodespacerange <0000> <FFFF> endcodespacerange\n")
	for chunk := range slices.Chunk(slices.DeleteFunc(glyphs, func(g font.GID) bool { return f.used[g] == "" }), 100) {
		fmt.Fprintf(&unicodes, "%d beginbfchar\n", len(chunk))
		for _, g := range chunk {
			fmt.Fprintf(&unicodes, "<%04X> <%s>\n", g, utf16Hex(f.used[g])[4:])
		}
		unicodes.WriteString("endbfchar\n")
	}
	unicodes.WriteString("endcmap CMapName currentdict /CMap defineresource pop end end\n")
	toUnicode := w.stream("", []byte(unicodes.String()))
	return w.add("<< /Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H /DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>", name, descendant, toUnicode), nil
}
