package document_test

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"prahari/document"
	"prahari/fixtures"
)

// attacked is a document that every attack went into, escaped in its text as a
// template's values are, and as it is around the text.
func attacked(a fixtures.Attack) document.Document {
	d := whole()
	d.Title, d.Header, d.Footer, d.Watermark = a.Text, a.Text, a.Text, a.Text
	value := document.Escape(a.Text)
	d.Markdown = value + "\n\n# " + value + "\n\n- " + value + "\n\n| | |\n|---|---|\n| x | " + value + " |\n\n> " + value + "\n\n    " + squeeze(document.Inert(a.Text)) + "\n"
	return d
}

// unprintable finds what could act on a terminal or reorder a page.
func unprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r != '\n' && r != '\t' && unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	})
}

// shown is what a reader must see of an attack: its text, whole and harmless.
func shown(a fixtures.Attack) string { return squeeze(document.Inert(a.Text)) }

func TestNoAttackActs(t *testing.T) {
	for _, a := range fixtures.Attacks() {
		t.Run(a.Name, func(t *testing.T) {
			d := attacked(a)
			for form, text := range map[string]string{
				"text": d.Text(),
				"DOCX": must[string](t)(document.DOCXText(must[[]byte](t)(d.DOCX()))),
				"PDF":  must[string](t)(document.PDFText(must[[]byte](t)(d.PDF()))),
			} {
				if got := strings.Count(squeeze(text), shown(a)); got < 6 {
					t.Errorf("%s shows the text %d times, not in all 6 places:\n%q", form, got, text)
				}
				if unprintable(text) {
					t.Errorf("%s has control characters", form)
				}
			}
			inertHTML(t, must[[]byte](t)(d.HTML()))
			inertDOCX(t, must[[]byte](t)(d.DOCX()))
			inertPDF(t, must[[]byte](t)(d.PDF()))
		})
	}
}

func inertHTML(t *testing.T, page []byte) {
	allowed := map[string]bool{
		"html": true, "head": true, "meta": true, "title": true, "style": true, "body": true, "header": true, "main": true, "footer": true, "p": true, "h1": true, "h2": true, "h3": true,
		"table": true, "thead": true, "tbody": true, "tr": true, "th": true, "td": true, "ul": true, "ol": true, "li": true, "blockquote": true, "pre": true, "code": true, "em": true, "strong": true, "br": true, "hr": true,
	}
	for _, tag := range regexp.MustCompile(`<\s*/?\s*([^\s>]+)([^>]*)>`).FindAllSubmatch(page, -1) {
		if name := strings.ToLower(string(tag[1])); !allowed[name] && name != "!doctype" {
			t.Errorf("HTML has the tag %s", tag[0])
		}
		if regexp.MustCompile(`(?i)\b(on\w+|href|src)\s*=`).Match(tag[2]) {
			t.Errorf("HTML has the attributes %s", tag[0])
		}
	}
	if unprintable(string(page)) {
		t.Error("HTML has control characters")
	}
}

func inertDOCX(t *testing.T, file []byte) {
	z := must[*zip.Reader](t)(zip.NewReader(bytes.NewReader(file), int64(len(file))))
	for _, f := range z.File {
		r := must[io.ReadCloser](t)(f.Open())
		dec := xml.NewDecoder(r)
		for {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s is no XML: %v", f.Name, err)
			}
			switch e := token.(type) {
			case xml.StartElement:
				switch e.Name.Local {
				case "instrText", "fldSimple", "fldChar", "hyperlink", "object", "altChunk", "drawing", "pict", "attachedTemplate":
					t.Errorf("%s has an element %s", f.Name, e.Name.Local)
				}
				for _, attr := range e.Attr {
					if attr.Name.Local == "TargetMode" {
						t.Errorf("%s relates to something outside", f.Name)
					}
				}
			case xml.Directive:
				t.Errorf("%s has a directive", f.Name)
			}
		}
		_ = r.Close()
	}
}

func inertPDF(t *testing.T, file []byte) {
	file = regexp.MustCompile(`(?s)stream\n.*?\nendstream`).ReplaceAll(file, nil) // packed bytes may spell anything
	for _, name := range []string{"/JavaScript", "/JS", "/OpenAction", "/AA", "/Annots", "/URI", "/Launch", "/EmbeddedFile", "/AcroForm"} {
		if regexp.MustCompile(name + `\b`).Match(file) {
			t.Errorf("PDF has %s", name)
		}
	}
}

// Consumers of other makers see the attacks as text too, all in one document.
func TestNoAttackActsInOtherReaders(t *testing.T) {
	d := whole()
	for _, a := range fixtures.Attacks() {
		d.Markdown += "\n\n" + document.Escape(a.Text)
	}
	readers := map[string]func(*testing.T) string{
		"pdftotext": func(t *testing.T) string {
			return tool(t, "pdftotext", must[[]byte](t)(d.PDF()), "-enc", "UTF-8", "FILE", "-")
		},
		"pandoc": func(t *testing.T) string {
			return tool(t, "pandoc", must[[]byte](t)(d.DOCX()), "-f", "docx", "-t", "html", "--wrap=none", "FILE")
		},
	}
	for name, read := range readers {
		t.Run(name, func(t *testing.T) {
			text := read(t)
			if unprintable(strings.ReplaceAll(text, "\f", "")) || regexp.MustCompile(`<(script|a|img|svg)\b`).MatchString(text) && name == "pandoc" {
				t.Errorf("an attack acts:\n%s", text)
			}
			if !strings.Contains(text, "DDEAUTO") || !strings.Contains(text, "INCLUDETEXT") {
				t.Error("the attacks are not shown")
			}
		})
	}
}

func FuzzEscape(f *testing.F) {
	for _, a := range fixtures.Attacks() {
		f.Add(a.Text)
	}
	f.Fuzz(func(t *testing.T, value string) {
		d := document.Document{Markdown: "x " + document.Escape(value) + " y"}
		if got, want := squeeze(d.Text()), squeeze("x "+document.Inert(value)+" y"); got != want {
			t.Errorf("%q shows as %q", value, got)
		}
	})
}
