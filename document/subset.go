package document

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/font/opentype"
)

// subset returns a TrueType font with the outlines of the glyphs used only. The
// glyphs keep their numbers, so that a page's text needs no second table.
func subset(raw []byte, used map[font.GID]string) ([]byte, error) {
	loader, err := opentype.NewLoader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("reading a font: %w", err)
	}
	table := func(name string) []byte {
		content, missing := loader.RawTable(opentype.MustNewTag(name))
		if missing != nil && (name == "glyf" || name == "loca" || name == "head" || name == "hhea" || name == "hmtx" || name == "maxp") {
			err = errors.Join(err, fmt.Errorf("reading a font: %w", missing))
		}
		return content
	}
	head, loca, glyf := table("head"), table("loca"), table("glyf")
	if err != nil || len(head) < 54 {
		return nil, errors.Join(err, errors.New("reading a font: no head"))
	}
	long := binary.BigEndian.Uint16(head[50:]) == 1
	place := func(g int) (from, to int) {
		if long {
			return int(binary.BigEndian.Uint32(loca[4*g:])), int(binary.BigEndian.Uint32(loca[4*g+4:]))
		}
		return 2 * int(binary.BigEndian.Uint16(loca[2*g:])), 2 * int(binary.BigEndian.Uint16(loca[2*g+2:]))
	}
	count := len(loca)/4 - 1
	if !long {
		count = len(loca)/2 - 1
	}
	keep := make([]bool, count)
	var add func(g int)
	add = func(g int) {
		if g >= count || keep[g] {
			return
		}
		keep[g] = true
		from, to := place(g)
		for _, part := range components(glyf[from:to]) {
			add(part)
		}
	}
	add(0)
	for g := range used {
		add(int(g))
	}
	var outlines []byte
	places := make([]byte, 4*(count+1))
	for g := range count {
		if keep[g] {
			from, to := place(g)
			outlines = append(outlines, glyf[from:to]...)
			for len(outlines)%4 != 0 {
				outlines = append(outlines, 0)
			}
		}
		binary.BigEndian.PutUint32(places[4*(g+1):], uint32(len(outlines)))
	}
	head = slices.Clone(head)
	binary.BigEndian.PutUint16(head[50:], 1)
	var tables []opentype.Table
	for _, name := range []string{"cvt ", "fpgm", "glyf", "head", "hhea", "hmtx", "loca", "maxp", "prep"} {
		content := table(name)
		switch name {
		case "glyf":
			content = outlines
		case "loca":
			content = places
		case "head":
			content = head
		}
		if content != nil {
			tables = append(tables, opentype.Table{Tag: opentype.MustNewTag(name), Content: content})
		}
	}
	return opentype.WriteTTF(tables), err
}

// components returns the glyphs that a glyph of several is made of (OpenType,
// "glyf": flags 0x20 more, 0x1 words, 0x8, 0x40, 0x80 scales).
func components(g []byte) []int {
	if len(g) < 10 || int16(binary.BigEndian.Uint16(g)) >= 0 {
		return nil
	}
	var out []int
	for at := 10; at+4 <= len(g); {
		flags := binary.BigEndian.Uint16(g[at:])
		out = append(out, int(binary.BigEndian.Uint16(g[at+2:])))
		at += 6
		if flags&0x1 != 0 {
			at += 2
		}
		switch {
		case flags&0x8 != 0:
			at += 2
		case flags&0x40 != 0:
			at += 4
		case flags&0x80 != 0:
			at += 8
		}
		if flags&0x20 == 0 {
			break
		}
	}
	return out
}
