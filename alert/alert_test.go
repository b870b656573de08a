package alert_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"prahari/alert"
	"prahari/evidence"
	"prahari/fixtures"
)

func message(masked string) alert.Message {
	return alert.Message{
		ID: "al-abcdefgh", Organisation: "Example", TLP: alert.TLP, At: time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC), More: 2,
		Findings: []alert.Finding{alert.Finding{
			ID: "f-1", Severity: evidence.High, Title: "A list of people" + masked, Source: "@leaks", MessageID: 7, URL: "https://t.me/leaks/7", Masked: masked, Records: 2,
		}.Show()},
	}
}

func secret(t *testing.T) string {
	t.Helper()
	var key [32]byte
	_, _ = rand.Read(key[:])
	return "whsec_" + base64.StdEncoding.EncodeToString(key[:])
}

// The receiver's own library accepts the signature, and no other one.
func TestWebhookIsSigned(t *testing.T) {
	key := secret(t)
	receiver, err := webhooks.NewWebhook(key)
	if err != nil {
		t.Fatal(err)
	}
	other, err := webhooks.NewWebhook(secret(t))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if err := receiver.Verify(body, r.Header); err != nil {
			t.Errorf("the signature is refused: %v", err)
		}
		if other.Verify(body, r.Header) == nil || receiver.Verify(append(body, ' '), r.Header) == nil {
			t.Error("another key or another body is accepted")
		}
		var got alert.Message
		if err := json.Unmarshal(body, &got); err != nil || len(got.Findings) != 1 || got.Findings[0].Masked != "Mobile: XXXXXX1234" || got.More != 2 {
			t.Errorf("%s, %v", body, err)
		}
		ids = append(ids, r.Header.Get("webhook-id"))
	}))
	defer server.Close()
	hook, err := alert.NewWebhook(server.URL, key)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := hook.Send(t.Context(), message("Mobile: XXXXXX1234")); err != nil {
			t.Fatal(err)
		}
	}
	if len(ids) != 2 || ids[0] != ids[1] || ids[0] != "al-abcdefgh" {
		t.Errorf("a second try has another id: %q", ids)
	}
}

