package alert

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// MailConfig says how alerts are mailed.
type MailConfig struct {
	Server   string // host:port
	From     string
	To       []string
	Username string // "": no sign-in
	Password string
	TLS      string // "starttls" (as ""), "tls" from the first byte, or "none", to this machine alone
}

// A Mailbox mails alerts by SMTP.
type Mailbox struct {
	config  MailConfig
	host    string
	options []mail.Option
}

// NewMailbox checks the configuration. It does no I/O.
func NewMailbox(c MailConfig) (*Mailbox, error) {
	host, portText, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, fmt.Errorf("server %q is not host:port", c.Server)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("server %q has no port that is a number", c.Server)
	}
	m := &Mailbox{config: c, host: host, options: []mail.Option{mail.WithPort(int(port)), mail.WithTimeout(20 * time.Second)}}
	switch c.TLS {
	case "", "starttls":
		m.options = append(m.options, mail.WithTLSPolicy(mail.TLSMandatory))
	case "tls":
		m.options = append(m.options, mail.WithSSL())
	case "none":
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, errors.New("without TLS only a server on this machine may be used: an alert would cross the network in the open")
		}
		m.options = append(m.options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		return nil, fmt.Errorf("tls %q is not one of starttls, tls and none", c.TLS)
	}
	if c.Username != "" {
		m.options = append(m.options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.Username), mail.WithPassword(c.Password))
	}
	if len(c.To) == 0 {
		return nil, errors.New("nobody is named in 'to'")
	}
	_, err = m.message(Message{ID: "check"})
	return m, err
}

// message writes the mail. Its id is the alert's: a second delivery is seen as
// the same mail.
func (m *Mailbox) message(a Message) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From(m.config.From); err != nil {
		return nil, fmt.Errorf("'from' is not an address: %w", err)
	}
	if err := msg.To(m.config.To...); err != nil {
		return nil, fmt.Errorf("'to' is not an address: %w", err)
	}
	msg.Subject("[" + TLP + "] " + strings.ReplaceAll(a.subject(), "=?", "= ?")) // no encoded word of somebody else's
	msg.SetDateWithValue(a.At)
	msg.SetMessageIDWithValue(a.ID + "@prahari.invalid")
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(mail.TypeTextPlain, a.plain())
	return msg, nil
}

// Send mails an alert.
func (m *Mailbox) Send(ctx context.Context, a Message) error {
	msg, err := m.message(a)
	if err != nil {
		return err
	}
	c, err := mail.NewClient(m.host, m.options...)
	if err != nil {
		return fmt.Errorf("mailing: %w", err)
	}
	// The library heeds ctx while it connects, and its own timeout afterwards: a
	// server that says nothing must not hold up the end of a watch.
	sent := make(chan error, 1)
	go func() { sent <- c.DialAndSendWithContext(ctx, msg) }()
	select {
	case err = <-sent:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("mailing by %s: %w", m.config.Server, err)
	}
	return nil
}
