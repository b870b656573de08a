package bundle

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ledongthuc/pdf"
)

const (
	maxDecoded  = 64 << 20 // bytes decoded from one file
	maxNesting  = 6        // of one encoding within another
	minEncoded  = 12       // the shortest run of base64 or hex that could hold an identifier
	pdfMagic    = "%PDF-"
	zipMagic    = "PK\x03\x04"
	gzipMagic   = "\x1f\x8b\x08"
	emptyZip    = "PK\x05\x06"
	percentPart = "decoded address"
)

// errOpaque says that something cannot be looked into, so that nobody can say
// that it holds no identifier.
var errOpaque = errors.New("cannot be looked into")

// A decoder finds what a text or file says in another spelling: escapes, mails,
// base64, archives, documents. each hears every decoded text.
type decoder struct {
	left int
	each func(how string, decoded []byte)
}

// decodedWhole reports whether a file has to be read whole, since windows of it
// say nothing.
func decodedWhole(name string, f io.ReaderAt) (bool, error) {
	head := make([]byte, 8)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return strings.HasSuffix(name, ".eml") || packedKind(head[:n]) != "", nil
}

// packedKind names what a content is by its first bytes, "" for plain text.
func packedKind(content []byte) string {
	switch magic := string(content[:min(len(content), len(pdfMagic))]); {
	case strings.HasPrefix(magic, pdfMagic):
		return "pdf"
	case strings.HasPrefix(magic, zipMagic), strings.HasPrefix(magic, emptyZip):
		return "zip"
	case strings.HasPrefix(magic, gzipMagic):
		return "gzip"
	}
	return ""
}

// decode passes on all that content holds besides what it says as it stands. On
// an error, how names the part that cannot be looked into.
func (d *decoder) decode(name string, content []byte, depth int) (how string, err error) {
	if depth > maxNesting || len(content) > maxDecoded {
		return "nested too deep, or too long", errOpaque
	}
	switch packedKind(content) {
	case "pdf":
		return "text of a PDF", d.pdf(content, depth)
	case "zip":
		return d.zip(content, depth)
	case "gzip":
		return "unpacked", d.gzip(name, content, depth)
	}
	if strings.HasSuffix(name, ".eml") {
		return "mail", d.mail(content, depth)
	}
	if bytes.IndexByte(content, '\\') >= 0 && bytes.IndexByte(content, '"') >= 0 {
		if how, err := d.further("JSON value", jsonStrings(content), depth); err != nil {
			return how, err
		}
	}
	if markup(name, content) {
		if how, err := d.further("text of markup", []byte(html.UnescapeString(string(tagless(content)))), depth); err != nil {
			return how, err
		}
	}
	if plain, ok := unpercent(content); ok {
		if how, err := d.further(percentPart, plain, depth); err != nil {
			return how, err
		}
	}
	for run := range encodedRuns(content) {
		if how, err := d.run(run, depth); err != nil {
			return how, err
		}
	}
	return "", nil
}

// further passes on a decoded text, and what can be decoded from it in turn.
func (d *decoder) further(how string, decoded []byte, depth int) (string, error) {
	if d.left -= len(decoded); d.left < 0 {
		return how, errOpaque
	}
	d.each(how, decoded)
	inner, err := d.decode("", decoded, depth+1)
	if inner == "" {
		inner = how
	}
	return inner, err
}

// jsonStrings returns the strings of a JSON text that have escapes, one a line.
func jsonStrings(content []byte) []byte {
	var out []byte
	for i := 0; i < len(content); i++ {
		if content[i] != '"' {
			continue
		}
		end, escaped := i+1, false
		for end < len(content) && content[end] != '"' {
			if content[end] == '\\' {
				escaped = true
				end++
			}
			end++
		}
		if end >= len(content) {
			break
		}
		var s string
		if escaped && json.Unmarshal(content[i:end+1], &s) == nil {
			out = append(append(out, s...), '\n')
		}
		i = end
	}
	return out
}

