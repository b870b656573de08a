package document

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// The parts of a DOCX that do not depend on the document: WordprocessingML of
// ECMA-376 part 1, transitional.
const (
	docxTypes = xml.Header + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/><Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/><Override PartName="/word/header1.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.header+xml"/><Override PartName="/word/footer1.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.footer+xml"/><Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>`
	docxRels  = xml.Header + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties" Target="docProps/core.xml"/></Relationships>`
	docxLinks = xml.Header + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/header" Target="header1.xml"/><Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/footer" Target="footer1.xml"/></Relationships>`

	docxSpace = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`

	docxStyles = xml.Header + `<w:styles ` + docxSpace + `><w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="Noto Sans" w:hAnsi="Noto Sans" w:cs="Noto Sans Devanagari"/><w:sz w:val="21"/><w:szCs w:val="21"/><w:lang w:val="%s" w:bidi="hi-IN"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr><w:spacing w:after="120" w:line="276" w:lineRule="auto"/></w:pPr></w:pPrDefault></w:docDefaults>` +
		`<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/><w:basedOn w:val="Normal"/><w:next w:val="Normal"/><w:pPr><w:keepNext/><w:spacing w:before="240"/><w:outlineLvl w:val="0"/></w:pPr><w:rPr><w:b/><w:bCs/><w:sz w:val="30"/><w:szCs w:val="30"/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/><w:basedOn w:val="Normal"/><w:next w:val="Normal"/><w:pPr><w:keepNext/><w:spacing w:before="200"/><w:outlineLvl w:val="1"/></w:pPr><w:rPr><w:b/><w:bCs/><w:sz w:val="25"/><w:szCs w:val="25"/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Heading3"><w:name w:val="heading 3"/><w:basedOn w:val="Normal"/><w:next w:val="Normal"/><w:pPr><w:keepNext/><w:outlineLvl w:val="2"/></w:pPr><w:rPr><w:b/><w:bCs/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Quote"><w:name w:val="Quote"/><w:basedOn w:val="Normal"/><w:pPr><w:pBdr><w:left w:val="single" w:sz="24" w:space="8" w:color="AA0000"/></w:pBdr><w:ind w:left="200"/></w:pPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Code"><w:name w:val="Code"/><w:basedOn w:val="Normal"/><w:pPr><w:shd w:val="clear" w:color="auto" w:fill="F4F4F4"/></w:pPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Header"><w:name w:val="header"/><w:basedOn w:val="Normal"/><w:rPr><w:sz w:val="17"/><w:szCs w:val="17"/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Footer"><w:name w:val="footer"/><w:basedOn w:val="Normal"/><w:rPr><w:sz w:val="17"/><w:szCs w:val="17"/></w:rPr></w:style>` +
		`</w:styles>`
)

// DOCX renders a document for a word processor. It has no field, link, macro or
// relation to anything outside.
func (d Document) DOCX() ([]byte, error) {
	var body strings.Builder
	body.WriteString(xml.Header + `<w:document ` + docxSpace + `><w:body>`)
	for _, b := range d.blocks() {
		docxBlock(&body, b)
	}
	body.WriteString(`<w:sectPr><w:headerReference w:type="default" r:id="rId2"/><w:footerReference w:type="default" r:id="rId3"/>` +
		`<w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1247" w:right="1134" w:bottom="1134" w:left="1134" w:header="567" w:footer="567" w:gutter="0"/></w:sectPr></w:body></w:document>`)
	language := "en-IN"
	if d.Hindi {
		language = "hi-IN"
	}
	head := docxParagraph("Header", "", []span{{text: d.Header}})
	if d.Watermark != "" {
		head += docxParagraph("Header", `<w:jc w:val="center"/>`, []span{{text: d.Watermark, bold: true}})
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, part := range []struct{ name, content string }{
		{"[Content_Types].xml", docxTypes},
		{"_rels/.rels", docxRels},
		{"word/_rels/document.xml.rels", docxLinks},
		{"word/document.xml", body.String()},
		{"word/styles.xml", fmt.Sprintf(docxStyles, language)},
		{"word/header1.xml", xml.Header + `<w:hdr ` + docxSpace + `>` + head + `</w:hdr>`},
		{"word/footer1.xml", xml.Header + `<w:ftr ` + docxSpace + `>` + docxParagraph("Footer", "", []span{{text: d.Footer}}) + `</w:ftr>`},
		{"docProps/core.xml", xml.Header + `<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><dc:title>` + escaped(d.Title) +
			`</dc:title><dcterms:created xsi:type="dcterms:W3CDTF">` + d.At.UTC().Format("2006-01-02T15:04:05Z") + `</dcterms:created></cp:coreProperties>`},
	} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: part.name, Method: zip.Deflate, Modified: d.At.UTC()})
		if err != nil {
			return nil, fmt.Errorf("writing DOCX: %w", err)
		}
		if _, err := io.WriteString(w, part.content); err != nil {
			return nil, fmt.Errorf("writing DOCX: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("writing DOCX: %w", err)
	}
	return out.Bytes(), nil
}

