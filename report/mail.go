package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-message"
	msgmail "github.com/emersion/go-message/mail"

	"prahari/evidence"
)

// mail renders a draft as an unsent message: mail programs that know X-Unsent
// open it for editing.
func mail(d Draft, facts Facts, text string, attachments []Attachment) ([]byte, error) {
	from, domain := facts.Answers.Complainant.Email, "invalid"
	var h msgmail.Header
	h.SetDate(d.Notice.DraftedAt.UTC())
	h.SetSubject(d.Notice.Subject)
	if from != "" {
		a, err := netmail.ParseAddress(from)
		if err != nil {
			return nil, fmt.Errorf("the complainant's e-mail address %q is not one: correct it in the facts file", evidence.Caption(from, 60))
		}
		_, domain, _ = strings.Cut(a.Address, "@")
		h.SetAddressList("From", []*msgmail.Address{{Name: facts.Answers.Complainant.Name, Address: a.Address}})
	}
	if d.Route.Recipient != "" { // a form, a portal or a letter has none
		to, err := netmail.ParseAddress(d.Route.Recipient)
		if err != nil {
			return nil, fmt.Errorf("the route's address %q is not one: correct routes.yaml, or 'recipient' in the facts file", evidence.Caption(d.Route.Recipient, 60))
		}
		h.SetAddressList("To", []*msgmail.Address{{Name: d.Route.Addressee, Address: to.Address}})
	}
	h.SetMessageID(fmt.Sprintf("%s.%.16s@%s", d.Notice.ID, evidence.Digest([]byte(d.Notice.Markdown)), domain))
	h.Set("X-Unsent", "1")
	h.Set("X-TLP", DefaultTLP)
	h.SetContentType("multipart/mixed", map[string]string{"boundary": "prahari-" + evidence.Digest([]byte(d.Notice.ID + d.Notice.Markdown))[:32]})
	for _, value := range []string{d.Notice.Subject, from, facts.Answers.Complainant.Name, d.Route.Addressee} {
		if strings.ContainsAny(value, "\r\n") {
			return nil, fmt.Errorf("a header of the mail would have a line break: correct %q in the facts file", evidence.Caption(value, 60))
		}
	}
	var out bytes.Buffer
	w, err := message.CreateWriter(&out, h.Header)
	if err != nil {
		return nil, fmt.Errorf("writing the mail: %w", err)
	}
	for _, a := range append([]Attachment{{Type: "text/plain", Content: []byte(wrapped(text))}}, attachments...) {
		if err := part(w, a); err != nil {
			return nil, fmt.Errorf("writing the mail: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("writing the mail: %w", err)
	}
	return out.Bytes(), nil
}

// wrapped breaks the lines of a text between words, so that quoted-printable
// (76 columns, RFC 2045, 6.7) breaks none within an address.
func wrapped(text string) string {
	encoded := func(s string) int {
		n := 0
		for i := range len(s) {
			if s[i] < ' ' || s[i] > '~' || s[i] == '=' {
				n += 2
			}
			n++
		}
		return n
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		used := 0
		for i, word := range strings.Split(strings.TrimRight(line[len(indent):], "\n"), " ") {
			if n := encoded(word); i > 0 && used+1+n > 74 {
				out.WriteString("\n" + indent + word)
				used = len(indent) + n
			} else if i > 0 {
				out.WriteString(" " + word)
				used += 1 + n
			} else {
				out.WriteString(indent + word)
				used = len(indent) + n
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

// part writes a body, which has no name, or an attachment.
func part(w *message.Writer, a Attachment) error {
	var h message.Header
	params := map[string]string{"charset": "utf-8"}
	if a.Name != "" {
		params["name"] = a.Name
		h.SetContentDisposition("attachment", map[string]string{"filename": a.Name})
	}
	h.SetContentType(a.Type, params)
	h.Set("Content-Transfer-Encoding", "quoted-printable")
	p, err := w.CreatePart(h)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(p, strings.ReplaceAll(string(a.Content), "\n", "\r\n")); err != nil {
		return err
	}
	return p.Close()
}

// targetsCSV is the target list for machines. A cell never begins like a formula
// of a spreadsheet.
func targetsCSV(facts Facts) (string, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	rows := [][]string{{"username", "telegram_id", "kind", "title", "url", "first_seen_utc", "last_seen_utc", "deleted_at_source"}}
	for _, t := range facts.Targets {
		seen := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
		row := []string{evidence.Cell(t.Username), strconv.FormatInt(t.PeerID, 10), string(t.Kind), evidence.Cell(t.Title), evidence.Cell(t.URL), seen(t.FirstSeen), seen(t.LastSeen), ""}
		rows = append(rows, row)
		for _, m := range t.Messages {
			rows = append(rows, []string{evidence.Cell(t.Username), strconv.FormatInt(t.PeerID, 10), "message", "", evidence.Cell(m.URL), seen(m.PostedAt), "", strconv.FormatBool(m.Deleted)})
		}
	}
	if err := w.WriteAll(rows); err != nil {
		return "", fmt.Errorf("writing targets.csv: %w", err)
	}
	return out.String(), nil
}