func markup(name string, content []byte) bool {
	switch path.Ext(name) {
	case ".html", ".htm", ".svg", ".xml":
		return true
	}
	head := bytes.TrimLeft(content[:min(len(content), 64)], " \r\n\t\ufeff")
	return bytes.HasPrefix(head, []byte("<")) && !bytes.HasPrefix(head, []byte("<http"))
}

// tagless drops tags: what a reader sees together may stand apart in the source.
// Tags that end a line of text become one.
func tagless(content []byte) []byte {
	var out []byte
	for {
		open := bytes.IndexByte(content, '<')
		if open < 0 {
			return append(out, content...)
		}
		out = append(out, content[:open]...)
		end := bytes.IndexByte(content[open:], '>')
		if end < 0 {
			return append(out, content[open:]...)
		}
		tag, _, _ := strings.Cut(strings.ToLower(string(content[open+1:open+min(end, 16)])), " ")
		switch tag {
		case "/p", "br", "br/", "/td", "/th", "/tr", "/li", "/div", "/h1", "/h2", "/h3", "/title", "/text", "w:br/", "/w:p", "w:tab/":
			out = append(out, '\n')
		}
		content = content[open+end+1:]
	}
}

// unpercent undoes %XX and the plus sign of query strings; ok says that there
// was any.
func unpercent(content []byte) (plain []byte, ok bool) {
	at := bytes.IndexByte(content, '%')
	query := bytes.IndexByte(content, '?')
	if at < 0 && query < 0 {
		return nil, false
	}
	plain = make([]byte, 0, len(content))
	inQuery := false
	for i := 0; i < len(content); i++ {
		switch c := content[i]; {
		case c == '%' && i+2 < len(content) && hexDigit(content[i+1]) && hexDigit(content[i+2]):
			b, err := hex.DecodeString(string(content[i+1 : i+3]))
			if err == nil {
				plain, ok = append(plain, b...), true
			}
			i += 2
		case c == '+' && inQuery:
			plain, ok = append(plain, ' '), true
		default:
			inQuery = c == '?' || inQuery && c > ' ' && c != '"'
			plain = append(plain, c)
		}
	}
	return plain, ok
}

func allHex(run []byte) bool {
	for _, b := range run {
		if !hexDigit(b) {
			return false
		}
	}
	return true
}

func hexDigit(b byte) bool { return isHex(b) || b >= 'A' && b <= 'F' }

// encodedRuns yields the runs of letters and digits that base64 or hex could be,
// wrapped lines joined.
func encodedRuns(content []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for i := 0; i+minEncoded <= len(content); {
			// No run that begins before a gap is long enough.
			last := i + minEncoded - 1
			if !base64Byte(content[last]) {
				i = last + 1
				continue
			}
			for first := i; ; last-- {
				if last == first || !base64Byte(content[last-1]) {
					i = last
					break
				}
			}
			start, lineStart := i, i
			var joined []byte
			for i < len(content) {
				if base64Byte(content[i]) {
					i++
					continue
				}
				// A full line may go on in the next one.
				next := i
				if content[next] == '\r' && next+1 < len(content) {
					next++
				}
				if content[next] != '\n' || i-lineStart < 60 || next+1 >= len(content) || !base64Byte(content[next+1]) {
					break
				}
				joined = append(joined, content[lineStart:i]...)
				i, lineStart = next+1, next+1
			}
			run := content[start:i]
			if joined != nil {
				run = append(joined, content[lineStart:i]...)
			}
			if len(run) >= minEncoded && !yield(run) {
				return
			}
		}
	}
}

// base64Byte reports whether b may be a byte of base64, of either alphabet.
func base64Byte(b byte) bool {
	const (
		low  = 1<<'+' | 1<<'-' | 1<<'/' | 1<<'=' | (1<<10-1)<<'0'
		high = 1<<('_'-64) | (1<<26-1)<<('A'-64) | (1<<26-1)<<('a'-64)
	)
	switch b >> 6 {
	case 0:
		return uint64(low)>>b&1 != 0
	case 1:
		return uint64(high)>>(b-64)&1 != 0
	}
	return false
}

