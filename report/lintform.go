package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	netmail "net/mail"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message"

	"prahari/document"
	"prahari/evidence"
)

// read takes the text out of every form: a mail's as a mail program decodes it,
// a DOCX's and a PDF's as their readers show it. The file's name is read too.
func (l *linter) read() {
	l.texts = map[string]string{}
	for name, content := range l.Files {
		text := string(content)
		var err error
		rule := "forms"
		switch filepath.Ext(name) {
		case ".eml":
			rule = "L21"
			text, l.headers, err = decoded(content)
			if errors.Is(err, errAttachment) {
				rule = "L01"
			}
		case ".html":
			text = shown(text)
		case ".docx":
			text, err = document.DOCXText(content)
		case ".pdf":
			text, err = document.PDFText(content)
		}
		if err != nil {
			l.add(Error, rule, "%s cannot be read: %v", name, err)
		}
		l.texts[name] = name + "\n" + folded(text)
	}
}

// form: the mail's head, the signature, the times.
func (l *linter) form() {
	addresses := map[string]bool{}
	for _, h := range l.headers {
		name, value, _ := strings.Cut(h, ": ")
		if strings.ContainsAny(value, "\r\n") {
			l.add(Error, "L21", "the header %s has a line break", name)
		}
		if !slices.Contains([]string{"From", "To", "Cc", "Bcc"}, name) {
			continue
		}
		addresses[name] = true
		if list, err := netmail.ParseAddressList(value); err != nil || len(list) != 1 || name == "Cc" || name == "Bcc" {
			l.add(Error, "L21", "%s is not one address: a draft has a sole recipient", name)
		}
	}
	if l.headers != nil && !addresses["From"] {
		l.add(Error, "L21", "the sender's address is missing: fill in 'email' of the complainant")
	}
	if l.headers != nil && !addresses["To"] && l.route.Channel == "mail" {
		l.add(Error, "L21", "the recipient's address is missing: configure it in law/routes.yaml, or 'email' under 'recipient' in the facts file")
	}
	if l.route.Channel != "app" && !strings.Contains(l.Notice.Markdown, "Signature, name, date and place: "+blankMark) {
		l.add(Error, "L18", "the signature is not blank: only a person signs")
	}
	if l.Notice.Kind == "ncrp" && strings.Count(l.Notice.Markdown, blankMark+"complainant")+strings.Count(l.Notice.Markdown, blankMark+"शिकायतकर्ता") < 6 {
		l.add(Error, "L18", "the complainant's identity is not blank: only the complainant enters it")
	}
	times := regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d( IST \(\d{4}-\d\d-\d\d \d\d:\d\d UTC\))?`)
	for _, t := range times.FindAllString(strings.ReplaceAll(l.Notice.Markdown, "\\", ""), -1) {
		if !strings.HasSuffix(t, "UTC)") {
			l.add(Error, "L19", "the time %s is not given in IST and UTC", t)
		}
	}
	if !strings.Contains(l.Notice.Markdown, " IST (") || !strings.Contains(l.Notice.Markdown, " UTC)") {
		l.add(Error, "L19", "no time is given in IST and UTC")
	}
	if certin := regexp.MustCompile(`\d\d/\d\d/\d{4} \d\d:\d\d IST \(\d\d/\d\d/\d{4} \d\d:\d\d UTC\)`); l.Notice.Kind == "certin-incident" && len(certin.FindAllString(l.Notice.Markdown, -1)) < 2 {
		l.add(Error, "L19", "CERT-In asks for occurrence and detection as dd/mm/yyyy hh:mm")
	}
}

// decoded returns everything in a mail that a reader can see: headers, texts,
// file names, attachments.
func decoded(eml []byte) (text string, headers []string, err error) {
	entity, err := message.Read(bytes.NewReader(eml))
	if err != nil {
		return "", nil, err
	}
	var out strings.Builder
	for f := entity.Header.Fields(); f.Next(); {
		value, err := f.Text()
		if err != nil {
			value = f.Value()
		}
		if raw := new(mime.WordDecoder); strings.Contains(value, "=?") { // a word in a word
			if again, err := raw.DecodeHeader(value); err == nil {
				value = again
			}
		}
		headers = append(headers, f.Key()+": "+value)
		if f.Key() != "Message-Id" && f.Key() != "Content-Type" { // digests of our own
			out.WriteString(f.Key() + ": " + value + "\n")
		}
	}
	err = entity.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil {
			return err
		}
		if part.MultipartReader() != nil {
			return nil
		}
		kind, typed, _ := part.Header.ContentType()
		_, params, _ := part.Header.ContentDisposition()
		name := cmp.Or(params["filename"], typed["name"])
		body, err := io.ReadAll(part.Body)
		if err != nil {
			return err
		}
		text, err := attachment(kind, name, body)
		out.WriteString("\n" + params["filename"] + "\n" + typed["name"] + "\n" + text)
		return err
	})
	return out.String(), headers, err
}

// errAttachment says that nobody can tell what an attachment holds.
var errAttachment = errors.New("cannot be looked into: send it apart, or as text, or in the bundle")

// attachment returns the text that a reader takes off a part of a mail.
func attachment(kind, name string, body []byte) (string, error) {
	var text string
	var err error
	switch ending := strings.ToLower(filepath.Ext(name)); {
	case ending == ".docx":
		text, err = document.DOCXText(body)
	case ending == ".pdf" || kind == "application/pdf":
		text, err = document.PDFText(body)
	case !utf8.Valid(body) || bytes.ContainsAny(body, "\x00\x1b"), strings.HasPrefix(kind, "message/"):
		err = errors.New("it is no text")
	case kind == "text/html" || ending == ".html" || ending == ".htm":
		text = shown(string(body))
	case ending == ".json":
		text = string(body) + "\n" + unescaped(body)
	default:
		text = string(body)
	}
	if err != nil {
		return "", fmt.Errorf("its attachment %q %w: %w", evidence.Caption(name, 60), errAttachment, err)
	}
	return text, nil
}

// shown is the text of HTML as a browser shows it.
func shown(page string) string {
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, ""))
}

// unescaped returns the strings of a JSON text as programs read them.
func unescaped(text []byte) string {
	var out strings.Builder
	for in := json.NewDecoder(bytes.NewReader(text)); ; {
		token, err := in.Token()
		if err != nil {
			return out.String()
		}
		if s, ok := token.(string); ok {
			out.WriteString(s + "\n")
		}
	}
}

// folded renders what looks alike alike: every hyphen and every space is one, and
// what has no width is gone, so that no rule is passed by another character.
func folded(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0x2010 && r <= 0x2015, r == 0x2212:
			return '-'
		case r == 0xa0, r >= 0x2000 && r <= 0x200a, r == 0x202f:
			return ' '
		case r == 0xad, r >= 0x200b && r <= 0x200f, r == 0x2060, r == 0xfeff:
			return -1
		}
		return r
	}, text)
}