func TestEndpointsThatRefuse(t *testing.T) {
	asked := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer elsewhere.Close()
	for name, tc := range map[string]struct {
		answer func(http.ResponseWriter)
		says   string
		wait   time.Duration // after the first try
	}{
		"error":        {func(w http.ResponseWriter) { w.WriteHeader(500) }, "500", 30 * time.Second},
		"asks to wait": {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "7200"); w.WriteHeader(429) }, "429", 2 * time.Hour},
		"absurd wait":  {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "99999999"); w.WriteHeader(503) }, "503", 24 * time.Hour},
		"redirect":     {func(w http.ResponseWriter) { w.Header().Set("Location", elsewhere.URL); w.WriteHeader(307) }, "307", 30 * time.Second},
		"endless answer": {func(w http.ResponseWriter) {
			w.WriteHeader(400)
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
		}, "400", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { tc.answer(w) }))
			defer server.Close()
			hook, err := alert.NewSlack(server.URL + "/services/T000/secret")
			if err != nil {
				t.Fatal(err)
			}
			err = hook.Send(t.Context(), message("x"))
			if err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
			if got := alert.Wait(1, err); got != tc.wait {
				t.Errorf("waits %s, want %s", got, tc.wait)
			}
		})
	}
	if asked != 0 {
		t.Error("a redirect was followed")
	}
	hook, err := alert.NewSlack("http://127.0.0.1:1/services/secret")
	if err != nil {
		t.Fatal(err)
	}
	if err := hook.Send(t.Context(), message("x")); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("nobody listens: %v", err)
	}
	if long := alert.Wait(alert.Tries, errors.New("x")); long != time.Hour {
		t.Errorf("the longest wait is %s", long)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, address := range []string{"", "hooks.example.org", "http://hooks.example.org/x", "ftp://example.org", "http://10.0.0.1/x"} {
		if _, err := alert.NewSlack(address); err == nil {
			t.Errorf("%q is taken", address)
		}
		if _, err := alert.NewWebhook(address, secret(t)); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
	for _, key := range []string{"", "whsec_", "hunter2", "whsec_c2hvcnQ=", "whsec_" + strings.Repeat("!", 40)} {
		if _, err := alert.NewWebhook("https://example.org", key); err == nil || len(key) > 6 && strings.Contains(err.Error(), key) {
			t.Errorf("secret %q: %v", key, err)
		}
	}
	good := alert.MailConfig{Server: "127.0.0.1:25", From: "prahari@example.org", To: []string{"desk@example.org"}, TLS: "none"}
	if _, err := alert.NewMailbox(good); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*alert.MailConfig){
		"no port": func(c *alert.MailConfig) { c.Server = "localhost" }, "open network": func(c *alert.MailConfig) { c.Server = "mail.example.org:25" },
		"policy": func(c *alert.MailConfig) { c.TLS = "maybe" }, "nobody": func(c *alert.MailConfig) { c.To = nil },
		"sender": func(c *alert.MailConfig) { c.From = "x\r\nBcc: y@example.org" }, "receiver": func(c *alert.MailConfig) { c.To = []string{"nobody"} },
	} {
		c := good
		change(&c)
		if _, err := alert.NewMailbox(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// mailbox is a real SMTP server that keeps what it gets.
type mailbox struct {
	mu    sync.Mutex
	mails [][]byte
	to    []string
}

func (m *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return m, nil }
func (m *mailbox) Mail(string, *smtp.MailOptions) error        { return nil }
func (m *mailbox) Rcpt(to string, _ *smtp.RcptOptions) error   { m.to = append(m.to, to); return nil }
func (m *mailbox) Reset()                                      {}
func (m *mailbox) Logout() error                               { return nil }
func (m *mailbox) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mails = append(m.mails, data)
	return err
}

func mailServer(t *testing.T) (*mailbox, string) {
	t.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box := &mailbox{}
	s := smtp.NewServer(box)
	s.Domain = "localhost"
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return box, l.Addr().String()
}

func TestMailArrives(t *testing.T) {
	box, address := mailServer(t)
	m, err := alert.NewMailbox(alert.MailConfig{Server: address, From: "Prahari <prahari@example.org>", To: []string{"desk@example.org"}, TLS: "none"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(t.Context(), message("आधार XXXX XXXX 1234")); err != nil {
		t.Fatal(err)
	}
	read, err := mail.ReadMessage(bytes.NewReader(box.mails[0]))
	if err != nil {
		t.Fatal(err)
	}
	if read.Header.Get("Message-Id") != "<al-abcdefgh@prahari.invalid>" || read.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("headers %v", read.Header)
	}
	// Without TLS at the server, a mailbox that asks for it sends nothing.
	m, err = alert.NewMailbox(alert.MailConfig{Server: address, From: "prahari@example.org", To: []string{"desk@example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(t.Context(), message("x")); err == nil || len(box.mails) != 1 {
		t.Errorf("sent in the open: %v", err)
	}
}

// A server that takes the connection and says nothing holds up nobody.
func TestASilentMailServerEndsWithTheWatch(t *testing.T) {
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	m, err := alert.NewMailbox(alert.MailConfig{Server: l.Addr().String(), From: "prahari@example.org", To: []string{"desk@example.org"}, TLS: "none"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Send(ctx, message("x")) }()
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second): // the mailbox's own timeout is twice as long
		t.Error("the mail server holds up the end")
	}
}

// Hostile text stays text at each kind of endpoint.
func TestAttacksStayText(t *testing.T) {
	box, address := mailServer(t)
	m, err := alert.NewMailbox(alert.MailConfig{Server: address, From: "prahari@example.org", To: []string{"desk@example.org"}, TLS: "none"})
	if err != nil {
		t.Fatal(err)
	}
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) }))
	defer server.Close()
	slack, err := alert.NewSlack(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	attacks := append(fixtures.Attacks(), fixtures.Attack{Name: "mentions", Text: "<!channel> <@U123> @here <https://evil.example|bank> `x`"})
	for i, attack := range attacks {
		if err := errors.Join(m.Send(t.Context(), message(attack.Text)), slack.Send(t.Context(), message(attack.Text))); err != nil {
			t.Fatalf("%s: %v", attack.Name, err)
		}
		read, err := mail.ReadMessage(bytes.NewReader(box.mails[i]))
		if err != nil {
			t.Fatalf("%s: %v", attack.Name, err)
		}
		for name := range read.Header {
			switch name {
			case "Date", "Mime-Version", "Message-Id", "Subject", "From", "To", "Content-Transfer-Encoding", "Content-Type", "Auto-Submitted":
			default:
				t.Errorf("%s: header %s came in", attack.Name, name)
			}
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject"))
		if err != nil || !strings.HasPrefix(subject, "[TLP:AMBER+STRICT] Prahari: ") || strings.ContainsAny(subject, "\r\n\x1b") {
			t.Errorf("%s: subject %q, %v", attack.Name, subject, err)
		}
		var posted struct {
			Text   string `json:"text"`
			Blocks []struct {
				Text struct{ Type, Text string } `json:"text"`
			} `json:"blocks"`
		}
		if err := json.Unmarshal(body, &posted); err != nil || len(posted.Blocks) != 1 || posted.Blocks[0].Text.Type != "plain_text" {
			t.Fatalf("%s: %s, %v", attack.Name, body, err)
		}
		for _, s := range []string{posted.Text, posted.Blocks[0].Text.Text} {
			if strings.ContainsAny(s, "<>`\x1b\x07\x00") || strings.Contains(s, "@here") || strings.Contains(s, "http") {
				t.Errorf("%s: %q", attack.Name, s)
			}
		}
	}
	if len(box.to) != len(attacks) {
		t.Errorf("%d mails went to %d addresses", len(attacks), len(box.to))
	}
}
