package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// A Webhook posts alerts as JSON, signed as the Standard Webhooks specification
// says (https://www.standardwebhooks.com): headers webhook-id, the same at every
// try, webhook-timestamp and webhook-signature.
type Webhook struct {
	url    string
	signer *webhooks.Webhook
	client *http.Client
}

// NewWebhook takes an address and the secret that the receiver knows too,
// "whsec_" and base64.
func NewWebhook(address, secret string) (*Webhook, error) {
	if err := checkURL(address); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(secret, "whsec_") || len(secret) < len("whsec_")+32 {
		return nil, errors.New("the secret is not whsec_ and the base64 of 24 bytes or more: make one with 'prahari alert secret'")
	}
	signer, err := webhooks.NewWebhook(secret)
	if err != nil {
		return nil, errors.New("the secret is not whsec_ and base64: make one with 'prahari alert secret'")
	}
	return &Webhook{address, signer, client()}, nil
}

// Send posts an alert.
func (w *Webhook) Send(ctx context.Context, a Message) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	now := time.Now()
	signature, err := w.signer.Sign(a.ID, now, body)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	return post(ctx, w.client, w.url, body, map[string]string{
		webhooks.HeaderWebhookID: a.ID, webhooks.HeaderWebhookTimestamp: strconv.FormatInt(now.Unix(), 10), webhooks.HeaderWebhookSignature: signature,
	})
}

// Slack posts alerts to an incoming webhook as Slack, Mattermost and Rocket.Chat
// have it. The address is the secret.
type Slack struct {
	url    string
	client *http.Client
}

// NewSlack takes the hook's address.
func NewSlack(address string) (*Slack, error) {
	if err := checkURL(address); err != nil {
		return nil, err
	}
	return &Slack{address, client()}, nil
}

// Send posts an alert as text in which nothing is a mention, a link or markup.
func (s *Slack) Send(ctx context.Context, a Message) error {
	inert := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "'", "@", "@\u2060", "http", "hxxp")
	body, err := json.Marshal(map[string]any{
		"text": inert.Replace(a.subject()), "mrkdwn": false, "unfurl_links": false, "unfurl_media": false, "link_names": false,
		"blocks": []any{map[string]any{"type": "section", "text": map[string]any{"type": "plain_text", "emoji": false, "text": clip(inert.Replace(a.plain()), 3000)}}},
	})
	if err != nil {
		return err
	}
	return post(ctx, s.client, s.url, body, nil)
}

// clip cuts a text to so many runes, the most that a block may hold.
func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("the address is not a URL such as https://hooks.example.org/alerts")
	}
	if u.Scheme == "https" {
		return nil
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return errors.New("the address is not https: an alert would cross the network in the open")
}

// client follows no redirect: what was allowed is this address alone.
func client() *http.Client {
	return &http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 10

func post(ctx context.Context, c *http.Client, address string, body []byte, headers map[string]string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address is not a URL")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "prahari")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	answer, err := c.Do(request)
	if err != nil {
		var failed *url.Error // names the address, which may be a secret
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return fmt.Errorf("posting: %w", err)
	}
	_, reading := io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	if err := errors.Join(reading, answer.Body.Close()); err != nil && answer.StatusCode/100 != 2 {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if answer.StatusCode/100 == 2 {
		return nil
	}
	err = fmt.Errorf("the endpoint answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	if seconds, parsing := strconv.Atoi(answer.Header.Get("Retry-After")); parsing == nil && seconds > 0 {
		return &PutOffError{time.Duration(min(seconds, 1<<20)) * time.Second, err}
	}
	return err
}
