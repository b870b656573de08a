package document_test

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"prahari/document"
)

const written = `# Takedown request – सूचना

> This is a banner: verify before first use.

| | |
|---|---|
| Notice | N-0001, case CASE0001 |
| Drafted | 2026-11-24 10:00 IST (2026-11-24 04:30 UTC) |

## 1. Who asks

Name: A. *Analyst*
Address: **1 Example Road**
[[TO FILL: telephone number]]

1. Disable the channel.
2. Remove copies, such as https://t.me/leaks_demo/7
   - nested

## हिन्दी

आपकी व्यक्तिगत जानकारी सार्वजनिक रूप से प्रकाशित हुई है। कृपया क्षेत्रीय कार्यालय से सम्पर्क करें और अपने दस्तावेज़ सुरक्षित रखें; द्वितीय शृंखला में विद्यार्थियों के नाम भी थे।

    Aadhaar XXXX XXXX 7058; mobile XXXXXX5678
`

func whole() document.Document {
	return document.Document{
		Title: "Notice N-0001", Markdown: written, Header: "TLP:AMBER+STRICT", Footer: "N-0001, facts SHA-256 00ff",
		Watermark: "DRAFT", At: time.Date(2026, 11, 24, 4, 30, 0, 0, time.UTC),
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// tool runs a program of another maker on a file, and skips loudly without it.
func tool(t *testing.T, name string, file []byte, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("SKIPPED: no %s on this machine, so it did not read the document", name)
	}
	path := filepath.Join(t.TempDir(), "document")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, a := range args {
		if a == "FILE" {
			args[i] = path
		}
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("%s: %v: %s", name, err, errs.String())
	}
	return string(out)
}

// squeeze makes one line of a text: where lines break is each form's own.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// sentences that every form must hold, as any reader sees them.
func sentences() []string {
	return []string{
		"Takedown request – सूचना", "This is a banner: verify before first use.", "2026-11-24 10:00 IST (2026-11-24 04:30 UTC)", "Analyst",
		"1 Example Road", "[[TO FILL: telephone number]]", "https://t.me/leaks_demo/7", "Aadhaar XXXX XXXX 7058; mobile XXXXXX5678",
		"आपकी व्यक्तिगत जानकारी सार्वजनिक रूप से प्रकाशित हुई है। कृपया क्षेत्रीय कार्यालय से सम्पर्क करें और अपने दस्तावेज़ सुरक्षित रखें; द्वितीय शृंखला में विद्यार्थियों के नाम भी थे।",
	}
}

func wants(t *testing.T, form, text string) {
	t.Helper()
	for _, s := range sentences() {
		if !strings.Contains(squeeze(text), s) {
			t.Errorf("%s does not hold %q:\n%s", form, s, text)
		}
	}
}

func TestEveryFormHoldsTheText(t *testing.T) {
	d := whole()
	wants(t, "text", d.Text())
	wants(t, "DOCX", must[string](t)(document.DOCXText(must[[]byte](t)(d.DOCX()))))
	wants(t, "PDF", must[string](t)(document.PDFText(must[[]byte](t)(d.PDF()))))
	html := must[[]byte](t)(d.HTML())
	dec := xml.NewDecoder(bytes.NewReader(html))
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var text strings.Builder
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := token.(xml.CharData); ok {
			text.Write(c)
		}
	}
	wants(t, "HTML", text.String())
}

// The PDF as poppler reads it: Devanagari comes out as it went in.
func TestPDFReadsInPoppler(t *testing.T) {
	wants(t, "pdftotext", tool(t, "pdftotext", must[[]byte](t)(whole().PDF()), "-enc", "UTF-8", "FILE", "-"))
	info := tool(t, "pdfinfo", must[[]byte](t)(whole().PDF()), "FILE")
	for _, want := range []string{"Title:           Notice N-0001", "JavaScript:      no", "Form:            none", "A4"} {
		if !strings.Contains(info, want) {
			t.Errorf("pdfinfo does not say %q:\n%s", want, info)
		}
	}
	fonts := tool(t, "pdffonts", must[[]byte](t)(whole().PDF()), "FILE")
	if n := strings.Count(fonts, "CID TrueType"); n != 4 || strings.Count(fonts, "yes yes yes") != 4 {
		t.Errorf("not four fonts, embedded, subset and with text:\n%s", fonts)
	}
}

// Ink lands on the page where the words are: a picture of it is no blank.
func TestPDFDrawsInPoppler(t *testing.T) {
	picture := tool(t, "pdftoppm", must[[]byte](t)(whole().PDF()), "-gray", "-r", "50", "FILE")
	header := strings.Index(picture, "255\n") + 4
	dark := 0
	for _, b := range []byte(picture[header:]) {
		if b < 128 {
			dark++
		}
	}
	if dark < 1000 {
		t.Errorf("%d dark points on the page", dark)
	}
}

// The DOCX as another word processor's reader takes it.
func TestDOCXReadsInPandoc(t *testing.T) {
	text := tool(t, "pandoc", must[[]byte](t)(whole().DOCX()), "-f", "docx", "-t", "plain", "--wrap=none", "FILE")
	for _, s := range sentences() {
		if !strings.Contains(squeeze(strings.NewReplacer("_", "").Replace(text)), strings.ReplaceAll(s, "_", "")) {
			t.Errorf("pandoc does not read %q:\n%s", s, text)
		}
	}
}

func TestSameDocumentSameBytes(t *testing.T) {
	for name, form := range map[string]func(document.Document) ([]byte, error){
		"PDF": document.Document.PDF, "DOCX": document.Document.DOCX, "HTML": document.Document.HTML,
	} {
		if !bytes.Equal(must[[]byte](t)(form(whole())), must[[]byte](t)(form(whole()))) {
			t.Errorf("%s differs from run to run", name)
		}
	}
}

func TestLongTextsStayOnThePage(t *testing.T) {
	d := whole()
	d.Markdown = strings.Repeat("https://t.me/"+strings.Repeat("x", 300)+" क्ष्म्य"+strings.Repeat("क्षि", 200)+"\n\n", 30)
	text := must[string](t)(document.PDFText(must[[]byte](t)(d.PDF())))
	if got := strings.Count(text, "x"); got != 30*300 {
		t.Errorf("%d of 9000 letters came through", got)
	}
	if pages := bytes.Count(must[[]byte](t)(d.PDF()), []byte("/Type /Page /Parent")); pages < 3 {
		t.Errorf("%d pages", pages)
	}
}

func TestForeignFilesAreRefused(t *testing.T) {
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	_, _ = w.Create("other.xml")
	_ = w.Close()
	for name, err := range map[string]error{
		"no zip":        second(document.DOCXText([]byte("hello"))),
		"no document":   second(document.DOCXText(z.Bytes())),
		"another PDF":   second(document.PDFText([]byte("%PDF-1.4\n"))),
		"a cut-off PDF": second(document.PDFText([]byte("%PDF-1.7\n1 0 obj\n<< /Length 9999 >>\nstream\nx/Producer (prahari)"))),
	} {
		if !errors.Is(err, document.ErrNotOurs) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func second(_ string, err error) error { return err }
