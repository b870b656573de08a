package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/renameio/v2"

	"prahari/evidence"
	"prahari/scanner"
)

const configName = "prahari.yaml"

// config is the workspace's prahari.yaml. It holds no secret but the api_hash
// and the database's password, which may live in files or the environment instead.
type config struct {
	Organisation organisation   `yaml:"organisation"`
	Recipients   []string       `yaml:"recipients"`         // age public keys that open the evidence
	Database     string         `yaml:"database,omitempty"` // postgres://…; default: a file in the workspace
	Telegram     telegramConfig `yaml:"telegram"`
	Watch        watchConfig    `yaml:"watch"`
	Limits       map[string]int `yaml:"limits,omitempty"` // of one account, instead of those that 'account limits' lists
	Timestamp    stampConfig    `yaml:"timestamp,omitempty"`
	LeakGate     leakGateConfig `yaml:"leak_gate,omitempty"`
	Retention    retention      `yaml:"retention,omitempty"`
	Tokens       tokenConfig    `yaml:"tokens,omitempty"`
	Alerts       alertConfig    `yaml:"alerts,omitempty"`
}

// leakGateConfig names what may stand in a bundle's open files although it looks
// like an identifier. Every exception is listed in the bundle.
type leakGateConfig struct {
	Allow []leakGateException `yaml:"allow,omitempty"`
}

type leakGateException struct {
	Text     string `yaml:"text"`
	Reason   string `yaml:"reason"`
	Approver string `yaml:"approver"`
}

type organisation struct {
	Name    string `yaml:"name"`
	Domain  string `yaml:"domain"`
	Contact string `yaml:"contact"` // a person
	Email   string `yaml:"email"`
}

type telegramConfig struct {
	APIID           int      `yaml:"api_id,omitempty"`
	APIHash         string   `yaml:"api_hash,omitempty"`
	APIHashFile     string   `yaml:"api_hash_file,omitempty"`
	SessionKeyFile  string   `yaml:"session_key_file,omitempty"`  // default keys/session.key
	Proxy           string   `yaml:"proxy,omitempty"`             // socks5://user@host:port, mtproxy://host:port, tg://proxy?…
	ProxySecretFile string   `yaml:"proxy_secret_file,omitempty"` // its password or secret; or $PRAHARI_PROXY_SECRET
	DC              int      `yaml:"dc,omitempty"`                // these three only for a data centre that is not Telegram's own
	Servers         []server `yaml:"servers,omitempty"`
	PublicKeys      []string `yaml:"public_keys,omitempty"` // PEM files
}

type server struct {
	DC      int    `yaml:"dc"`
	Address string `yaml:"address"` // host:port
}

type watchConfig struct {
	PollInterval    duration            `yaml:"poll_interval,omitempty"`     // the least, of sources that are read without joining
	MaxPollInterval duration            `yaml:"max_poll_interval,omitempty"` // the most, of those that are silent
	PollsPerMinute  int                 `yaml:"polls_per_minute,omitempty"`  // of one account
	MaxFloodWait    duration            `yaml:"max_flood_wait,omitempty"`    // longer waits end the run with exit code 6
	FloodWaits      map[string]duration `yaml:"flood_waits,omitempty"`       // the same for single methods
	PeerFloodRest   duration            `yaml:"peer_flood_rest,omitempty"`   // nothing is written so long after PEER_FLOOD
	MaxMedia        *byteCount          `yaml:"max_media,omitempty"`         // fetched of the files of a message with a finding; 0: none; default and most: 1048576
}

// stampConfig says who time-stamps the custody log, and how often.
type stampConfig struct {
	Authorities []authorityConfig `yaml:"authorities,omitempty"`
	Every       duration          `yaml:"every,omitempty"`    // sign and stamp at least so often, if there is anything new
	Captures    int64             `yaml:"captures,omitempty"` // and after so many pieces of evidence
	MaxSkew     duration          `yaml:"max_skew,omitempty"` // between an authority's clock and ours
	Timeout     duration          `yaml:"timeout,omitempty"`  // of one answer
}

type authorityConfig struct {
	Name  string `yaml:"name"`
	URL   string `yaml:"url"`
	Roots string `yaml:"roots"`           // PEM file
	Chain string `yaml:"chain,omitempty"` // PEM file of certificates that its answers leave out
}

