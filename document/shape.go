package document

import (
	"bytes"
	"embed"
	"fmt"
	"unicode"

	"github.com/go-text/typesetting/di"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/font/opentype"
	"github.com/go-text/typesetting/language"
	"github.com/go-text/typesetting/shaping"
	"golang.org/x/image/math/fixed"
)

//go:embed font/*.ttf
var fontFiles embed.FS

// Fonts by number: Latin, Devanagari, and the two in bold.
const (
	latin = iota
	devanagari
	fonts
)

// A typeface is one font with what of it a document uses.
type typeface struct {
	name   string
	raw    []byte
	face   *font.Face
	used   map[font.GID]string // the text that a glyph stands for where it stands alone
	widths map[font.GID]int    // in thousandths of the size
}

// A typesetter shapes text with the four fonts. It is not safe for concurrent
// use.
type typesetter struct {
	faces  [2 * fonts]*typeface
	shaper shaping.HarfbuzzShaper
}

func newTypesetter() (*typesetter, error) {
	t := &typesetter{}
	for i, name := range []string{"NotoSans-Regular", "NotoSansDevanagari-Regular", "NotoSans-Bold", "NotoSansDevanagari-Bold"} {
		raw, err := fontFiles.ReadFile("font/" + name + ".ttf")
		if err != nil {
			return nil, err
		}
		face, err := font.ParseTTF(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("font %s: %w", name, err)
		}
		t.faces[i] = &typeface{name: name, raw: raw, face: face, used: map[font.GID]string{}, widths: map[font.GID]int{}}
	}
	return t, nil
}

// A glyph as placed in a run: x and y from the run's start, in thousandths of
// the size.
type glyph struct {
	id   font.GID
	x, y int
}

// A run is a piece of a word in one font.
type run struct {
	font   int
	text   string
	glyphs []glyph
	simple bool // one glyph a character, each at its own width
	width  int  // in thousandths of the size
}

// units is the size that text is shaped at, so that positions come in
// thousandths.
const units = 1000

// shape returns the runs of a text.
func (t *typesetter) shape(text string, bold bool) []run {
	runes := []rune(text)
	var out []run
	for start := 0; start < len(runes); {
		f := t.pick(runes[start], bold, -1)
		end := start + 1
		for end < len(runes) && t.pick(runes[end], bold, f) == f {
			end++
		}
		out = append(out, t.shapeRun(runes[start:end], f))
		start = end
	}
	return out
}

// pick returns the font for a character; joiners and marks stay in the font
// before them.
func (t *typesetter) pick(r rune, bold bool, before int) int {
	base := 0
	if bold {
		base = fonts
	}
	has := func(f int) bool { _, ok := t.faces[f].face.NominalGlyph(r); return ok }
	switch {
	case before >= 0 && (r == 0x200c || r == 0x200d || unicode.Is(unicode.Mn, r)) && has(before):
		return before
	case unicode.Is(unicode.Devanagari, r) || !has(base+latin):
		if has(base + devanagari) {
			return base + devanagari
		}
	}
	return base + latin
}

func (t *typesetter) shapeRun(runes []rune, f int) run {
	in := shaping.Input{
		Text: runes, RunEnd: len(runes), Direction: di.DirectionLTR, Face: t.faces[f].face, Size: fixed.I(units),
		Script: language.Latin, Language: language.NewLanguage("en"),
	}
	if f%fonts == devanagari {
		in.Script, in.Language = language.Devanagari, language.NewLanguage("hi")
	} else { // a letter, a glyph: what is read off a file is then just what was written
		for _, tag := range []string{"liga", "clig", "kern", "calt", "ccmp"} {
			in.FontFeatures = append(in.FontFeatures, shaping.FontFeature{Tag: opentype.MustNewTag(tag)})
		}
	}
	shaped := t.shaper.Shape(in)
	r := run{font: f, text: string(runes), simple: f%fonts == latin}
	tf := t.faces[f]
	for _, g := range shaped.Glyphs {
		r.glyphs = append(r.glyphs, glyph{g.GlyphID, r.width + g.XOffset.Round(), g.YOffset.Round()})
		tf.widths[g.GlyphID] = int(tf.face.HorizontalAdvance(g.GlyphID)*units/float32(tf.face.Upem()) + 0.5)
		advance := g.Advance.Round()
		alone := g.RunesCount() == 1 && g.GlyphsCount() == 1 && g.GlyphID != 0
		r.simple = r.simple && alone && g.XOffset == 0 && g.YOffset == 0 && abs(advance-tf.widths[g.GlyphID]) <= 1
		switch at := g.TextIndex(); {
		case alone && tf.used[g.GlyphID] == "":
			tf.used[g.GlyphID] = string(runes[at])
		case tf.used[g.GlyphID] == "":
			tf.used[g.GlyphID] = ""
		}
		r.width += advance
	}
	return r
}

func abs(n int) int { return max(n, -n) }

// whole reports whether every glyph of a run stands for one character, the same
// wherever it is used: then no second copy of the text is needed.
func (t *typesetter) whole(r run) bool {
	if !r.simple {
		return false
	}
	for i, c := range []rune(r.text) {
		if t.faces[r.font].used[r.glyphs[i].id] != string(c) {
			return false
		}
	}
	return true
}
