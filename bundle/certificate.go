package bundle

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"prahari/evidence"
)

// pageLines is how many lines of text a page of a draft holds between its two
// watermarks.
const pageLines = 52

// paginate puts the watermark on the top and the foot of every page.
func paginate(body string) []byte {
	lines := strings.Split(strings.TrimRight(body, "\n"), "\n")
	pages := (len(lines) + pageLines - 1) / pageLines
	var out strings.Builder
	for p := range pages {
		fmt.Fprintf(&out, "=== %s === page %d of %d ===\n\n", watermark, p+1, pages)
		for _, l := range lines[p*pageLines : min(len(lines), (p+1)*pageLines)] {
			out.WriteString(l + "\n")
		}
		fmt.Fprintf(&out, "\n=== %s ===\n", watermark)
		if p+1 < pages {
			out.WriteString("\n\n")
		}
	}
	return []byte(out.String())
}

// certificates writes the drafts of the certificate of BSA 2023 s.63(4). Only
// what a machine may say is filled in; who signs fills in the rest. A
// certificate goes along at each instance of submission, so every bundle has its
// own, numbered as the bundle.
func (b *builder) certificates() error {
	if !b.in.Profile.has(certificateDrafts) {
		return nil
	}
	facts := map[string]any{
		"Bundle": b.name, "Number": b.in.Seq, "Case": b.in.Case.ID, "HashReportSHA256": b.tree.find(hashReportPath).sha256(),
		"HashReport": hashReportPath, "Commitments": commitmentsPath, "CommitmentsSHA256": b.tree.find(commitmentsPath).sha256(),
		"Items": b.items, "Head": b.head, "Tender": b.in.Tender,
		"Fingerprint": b.in.Signer.Fingerprint(), "Namespace": Namespace(b.in.Organisation.Domain),
		"Identity": Identity(b.in.Organisation.Domain), "Stamp": seeNote,
	}
	for _, draft := range []struct{ name, template string }{
		{"data/certificate/s63-part-A.DRAFT.txt", "part-a.txt"},
		{"data/certificate/s63-part-B.BLANK.txt", "part-b.txt"},
		{"data/certificate/annex-II-verification.txt", "annex-2.txt"},
	} {
		body, err := render(draft.template, facts)
		if err != nil {
			return err
		}
		if err := b.tree.write(draft.name, paginate(body)); err != nil {
			return err
		}
		if err := b.formPaper(strings.TrimSuffix(draft.name, ".txt")+".pdf", body); err != nil {
			return err
		}
	}
	return nil
}

// A Tender says which set of digests a certificate is about: its form does not
// ask, and a court will.
type Tender string

// Tenders. Left open, the signer ticks one.
const (
	TenderOpen      Tender = ""          // the signer decides
	TenderRedacted  Tender = "redacted"  // the open exhibits
	TenderOriginals Tender = "originals" // the sealed containers
)

// Redacted and Originals are for templates: the mark in the box of a set.
func (t Tender) Redacted() string  { return tick(t == TenderRedacted) }
func (t Tender) Originals() string { return tick(t == TenderOriginals) }

func tick(on bool) string {
	if on {
		return "[X]"
	}
	return "[ ]"
}

// An annex lists the particulars: on what, with what and how the items were
// made. It grows with every item, since a case may have many.
type annex struct {
	file *file
	pager
}

func (b *builder) beginAnnex(f *file) *annex {
	p := &annex{f, pager{out: bufio.NewWriter(f)}}
	p.printf("ANNEX I — PARTICULARS (facts recorded by the program; the signer checks them)\n\n")
	p.printf("Certificate draft no. %d of case %s, for bundle %s,\nmade on %s (%s).\n", b.in.Seq, b.in.Case.ID, b.name, ist(b.in.At), utc(b.in.At))
	p.printf("This annex vouches for the collecting machine, not for Telegram's.\n")
	if b.in.Tender == TenderOpen {
		p.printf("Which set is tendered (the signer ticks):\n")
	} else {
		p.printf("Which set is tendered, as chosen at the export (the signer checks):\n")
	}
	p.printf("  %s the open, redacted exhibits (manifest-sha256.txt, hash-report.csv)\n  %s the sealed originals (data/sealed/commitments.csv)\n\n",
		b.in.Tender.Redacted(), b.in.Tender.Originals())
	p.printf("1. Exporting machine and program\n\n")
	p.machine(b.in.Host, b.in.Tool, b.in.Clock.Source)
	p.printf("   Make, model, colour, serial number, IMEI/UIN/UID/MAC: not recorded by the\n   program; the signer fills them in.\n\n")
	p.printf("2. Items, in order of posting\n")
	return p
}

