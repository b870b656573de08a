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
func mail(d Draft, facts Facts) ([]byte, error) {
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
	to, err := netmail.ParseAddress(d.Route.Recipient)
	if err != nil {
		return nil, fmt.Errorf("the route's address %q is not one: correct routes.yaml", evidence.Caption(d.Route.Recipient, 60))
	}
	h.SetAddressList("To", []*msgmail.Address{{Name: d.Route.Addressee, Address: to.Address}})
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
	targets, err := targetsCSV(facts)
	if err != nil {
		return nil, err
	}
	var body, attached message.Header
	body.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	body.Set("Content-Transfer-Encoding", "quoted-printable")
	attached.SetContentType("text/csv", map[string]string{"charset": "utf-8", "name": "targets.csv"})
	attached.SetContentDisposition("attachment", map[string]string{"filename": "targets.csv"})
	attached.Set("Content-Transfer-Encoding", "quoted-printable")
	for _, part := range []struct {
		header message.Header
		text   string
	}{{body, d.Notice.Markdown}, {attached, targets}} {
		p, err := w.CreatePart(part.header)
		if err != nil {
			return nil, fmt.Errorf("writing the mail: %w", err)
		}
		if _, err := io.WriteString(p, strings.ReplaceAll(part.text, "\n", "\r\n")); err != nil {
			return nil, fmt.Errorf("writing the mail: %w", err)
		}
		if err := p.Close(); err != nil {
			return nil, fmt.Errorf("writing the mail: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("writing the mail: %w", err)
	}
	return out.Bytes(), nil
}

// targetsCSV is the target list for machines. A cell never begins like a formula
// of a spreadsheet.
func targetsCSV(facts Facts) (string, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	rows := [][]string{{"username", "telegram_id", "kind", "title", "url", "first_seen_utc", "last_seen_utc", "deleted_at_source"}}
	for _, t := range facts.Targets {
		seen := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
		row := []string{t.Username, strconv.FormatInt(t.PeerID, 10), string(t.Kind), cell(t.Title), t.URL, seen(t.FirstSeen), seen(t.LastSeen), ""}
		rows = append(rows, row)
		for _, m := range t.Messages {
			rows = append(rows, []string{t.Username, strconv.FormatInt(t.PeerID, 10), "message", "", m.URL, seen(m.PostedAt), "", strconv.FormatBool(m.Deleted)})
		}
	}
	if err := w.WriteAll(rows); err != nil {
		return "", fmt.Errorf("writing targets.csv: %w", err)
	}
	return out.String(), nil
}

func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
