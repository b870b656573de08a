package report

import (
	"bytes"
	"html"
	"io"
	"mime"
	netmail "net/mail"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/emersion/go-message"

	"prahari/document"
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
		case ".html":
			text = html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, ""))
		case ".docx":
			text, err = document.DOCXText(content)
		case ".pdf":
			text, err = document.PDFText(content)
		}
		if err != nil {
			l.add(Error, rule, "%s cannot be read: %v", name, err)
		}
		l.texts[name] = name + "\n" + text
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
		_, params, _ := part.Header.ContentDisposition()
		out.WriteString("\n" + params["filename"] + "\n")
		body, err := io.ReadAll(part.Body)
		out.Write(body)
		return err
	})
	return out.String(), headers, err
}