// item adds one item and the number of the set-up that collected it.
func (p *annex) item(setup int, m made) {
	p.printf("\n%s\n   set-up    3.%d\n%s", m.item.ID, setup, m.annex)
}

// end adds the set-ups and finishes the file.
func (p *annex) end(b *builder) error {
	p.printf("\n3. Set-ups, and the manner in which the record was produced\n")
	for i, s := range b.totals.setups {
		p.printf("\n3.%d  %d item(s)\n\n", i+1, s.items)
		p.machine(s.Host, s.Tool, s.Clock)
		p.manner(s.setup)
	}
	return errors.Join(p.close(), p.file.close())
}

// A pager prints lines with the watermark at the top and foot of every page.
type pager struct {
	out   *bufio.Writer
	page  int
	lines int
}

func (p *pager) printf(format string, args ...any) {
	for l := range strings.SplitAfterSeq(fmt.Sprintf(format, args...), "\n") {
		if l == "" {
			continue
		}
		if p.lines == 0 {
			p.page++
			fmt.Fprintf(p.out, "=== %s === page %d ===\n\n", watermark, p.page)
		}
		fmt.Fprint(p.out, l) // a failed write is told by Flush
		if p.lines++; p.lines == pageLines {
			fmt.Fprintf(p.out, "\n=== %s ===\n\n\n", watermark)
			p.lines = 0
		}
	}
}

func (p *pager) close() error {
	if p.lines > 0 {
		fmt.Fprintf(p.out, "\n=== %s ===\n", watermark)
	}
	return p.out.Flush()
}

func (p *pager) machine(h evidence.Host, t evidence.Tool, clock string) {
	p.printf("   machine   %s (%s/%s)\n", line(h.Hostname), line(h.OS), line(h.Arch))
	p.printf("   program   %s %s, commit %s, built with %s\n", line(t.Name), line(t.Version), line(t.Commit), line(t.GoVersion))
	if t.BinarySHA256 != "" {
		p.printf("   SHA-256 of the program's file\n             %s\n", line(t.BinarySHA256))
	}
	if t.Library != "" {
		p.printf("   library   %s\n", line(t.Library))
	}
	p.printf("   clock     %s\n", orUnknown(clock))
}

func orUnknown(s string) string {
	if s = line(s); s != "" {
		return s
	}
	return "not recorded"
}

// manner is the paragraph that says how items were produced.
func (p *pager) manner(s setup) {
	if s.Kind == evidence.File {
		p.printf(`
   At the time given for each item below, the machine described above, running
   the program described above, read the file named in the item's request. The
   message's bytes as they stood in that file were put into a container together
   with 32 random bytes, and the container's SHA-256 was computed at once by the
   same program, before the container was sealed and anything of it was stored.
   The hash identifies the file as read; it does not by itself establish who
   authored the content nor where the file came from.
`)
		return
	}
	p.printf(`
   At the time given for each item below, the machine described above, its clock
   as stated above, running the program described above, and connected to the
   Telegram service over its client protocol (layer %d) with the account labelled
   "%s", made the request given for the item, or received the message as an
   update of that connection. The service's response was put byte for byte into a
   container together with 32 random bytes, and the container's SHA-256 was
   computed at once by the same program, before the container was sealed and
   anything of it was stored. The hash identifies the message as received; it does
   not by itself establish who authored the content nor that Telegram's own
   records are identical.
`, s.Tool.Layer, orUnknown(s.Account))
}