func docxBlock(out *strings.Builder, b block) {
	left := 360 * b.indent
	switch b.kind {
	case table:
		out.WriteString(`<w:tbl><w:tblPr><w:tblW w:w="5000" w:type="pct"/><w:tblBorders>`)
		for _, side := range []string{"top", "left", "bottom", "right", "insideH", "insideV"} {
			out.WriteString(`<w:` + side + ` w:val="single" w:sz="4" w:space="0" w:color="999999"/>`)
		}
		out.WriteString(`</w:tblBorders></w:tblPr>`)
		widths := columns(b.rows)
		out.WriteString(`<w:tblGrid>`)
		for _, w := range widths {
			fmt.Fprintf(out, `<w:gridCol w:w="%d"/>`, int(w*9638))
		}
		out.WriteString(`</w:tblGrid>`)
		for _, row := range b.rows {
			out.WriteString(`<w:tr>`)
			for i, cell := range row {
				fmt.Fprintf(out, `<w:tc><w:tcPr><w:tcW w:w="%d" w:type="dxa"/></w:tcPr>`, int(widths[i]*9638))
				out.WriteString(docxParagraph("Normal", `<w:spacing w:after="20"/>`, cell) + `</w:tc>`)
			}
			out.WriteString(`</w:tr>`)
		}
		out.WriteString(`</w:tbl>` + docxParagraph("Normal", "", nil))
	case heading:
		out.WriteString(docxParagraph(fmt.Sprintf("Heading%d", min(b.level, 3)), "", b.spans))
	case item:
		marked := append([]span{{text: b.marker + "\t"}}, b.spans...)
		out.WriteString(docxParagraph("Normal", fmt.Sprintf(`<w:tabs><w:tab w:val="left" w:pos="%d"/></w:tabs><w:spacing w:after="40"/><w:ind w:left="%d" w:hanging="360"/>`, left, left), marked))
	case quote:
		out.WriteString(docxParagraph("Quote", "", b.spans))
	case code:
		out.WriteString(docxParagraph("Code", fmt.Sprintf(`<w:ind w:left="%d"/>`, left+200), b.spans))
	case rule:
		out.WriteString(docxParagraph("Normal", `<w:pBdr><w:bottom w:val="single" w:sz="6" w:space="1" w:color="999999"/></w:pBdr>`, nil))
	default:
		out.WriteString(docxParagraph("Normal", fmt.Sprintf(`<w:ind w:left="%d"/>`, left), b.spans))
	}
}