// run decodes a run in every way that fits, and passes on what is a text or a
// file. Digests and ids give neither.
func (d *decoder) run(run []byte, depth int) (string, error) {
	if isDigits(run) {
		return "", nil // a number as it stands
	}
	if allHex(run[:len(run)&^1]) {
		if !mayHex(run) {
			return "", nil // a digest
		}
		if plain, err := hex.AppendDecode(nil, run[:len(run)&^1]); err == nil && d.worth(plain) {
			return d.further("hex", plain, depth)
		}
		return "", nil
	}
	if !mayDecode(run) {
		return "", nil
	}
	trimmed := bytes.TrimRight(run, "=")
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if len(trimmed)%4 == 1 {
			trimmed = trimmed[:len(trimmed)-1]
		}
		plain := make([]byte, encoding.DecodedLen(len(trimmed)))
		n, err := encoding.Decode(plain, trimmed)
		if plain = plain[:n]; err == nil && d.worth(plain) {
			return d.further("base64", plain, depth)
		}
	}
	return "", nil
}

// worth reports whether decoded bytes are a text or a file. Three bytes of magic
// come up by chance among a million ids, so gzip has to unpack, too.
func (d *decoder) worth(plain []byte) bool {
	switch packedKind(plain) {
	case "":
		return readable(plain)
	case "gzip":
		in, err := gzip.NewReader(bytes.NewReader(plain))
		if err != nil {
			return false
		}
		n, err := io.Copy(io.Discard, io.LimitReader(in, 64))
		return n > 0 || err == nil
	}
	return true
}

// mayDecode looks at the first bytes that a run of base64 gives: most words are
// told from encoded text by them.
func mayDecode(run []byte) bool {
	var head [6]byte
	n, err := base64.RawStdEncoding.Decode(head[:], run[:8])
	if err != nil {
		n, err = base64.RawURLEncoding.Decode(head[:], run[:8])
	}
	return err == nil && mayBegin(head[:n])
}

// mayHex is mayDecode of a run of hex digits.
func mayHex(run []byte) bool {
	var head [6]byte
	_, err := hex.Decode(head[:], run[:2*len(head)])
	return err == nil && mayBegin(head[:])
}

// mayBegin reports whether a text or a file that we know may begin so.
func mayBegin(head []byte) bool {
	if packedKind(head) != "" {
		return true
	}
	for _, b := range head {
		if b < ' ' && b != '\n' && b != '\r' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return utf8.RuneStart(head[0])
}

func isDigits(run []byte) bool {
	for _, b := range run {
		if !isDigit(b) {
			return false
		}
	}
	return true
}

// readable reports whether bytes are a text: chance makes none of this length.
func readable(b []byte) bool {
	if len(b) < 6 || !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
	}
	return true
}

func (d *decoder) gzip(name string, content []byte, depth int) error {
	in, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return errOpaque
	}
	plain, err := io.ReadAll(io.LimitReader(in, int64(d.left)+1))
	if err != nil || len(plain) > d.left {
		return errOpaque
	}
	d.left -= len(plain)
	d.each("unpacked", plain)
	_, err = d.decode(strings.TrimSuffix(name, ".gz"), plain, depth+1)
	return err
}

// zip looks into every member, and so into office documents, which are zips of
// XML.
func (d *decoder) zip(content []byte, depth int) (string, error) {
	in, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return "archive", errOpaque
	}
	d.each("comment of an archive", []byte(in.Comment))
	for _, member := range in.File {
		d.each("name in an archive", []byte(member.Name+"\n"+member.Comment))
		f, err := member.Open()
		if err != nil {
			return "member of an archive", errOpaque
		}
		plain, err := io.ReadAll(io.LimitReader(f, int64(d.left)+1))
		if err = errors.Join(err, f.Close()); err != nil || len(plain) > d.left {
			return "member of an archive", errOpaque
		}
		d.left -= len(plain)
		d.each("member of an archive", plain)
		if how, err := d.decode(member.Name, plain, depth+1); err != nil {
			return how, err
		}
	}
	return "", nil
}

