package bundle

import (
	"fmt"
	"strings"

	"prahari/document"
	"prahari/evidence"
)

// paper writes a draft as PDF, for those who sign and file on paper. It says what
// the text beside it says.
func (b *builder) paper(name string, d document.Document) error {
	d.At = b.in.At
	b.gate.know(d.At.Format("20060102150405")) // stands in the file
	data, err := d.PDF()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.gate.draw(name, data)
	return b.tree.write(name, data)
}

// formPaper sets a certificate's form. Its lines stay as the form has them.
func (b *builder) formPaper(name, body string) error {
	title, rest, _ := strings.Cut(strings.TrimSpace(body), "\n")
	var md strings.Builder
	md.WriteString("## " + document.Escape(title) + "\n")
	for l := range strings.Lines(rest) {
		md.WriteString(document.Escape(l) + "\n")
	}
	return b.paper(name, document.Document{
		Title: title, Markdown: md.String(), Header: watermark, Watermark: "DRAFT",
		Footer: b.name + ", " + b.in.TLP,
	})
}

// noticePaper sets a drafted notice.
func (b *builder) noticePaper(name string, n evidence.Notice) error {
	return b.paper(name, document.Document{
		Title: caption(n.Subject), Markdown: text(n.Markdown), Hindi: n.Language == "hi", Header: b.in.TLP + "   " + line(n.ID) + ", case " + line(n.CaseID),
		Footer: "DRAFT until a person reviews, signs and sends it. Facts SHA-256 " + line(n.FactsSHA256),
	})
}
