package document_test

import (
	"testing"

	"prahari/document"
)

// Files that a person, or anybody, put where drafts lie: reading one never
// panics, and what is read is text.
func FuzzDOCXText(f *testing.F) {
	made, err := whole().DOCX()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made)
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(_ *testing.T, file []byte) { _, _ = document.DOCXText(file) })
}

func FuzzPDFText(f *testing.F) {
	made, err := document.Document{Markdown: "x"}.PDF()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made)
	f.Add([]byte("%PDF-1.7\n1 0 obj\n<< /Length 3 >>\nstream\nabc\nendstream\n/Producer (prahari)"))
	f.Fuzz(func(_ *testing.T, file []byte) { _, _ = document.PDFText(file) })
}
