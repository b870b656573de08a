package document

import (
	"strings"
)

// Text renders a document as plain text, for a mail's body and for forms that
// people paste into.
func (d Document) Text() string {
	var out strings.Builder
	previous := paragraph
	for i, b := range d.blocks() {
		if i > 0 && !(b.kind == item && previous == item) {
			out.WriteString("\n")
		}
		previous = b.kind
		margin := strings.Repeat("  ", max(b.indent-1, 0))
		switch b.kind {
		case rule:
			out.WriteString(strings.Repeat("-", 72) + "\n")
		case table:
			for _, row := range b.rows {
				var cells []string
				for _, c := range row {
					cells = append(cells, plain(c))
				}
				out.WriteString(strings.Join(cells, ": ") + "\n")
			}
		case heading:
			out.WriteString(plain(b.spans) + "\n")
			if b.level < 3 {
				out.WriteString(strings.Repeat(map[bool]string{true: "=", false: "-"}[b.level == 1], min(len([]rune(plain(b.spans))), 72)) + "\n")
			}
		case item:
			out.WriteString(margin + hang(b.marker+" ", plain(b.spans), margin) + "\n")
		case quote:
			out.WriteString(hang("! ", plain(b.spans), "") + "\n")
		case code:
			out.WriteString(margin + hang("    ", plain(b.spans), margin) + "\n")
		default:
			if b.indent > 0 {
				margin += "  "
			}
			out.WriteString(margin + strings.ReplaceAll(plain(b.spans), "\n", "\n"+margin) + "\n")
		}
	}
	return out.String()
}

// hang puts a marker before the first line and as much space before the others.
func hang(marker, s, margin string) string {
	return marker + strings.ReplaceAll(s, "\n", "\n"+margin+strings.Repeat(" ", len([]rune(marker))))
}

func plain(spans []span) string {
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.text)
	}
	return b.String()
}