// tokenConfig says of what no tokens are made.
type tokenConfig struct {
	NoAadhaar bool `yaml:"no_aadhaar,omitempty"` // Aadhaar numbers and VIDs are counted, then dropped
}

// retention says how long what is kept, in days.
type retention struct {
	RawDays    int `yaml:"raw_days,omitempty"`    // sealed originals and masked texts, since they were collected
	NoticeDays int `yaml:"notice_days,omitempty"` // texts of notices, since their case ended
}

// alertConfig says who is told of new findings.
type alertConfig struct {
	MinSeverity evidence.Severity `yaml:"min_severity,omitempty"` // default high
	PerHour     int               `yaml:"per_hour,omitempty"`     // messages to one endpoint; what is found meanwhile goes into the next
	Endpoints   []endpointConfig  `yaml:"endpoints,omitempty"`
}

// endpointConfig is one endpoint: a webhook, a Slack-compatible hook or mail.
type endpointConfig struct {
	Name       string      `yaml:"name"`
	Webhook    string      `yaml:"webhook,omitempty"`     // its address
	SecretFile string      `yaml:"secret_file,omitempty"` // of the webhook: what it is signed with
	SlackFile  string      `yaml:"slack_file,omitempty"`  // holds the hook's address, which is a secret
	Mail       *mailConfig `yaml:"mail,omitempty"`
}

type mailConfig struct {
	Server       string   `yaml:"server"` // host:port
	From         string   `yaml:"from"`
	To           []string `yaml:"to"`
	Username     string   `yaml:"username,omitempty"`
	PasswordFile string   `yaml:"password_file,omitempty"`
	TLS          string   `yaml:"tls,omitempty"` // starttls, tls or none
}

// duration reads "30s" and "5m".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is not a length of time such as 30s or 5m", text)
	}
	*d = duration(v)
	return nil
}

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// byteCount is a number of bytes that may be fetched of a message.
type byteCount int64

func (b *byteCount) UnmarshalText(text []byte) error {
	v, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || v < 0 || v > scanner.MaxMedia {
		return fmt.Errorf("%q is not a number of bytes from 0 (fetch none) to %d: more of a leak is not copied", evidence.Caption(string(text), 40), scanner.MaxMedia)
	}
	*b = byteCount(v)
	return nil
}

func (b byteCount) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(b), 10), nil }

func readConfig(path string) (config, error) {
	var c config
	data, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("reading the workspace's config: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		// Without the lines around it: one of them may hold a password.
		return c, fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, false))
	}
	return c, nil
}

func writeConfig(path string, c config) error {
	data, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("encoding the config: %w", err)
	}
	head := "# Prahari's workspace. Docs: docs/operations.md. api_id and api_hash may also come\n" +
		"# from $PRAHARI_API_ID and $PRAHARI_API_HASH; they never go on the command line.\n"
	if err := renameio.WriteFile(path, append([]byte(head), data...), 0o600); err != nil {
		return fmt.Errorf("writing the config: %w", err)
	}
	return nil
}

// credentials finds api_id and api_hash in the environment, the config or a
// file, and asks for what is missing.
func (w *workspace) credentials() (int, string, error) {
	t := w.config.Telegram
	id, hash := t.APIID, t.APIHash
	if s := w.env.getenv("PRAHARI_API_ID"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return 0, "", errors.New("$PRAHARI_API_ID is not a number: take both values from https://my.telegram.org")
		}
		id = n
	}
	if s := w.env.getenv("PRAHARI_API_HASH"); s != "" {
		hash = s
	}
	if hash == "" && t.APIHashFile != "" {
		path := t.APIHashFile
		if !filepath.IsAbs(path) {
			path = w.path(path)
		}
		data, err := secretFile(path, "api_hash file")
		if err != nil {
			return 0, "", err
		}
		hash = strings.TrimSpace(string(data))
	}
	if id == 0 {
		s, err := w.env.ask("api_id (from https://my.telegram.org):")
		if err != nil {
			return 0, "", err
		}
		if id, err = strconv.Atoi(strings.TrimSpace(s)); err != nil || id <= 0 {
			return 0, "", errors.New("api_id is a number: take it from https://my.telegram.org")
		}
	}
	if hash == "" {
		s, err := w.env.askSecret("api_hash:")
		if err != nil {
			return 0, "", err
		}
		hash = strings.TrimSpace(s)
	}
	return id, hash, nil
}
