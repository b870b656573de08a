package document

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// maxObjects is how many objects of a PDF are read; a page has two.
const maxObjects = 10_000

// PDFText returns the text that readers take off a PDF which PDF wrote, from the
// bytes of the file alone. Other PDFs are ErrNotOurs.
func PDFText(file []byte) (string, error) {
	if !bytes.HasPrefix(file, []byte("%PDF-1.7\n")) || !bytes.Contains(file, []byte("/Producer (prahari)")) {
		return "", fmt.Errorf("PDF: %w: prahari did not write it", ErrNotOurs)
	}
	objects := map[string][]byte{}
	object := regexp.MustCompile(`(?m)^(\d+) 0 obj\n`)
	packed := regexp.MustCompile(`^<< [^\n]{0,200}/Length (\d{1,9}) >>\nstream\n`)
	at := object.FindAllSubmatchIndex(file, maxObjects)
	for _, m := range at {
		body := file[m[1]:]
		if length := packed.FindSubmatchIndex(body); length != nil {
			n, err := strconv.Atoi(string(body[length[2]:length[3]]))
			if err != nil || length[1]+n > len(body) {
				return "", fmt.Errorf("PDF: %w: a stream is cut off", ErrNotOurs)
			}
			z, err := zlib.NewReader(bytes.NewReader(body[length[1] : length[1]+n]))
			if err != nil {
				return "", fmt.Errorf("PDF: %w: %w", ErrNotOurs, err)
			}
			content, err := io.ReadAll(io.LimitReader(z, maxPart))
			if err != nil {
				return "", fmt.Errorf("PDF: %w: %w", ErrNotOurs, err)
			}
			objects[string(file[m[2]:m[3]])] = content
		} else if end := bytes.Index(body, []byte("\nendobj\n")); end >= 0 {
			objects[string(file[m[2]:m[3]])] = body[:end]
		}
	}
	var out strings.Builder
	if title := regexp.MustCompile(`/Title <([0-9A-F]*)>`).FindSubmatch(file); title != nil {
		out.WriteString(fromUTF16(string(title[1])) + "\n")
	}
	for _, page := range regexp.MustCompile(`/Type /Page /Parent .*/Font << (.*?)>> >> /Contents (\d+) 0 R`).FindAllSubmatch(file, -1) {
		maps := map[string]map[string]string{}
		for _, f := range regexp.MustCompile(`/(F\d) (\d+) 0 R`).FindAllSubmatch(page[1], -1) {
			maps[string(f[1])] = map[string]string{}
			to := regexp.MustCompile(`/ToUnicode (\d+) 0 R`).FindSubmatch(objects[string(f[2])])
			if to == nil {
				continue
			}
			for _, pair := range regexp.MustCompile(`(?m)^<([0-9A-F]{4})> <([0-9A-F]+)>$`).FindAllSubmatch(objects[string(to[1])], -1) {
				maps[string(f[1])][strings.ToLower(string(pair[1]))] = fromUTF16(string(pair[2]))
			}
		}
		pageText(&out, string(objects[string(page[2])]), maps)
	}
	return out.String(), nil
}

func pageText(out *strings.Builder, content string, maps map[string]map[string]string) {
	token := regexp.MustCompile(`/ActualText <([0-9A-F]*)>|(EMC)|/(F\d) [\d.]+ Tf|([-\d.]+) Tm|<([0-9a-f]+)> Tj`)
	hidden, instead, font, line := false, "", "", ""
	for _, m := range token.FindAllStringSubmatch(content, -1) {
		switch {
		case m[1] != "":
			hidden, instead = true, fromUTF16(m[1])
		case m[2] != "":
			hidden = false
		case m[3] != "":
			font = m[3]
		case m[4] != "":
			if m[4] != line && (!hidden || instead != "") {
				out.WriteString("\n")
				line = m[4]
			}
			out.WriteString(instead)
			instead = ""
		case !hidden:
			for i := 0; i+4 <= len(m[5]); i += 4 {
				out.WriteString(maps[font][m[5][i:i+4]])
			}
		}
	}
	out.WriteString("\n")
}

func fromUTF16(s string) string {
	raw, err := hex.DecodeString(s)
	if err != nil {
		return ""
	}
	var units []uint16
	for i := 0; i+1 < len(raw); i += 2 {
		units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")
}
