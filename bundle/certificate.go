package bundle

import (
	"bufio"
	"fmt"
	"io"
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
// what a machine may say is filled in; who signs fills in the rest.
func (b *builder) certificates() error {
	facts := map[string]any{
		"Bundle": b.name, "Case": b.in.Case.ID, "HashReportSHA256": b.tree.files[hashReportPath].sha256,
		"HashReport": hashReportPath, "Commitments": commitmentsPath, "Items": len(b.rows), "Head": b.head,
		"Fingerprint": b.in.Signer.Fingerprint(), "Namespace": Namespace(b.in.Organisation.Domain),
		"Identity": Identity(b.in.Organisation.Domain), "NotStamped": notStamped,
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
	}
	return b.annexI()
}

// annexI lists the particulars: on what, with what and how the items were made.
// It is streamed page by page, since a case may have many items.
func (b *builder) annexI() error {
	return b.tree.stream("data/certificate/annex-I-particulars.txt", func(w io.Writer) error {
		p := &pager{out: bufio.NewWriter(w)}
		p.printf("ANNEX I — PARTICULARS (facts recorded by the program; the signer checks them)\n\n")
		p.printf("Bundle %s, case %s, made on %s (%s).\n", b.name, b.in.Case.ID, ist(b.in.At), utc(b.in.At))
		p.printf("This annex vouches for the collecting machine, not for Telegram's.\n")
		p.printf("Which set is tendered (the signer ticks):\n")
		p.printf("  [ ] the open, redacted exhibits (manifest-sha256.txt)\n  [ ] the sealed originals (data/sealed/commitments.csv)\n\n")
		p.printf("1. Exporting machine and program\n\n")
		p.machine(b.in.Host, b.in.Tool, b.in.Clock.Source)
		p.printf("   Make, model, colour, serial number, IMEI/UIN/UID/MAC: not recorded by the\n   program; the signer fills them in.\n\n")
		p.printf("2. Manner in which the record was produced\n")
		for i, s := range b.totals.sortedSetups() {
			p.printf("\n2.%d  %d item(s)\n\n", i+1, b.totals.setups[s])
			p.machine(s.Host, s.Tool, s.Clock)
			p.manner(s)
		}
		p.printf("\n3. Items, in order of posting\n")
		for _, r := range b.rows {
			if err := b.ctx.Err(); err != nil {
				return err
			}
			p.printf("\n%s\n   collected %s by %s\n   request   %s\n   sealed in %s\n   SHA-256 of the container under the seal\n             %s\n",
				r.id, ist(r.captured), line(r.operator), line(r.request), sealedPath(r.id), r.commitment)
			if r.url != "" {
				p.printf("   address   %s\n", line(r.url))
			}
		}
		return p.close()
	})
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
