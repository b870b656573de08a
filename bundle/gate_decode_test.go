package bundle_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"prahari/bundle"
)

func zipped(t testing.TB, name, content string) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create(name)
	must(t, err)
	_, err = f.Write([]byte(content))
	must(t, err)
	must(t, w.Close())
	return out.String()
}

func gzipped(t testing.TB, content string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write([]byte(content))
	must(t, err)
	must(t, w.Close())
	return out.String()
}

// onePagePDF is a whole PDF with one line of text. With parts, the text is drawn
// piece by piece, as typesetters do.
func onePagePDF(title string, parts ...string) string {
	var draw strings.Builder
	draw.WriteString("BT /F1 12 Tf 72 700 Td ")
	for _, p := range parts {
		fmt.Fprintf(&draw, "(%s) Tj ", p)
	}
	draw.WriteString("ET")
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", draw.Len(), draw.String()),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
		fmt.Sprintf("<< /Title (%s) >>", title),
	}
	var out strings.Builder
	out.WriteString("%PDF-1.4\n")
	var at []int
	for i, o := range objects {
		at = append(at, out.Len())
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range at {
		fmt.Fprintf(&out, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&out, "trailer\n<< /Size %d /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return out.String()
}

func docx(t testing.TB, runs ...string) string {
	t.Helper()
	var body strings.Builder
	for _, r := range runs {
		body.WriteString("<w:r><w:t>" + r + "</w:t></w:r>")
	}
	return zipped(t, "word/document.xml", `<?xml version="1.0"?><w:document><w:body><w:p>`+body.String()+`</w:p></w:body></w:document>`)
}

// An identifier in any spelling that a reader's program undoes refuses the
// export: file and kind are named, the value is not (G17).
func TestGateDecodesWhatReadersDecode(t *testing.T) {
	t.Parallel()
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	sentence := "the number is " + planted + " they say"
	escaped := strings.Map(func(r rune) rune { return r }, sentence)
	inJSON := `{"text":"` + strings.ReplaceAll(escaped, "2345", `\u0032\u0033\u0034\u0035`) + `"}`
	wrapped := b64(strings.Repeat("padding before it\n", 8) + sentence)
	var lines strings.Builder
	for len(wrapped) > 76 {
		lines.WriteString(wrapped[:76] + "\r\n")
		wrapped = wrapped[76:]
	}
	lines.WriteString(wrapped)
	mail := "From: a@example.org\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/zip; name=x.zip\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\n" + b64(zipped(t, "a.txt", sentence)) + "\r\n--b--\r\n"
	for name, tc := range map[string]struct{ file, content, part string }{
		"as it stands":              {"machine/x.txt", sentence, "content"},
		"JSON escapes":              {"machine/x.json", inJSON, "JSON value"},
		"JSON within JSON":          {"machine/x.json", `{"inner":` + string(mustJSON(t, inJSON)) + `}`, "JSON value"},
		"query string":              {"machine/x.txt", "see https://example.org/?q=" + url.QueryEscape(planted) + "&x=1", "decoded address"},
		"percent-encoded":           {"machine/x.txt", "https://example.org/%32%33%34%35%20%36%37%38%39%200124", "decoded address"},
		"plus in a query":           {"machine/x.txt", "https://example.org/?q=2345+6789+0124", "decoded address"},
		"base64":                    {"machine/x.txt", "data: " + b64(sentence), "base64"},
		"base64 for addresses":      {"machine/x.txt", base64.RawURLEncoding.EncodeToString([]byte("ÿÿ>?" + sentence)), "base64"},
		"base64 in lines":           {"machine/x.txt", lines.String(), "base64"},
		"base64 twice":              {"machine/x.txt", b64(b64(sentence)), "base64"},
		"data address":              {"machine/x.html", `<img src="data:text/plain;base64,` + b64(sentence) + `">`, "base64"},
		"hex":                       {"machine/x.txt", hex.EncodeToString([]byte(sentence)), "hex"},
		"HTML tags between":         {"report/x.html", "<p><b>2345</b> <i>67</i>89 0124</p>", "text of markup"},
		"HTML entities":             {"report/x.html", "<p>&#50;&#51;45 6789 0124</p>", "text of markup"},
		"SVG":                       {"report/x.svg", "<svg><text>2345 <tspan>6789</tspan> 0124</text></svg>", "text of markup"},
		"zip member":                {"machine/x.zip", zipped(t, "a.txt", sentence), "member of an archive"},
		"zip member's name":         {"machine/x.zip", zipped(t, "ABCPE1234F.txt", "x"), "name in an archive"},
		"zip in a zip":              {"machine/x.zip", zipped(t, "in.zip", zipped(t, "a.txt", sentence)), "member of an archive"},
		"zip as another name":       {"machine/x.bin", zipped(t, "a.txt", sentence), "member of an archive"},
		"gzip":                      {"machine/x.gz", gzipped(t, sentence), "unpacked"},
		"office document":           {"machine/x.docx", docx(t, sentence), "member of an archive"},
		"office document, in runs":  {"machine/x.docx", docx(t, "2345 ", "67", "89 0124"), "text of markup"},
		"PDF":                       {"certificate/x.pdf", onePagePDF("x", sentence), "content"},
		"PDF, piece by piece":       {"certificate/x.pdf", onePagePDF("x", "2345 ", "67", "89 0124"), "text of a PDF"},
		"PDF's widths of glyphs":    {"certificate/x.pdf", onePagePDF("x", "/W ["+planted+"]"), "content"},
		"PDF's title in hex":        {"certificate/x.pdf", onePagePDF("x", "/Title <FEFF234567890124>"), "content"},
		"PDF's title":               {"certificate/x.pdf", onePagePDF(`\062\063\064\065 6789 0124`, "x"), "about a PDF"},
		"zip attached to a mail":    {"notices/x.eml", mail, "member of an archive"},
		"PAN in base64":             {"machine/x.txt", b64("PAN " + plantedPAN + " of somebody"), "base64"},
		"address of a mail in JSON": {"machine/x.json", `{"a":"` + strings.ReplaceAll(plantedEmail, "@", `\u0040`) + `"}`, "JSON value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.in.Gate = patterns
			r.in.Allow = append(r.in.Allow, bundle.Allowed{Text: "abuse@telegram.org", Reason: "a public address", Approver: "lead:l1"},
				bundle.Allowed{Text: "a@example.org", Reason: "the sender", Approver: "lead:l1"})
			r.in.Further = []bundle.Further{{Path: "data/" + tc.file, Data: []byte(tc.content)}}
			out := t.TempDir()
			_, err := bundle.Build(t.Context(), out, r.in)
			var leak *bundle.LeakError
			if !errors.As(err, &leak) || leak.Leaks[0].File != "data/"+tc.file {
				t.Fatalf("got %v", err)
			}
			found := false
			for _, l := range leak.Leaks {
				found = found || l.Part == tc.part
			}
			if !found {
				t.Errorf("found in %+v, not in %q", leak.Leaks, tc.part)
			}
			if s := err.Error(); strings.Contains(s, "6789") || strings.Contains(s, "1234F") || strings.Contains(s, "victim") {
				t.Errorf("the error has the value: %s", s)
			}
			if left := leftovers(t, out); left != nil {
				t.Errorf("left %q", left)
			}
		})
	}
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	must(t, err)
	return data
}

// What cannot be looked into is refused, since nobody can say what it holds.
func TestGateRefusesWhatItCannotLookInto(t *testing.T) {
	t.Parallel()
	deep := "2345"
	for range 9 {
		deep = zipped(t, "a.zip", deep)
	}
	for name, content := range map[string]string{
		"cut zip": zipped(t, "a.txt", strings.Repeat("x", 100))[:80], "cut gzip": gzipped(t, strings.Repeat("x", 1000))[:20], "cut PDF": onePagePDF("x", "y")[:300],
		"deep nesting": deep, "a bomb": zipped(t, "a.txt", strings.Repeat("\x00", 65<<20)), "not a mail": "\x00",
	} {
		r := newRig(t)
		file := "data/machine/x.bin"
		if name == "not a mail" {
			file = "data/notices/x.eml"
		}
		r.in.Further = []bundle.Further{{Path: file, Data: []byte(content)}}
		if _, err := bundle.Build(t.Context(), t.TempDir(), r.in); !errors.Is(err, bundle.ErrLeak) || !strings.Contains(err.Error(), "cannot be looked into") {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := newRig(t)
	r.in.Gate = patterns
	r.in.Allow = append(r.in.Allow, bundle.Allowed{Text: "abuse@telegram.org", Reason: "a public address", Approver: "lead:l1"})
	r.in.Further = []bundle.Further{
		{Path: "data/machine/x.zip", Data: []byte(zipped(t, "a.txt", "XXXX XXXX 1234"))}, {Path: "data/certificate/x.pdf", Data: []byte(onePagePDF("x", "XXXX XXXX 1234"))},
		{Path: "data/machine/x.docx", Data: []byte(docx(t, "XXXX XXXX 1234"))},
	}
	if _, err := bundle.Build(t.Context(), t.TempDir(), r.in); err != nil {
		t.Errorf("harmless files: %v", err)
	}
}