func docxParagraph(style, properties string, spans []span) string {
	var out strings.Builder
	out.WriteString(`<w:p><w:pPr><w:pStyle w:val="` + style + `"/>` + properties + `</w:pPr>`)
	for _, s := range spans {
		out.WriteString(`<w:r><w:rPr>`)
		if s.bold {
			out.WriteString(`<w:b/><w:bCs/>`)
		}
		if s.italic {
			out.WriteString(`<w:i/><w:iCs/>`)
		}
		out.WriteString(`</w:rPr>`)
		for i, line := range strings.Split(s.text, "\n") {
			if i > 0 {
				out.WriteString(`<w:br/>`)
			}
			for j, piece := range strings.Split(line, "\t") {
				if j > 0 {
					out.WriteString(`<w:tab/>`)
				}
				if piece != "" {
					out.WriteString(`<w:t xml:space="preserve">` + escaped(piece) + `</w:t>`)
				}
			}
		}
		out.WriteString(`</w:r>`)
	}
	out.WriteString(`</w:p>`)
	return out.String()
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(Inert(s))) // a Builder takes everything
	return b.String()
}

// columns shares a page's width among the columns of a table by what they hold.
func columns(rows [][][]span) []float64 {
	var widths []float64
	total := 0.0
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], min(float64(len([]rune(plain(cell)))), 60), 6)
		}
	}
	for _, w := range widths {
		total += w
	}
	for i := range widths {
		widths[i] /= total
	}
	return widths
}

// maxPart is how much of one part of a DOCX, or of one stream of a PDF, is read.
const maxPart = 16 << 20

// maxParts is how many parts a DOCX may have that is read; a letter has a dozen.
const maxParts = 64

// ErrNotOurs says that a file is not a form that can be read back.
var ErrNotOurs = errors.New("not a document that can be read")

// DOCXText returns the text of every part of a DOCX that a person may have
// edited: body, head, foot, notes, comments, properties.
func DOCXText(file []byte) (string, error) {
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return "", fmt.Errorf("DOCX: %w: %w", ErrNotOurs, err)
	}
	if len(z.File) > maxParts {
		return "", fmt.Errorf("DOCX: %w: it has %d parts", ErrNotOurs, len(z.File))
	}
	var out strings.Builder
	seen := false
	for _, f := range z.File {
		switch path.Ext(f.Name) {
		case ".xml", ".rels":
		case ".png", ".jpeg", ".jpg", ".gif", ".emf", ".wmf", ".odttf", "": // pictures and fonts; folders
			continue
		default: // a table or a letter may hide in a letter
			return "", fmt.Errorf("DOCX: %w: it holds %s, which cannot be looked into: take it out", ErrNotOurs, Inert(f.Name))
		}
		seen = seen || f.Name == "word/document.xml"
		r, err := f.Open()
		if err != nil {
			return "", fmt.Errorf("DOCX: %s: %w: %w", Inert(f.Name), ErrNotOurs, err)
		}
		err = xmlText(&out, io.LimitReader(r, maxPart), strings.HasSuffix(f.Name, ".rels"))
		_ = r.Close()
		if err != nil {
			return "", fmt.Errorf("DOCX: %s: %w: %w", Inert(f.Name), ErrNotOurs, err)
		}
	}
	if !seen {
		return "", fmt.Errorf("DOCX: %w: it has no word/document.xml", ErrNotOurs)
	}
	return out.String(), nil
}

// xmlText writes character data, paragraphs and breaks as lines; targets of
// relations too, for an address can hide there.
func xmlText(out *strings.Builder, r io.Reader, relations bool) error {
	dec := xml.NewDecoder(r)
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.CharData:
			out.Write(t)
		case xml.StartElement:
			for _, a := range t.Attr {
				switch a.Name.Local {
				case "Target":
					if !relations {
						continue
					}
				case "descr", "title", "tooltip", "instr": // shown beside a picture or a link, or a field's
				default:
					continue
				}
				out.WriteString(a.Value + "\n")
			}
			if t.Name.Local == "tab" {
				out.WriteString("\t")
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "p", "br", "title", "subject", "creator", "keywords", "description", "lastModifiedBy":
				out.WriteString("\n")
			}
		}
	}
}