// pdfOffset is a row of a PDF's table of objects: where the object begins.
var pdfOffset = regexp.MustCompile(`(?m)^(\d{10}) \d{5} n[ \r]?$`)

// pdfNumbers are the widths of a font's glyphs, and the document's title and the
// like in UTF-16, which pdf passes on as text.
var pdfNumbers = regexp.MustCompile(`/W(?:idths)? ?\[[\d\s.\[\]-]*\]|/(?:Title|Author|Subject|Keywords|Creator|Producer) ?<FEFF[0-9A-F]*>`)

// withoutPlumbing blanks what a PDF of ours spells in digits that the gate takes
// for somebody's: what pdfNumbers are, and the rows of its table of objects, where
// they tell the truth.
func withoutPlumbing(content []byte) []byte {
	out := bytes.Clone(content)
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			out[i] = ' '
		}
	}
	for _, m := range pdfNumbers.FindAllIndex(content, -1) {
		blank(m[0], m[1])
	}
	for _, m := range pdfOffset.FindAllSubmatchIndex(content, -1) {
		at, err := strconv.Atoi(string(content[m[2]:m[3]]))
		if err == nil && at < len(content) && pdfObject.Match(content[at:min(len(content), at+20)]) {
			blank(m[0], m[1])
		}
	}
	return out
}

var pdfObject = regexp.MustCompile(`^\d+ \d+ obj\b`)

// pdf passes on the text of every page, and the information about the document.
func (d *decoder) pdf(content []byte, depth int) (err error) {
	defer func() {
		if recover() != nil { // the library's way to say that a file is malformed
			err = errOpaque
		}
	}()
	in, err := pdf.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return errOpaque
	}
	var about strings.Builder
	info := in.Trailer().Key("Info")
	for _, key := range info.Keys() {
		about.WriteString(info.Key(key).Text() + "\n")
	}
	if _, err := d.further("about a PDF", []byte(about.String()), depth); err != nil {
		return err
	}
	for page := 1; page <= in.NumPage(); page++ {
		text, err := in.Page(page).GetPlainText(nil)
		if err != nil {
			return errOpaque
		}
		if _, err := d.further("text of a PDF", []byte(text), depth); err != nil {
			return err
		}
	}
	return nil
}

// mail passes on the decoded headers and parts of a mail.
func (d *decoder) mail(content []byte, depth int) error {
	m, err := mail.ReadMessage(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("not a mail: %w", errOpaque)
	}
	var words mime.WordDecoder
	for _, values := range m.Header {
		for _, value := range values {
			plain, err := words.DecodeHeader(value)
			if err != nil {
				return errOpaque
			}
			if _, err := d.further("decoded mail", []byte(plain), depth); err != nil {
				return err
			}
		}
	}
	return d.mailPart(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body, depth)
}

func (d *decoder) mailPart(contentType, encoding string, body io.Reader, depth int) error {
	if depth > maxNesting {
		return errOpaque
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err == nil && strings.HasPrefix(kind, "multipart/") {
		for parts := multipart.NewReader(body, params["boundary"]); ; {
			p, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return errOpaque
			}
			if err := d.mailPart(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p, depth+1); err != nil {
				return err
			}
		}
	}
	plain, err := io.ReadAll(io.LimitReader(transferDecoder(encoding, body), int64(d.left)+1))
	if err != nil || len(plain) > d.left {
		return errOpaque
	}
	d.left -= len(plain)
	d.each("decoded mail", plain)
	name := params["name"]
	switch {
	case kind == "message/rfc822":
		name = "attached.eml"
	case kind == "text/html":
		name = "part.html"
	case strings.HasSuffix(kind, "json"):
		name = "part.json"
	}
	_, err = d.decode(name, plain, depth+1)
	return err
}

// transferDecoder undoes a mail part's transfer encoding.
func transferDecoder(encoding string, body io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	}
	return body
}
