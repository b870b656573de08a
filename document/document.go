// Package document turns one Markdown text into every form that people read and
// sign: HTML, DOCX, PDF and plain text, English and Hindi. All forms are made of
// the same blocks, so that none says what another does not. Nothing in a text
// can act: there are no links, no images, no raw HTML, no fields and no scripts
// in any form.
package document

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// A Document is a text with what stands around it on each page.
type Document struct {
	Title     string // for the window's title, not shown on the page
	Markdown  string // headings, paragraphs, lists, quotes, tables, *em*, **strong**, `code`
	Header    string // at the head of each page
	Footer    string // at the foot of each page
	Watermark string // across each page of a PDF and DOCX; "": none
	Hindi     bool   // the main language is Hindi, not English
	At        time.Time
}

// A blockKind says how a block is set.
type blockKind int

const (
	paragraph blockKind = iota
	heading
	item  // of a list, its marker before the first line
	quote // a banner
	code  // lines as they are
	rule
	table
)

// A block is one paragraph-like piece of a document.
type block struct {
	kind   blockKind
	level  int    // of a heading
	indent int    // nested lists
	marker string // of an item: "•", "2."
	spans  []span
	rows   [][][]span // of a table: rows of cells
}

// A span is a piece of a line in one style. Its text may hold line breaks.
type span struct {
	text               string
	bold, italic, code bool
}

// markdown parses the subset that a Document may hold. Whatever else Markdown
// knows, links and raw HTML first of all, stays the text that it is.
func markdown() parser.Parser {
	p := parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewThematicBreakParser(), 200), util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400), util.Prioritized(parser.NewCodeBlockParser(), 500),
			util.Prioritized(parser.NewATXHeadingParser(), 600), util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(parser.NewBlockquoteParser(), 800), util.Prioritized(parser.NewParagraphParser(), 1000)),
		parser.WithInlineParsers(util.Prioritized(parser.NewCodeSpanParser(), 100), util.Prioritized(parser.NewEmphasisParser(), 500)),
		parser.WithParagraphTransformers(util.Prioritized(extension.NewTableParagraphTransformer(), 200)),
	)
	p.AddOptions(parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)))
	return p
}

// parse returns the syntax tree of a document and the source it points into.
func (d Document) parse() (ast.Node, []byte) {
	source := []byte(Inert(d.Markdown))
	return markdown().Parse(text.NewReader(source)), source
}

// blocks flattens a document.
func (d Document) blocks() []block {
	root, source := d.parse()
	var out []block
	flatten(&out, root, source, 0)
	return out
}

func flatten(out *[]block, parent ast.Node, source []byte, indent int) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Heading:
			*out = append(*out, block{kind: heading, level: n.Level, spans: inline(n, source)})
		case *ast.List:
			number := n.Start
			for li := n.FirstChild(); li != nil; li = li.NextSibling() {
				marker := "•"
				if n.IsOrdered() {
					marker = fmt.Sprintf("%d.", number)
					number++
				}
				first := len(*out)
				flatten(out, li, source, indent+1)
				if first < len(*out) && (*out)[first].marker == "" {
					(*out)[first].kind, (*out)[first].marker = item, marker
				}
			}
		case *ast.Blockquote:
			first := len(*out)
			flatten(out, n, source, indent)
			for i := first; i < len(*out); i++ {
				(*out)[i].kind = quote
			}
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			*out = append(*out, block{kind: code, indent: indent, spans: []span{{text: strings.TrimRight(lines(n, source), "\n"), code: true}}})
		case *ast.ThematicBreak:
			*out = append(*out, block{kind: rule})
		case *extast.Table:
			b := block{kind: table}
			for row := n.FirstChild(); row != nil; row = row.NextSibling() {
				var cells [][]span
				empty := true
				for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
					cells = append(cells, inline(cell, source))
					empty = empty && len(cells[len(cells)-1]) == 0
				}
				if !empty { // a head of empty cells only makes the table one
					b.rows = append(b.rows, cells)
				}
			}
			*out = append(*out, b)
		default:
			*out = append(*out, block{kind: paragraph, indent: indent, spans: inline(n, source)})
		}
	}
}

func lines(n ast.Node, source []byte) string {
	var b strings.Builder
	for i := range n.Lines().Len() {
		at := n.Lines().At(i)
		b.Write(at.Value(source))
	}
	return b.String()
}

// inline returns the text of a block in its styles. Every line break of the
// source is one of the page: addresses and forms stay as they were written.
func inline(parent ast.Node, source []byte) []span {
	var out []span
	var style span
	add := func(s string) {
		if n := len(out) - 1; n >= 0 && out[n].bold == style.bold && out[n].italic == style.italic && out[n].code == style.code {
			out[n].text += s
		} else if s != "" {
			s := span{s, style.bold, style.italic, style.code}
			out = append(out, s)
		}
	}
	var walk func(ast.Node)
	walk = func(parent ast.Node) {
		for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
			before := style
			switch n := n.(type) {
			case *ast.Text:
				s := string(n.Segment.Value(source))
				if !style.code {
					s = unescape(s)
				}
				add(Inert(s))
				if n.SoftLineBreak() || n.HardLineBreak() {
					add("\n")
				}
			case *ast.String:
				add(Inert(string(n.Value)))
			case *ast.Emphasis:
				style.bold, style.italic = style.bold || n.Level == 2, style.italic || n.Level == 1
				walk(n)
			case *ast.CodeSpan:
				style.code = true
				walk(n)
			}
			style = before
		}
	}
	walk(parent)
	return out
}

// unescape reads backslashes and entities from left to right, as goldmark's HTML
// does: an escaped ampersand begins no entity.
func unescape(s string) string {
	var out strings.Builder
	entities := func(s string) { out.Write(util.ResolveEntityNames(util.ResolveNumericReferences([]byte(s)))) }
	for {
		at := strings.IndexByte(s, '\\')
		if at < 0 || at+1 == len(s) {
			entities(s)
			return out.String()
		}
		entities(s[:at])
		if !util.IsPunct(s[at+1]) {
			out.WriteByte('\\')
			s = s[at+1:]
			continue
		}
		out.WriteByte(s[at+1])
		s = s[at+2:]
	}
}

// Inert returns valid UTF-8 without control characters but newline and tab, and
// without what reorders or hides text. Joiners stay: Hindi is spelt with them.
func Inert(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < 0x20, r >= 0x7f && r <= 0x9f, // C0, C1
			r == 0x61c, r == 0x200b, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f, // bidi, invisible
			r == 0x2028, r == 0x2029, r == 0xfeff, r >= 0xfff0 && r <= 0xfffb, r >= 0xfffe && r <= 0xffff, r >= 0xe0000 && r <= 0xe007f:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// Escape returns a value from outside as Markdown that shows just this value on
// one line: nothing in it is markup.
func Escape(value string) string {
	value = strings.Join(strings.Fields(Inert(value)), " ")
	var b strings.Builder
	runes := []rune(value)
	for i, r := range runes {
		word := func(at int) bool { return at >= 0 && at < len(runes) && isLetter(runes[at]) }
		switch {
		case strings.ContainsRune("\\`*<>[]|~", r),
			r == '&' && i+1 < len(runes) && (isLetter(runes[i+1]) || runes[i+1] == '#'), // an entity
			r == '_' && !(word(i-1) && word(i+1)),
			i == 0 && strings.ContainsRune("#-+=", r),
			(r == '.' || r == ')') && strings.Trim(string(runes[:i]), "0123456789") == "" && i > 0 && i < 10:
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isLetter(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
