package scanner_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotd/td/mtproxy/obfuscated2"
	"github.com/things-go/go-socks5"

	"prahari/evidence"
	"prahari/fixtures"
	"prahari/scanner"
)

func TestParseProxy(t *testing.T) {
	secret := "00112233445566778899aabbccddeeff"
	for name, tc := range map[string]struct{ link, secret, want, wrong string }{
		"socks5":             {"socks5://proxy.example:1080", "", "socks5://proxy.example:1080", ""},
		"socks5 with user":   {"socks5://ana@[2001:db8::1]:1080", "pass word", "socks5://[2001:db8::1]:1080", ""},
		"mtproxy":            {"mtproxy://proxy.example:443", secret, "mtproxy://proxy.example:443", ""},
		"dd":                 {"mtproxy://proxy.example:443", "dd" + secret, "mtproxy://proxy.example:443", ""},
		"ee":                 {"tg://proxy?server=proxy.example&port=443", "ee" + secret + hex.EncodeToString([]byte("www.example.com")), "mtproxy://proxy.example:443", ""},
		"base64":             {"https://t.me/proxy?server=proxy.example&port=443", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, 16)), "mtproxy://proxy.example:443", ""},
		"password in it":     {"socks5://ana:hunter2@proxy.example:1080", "", "", "belongs into a file"},
		"secret in it":       {"tg://proxy?server=proxy.example&port=443&secret=" + secret, "", "", "belongs into a file"},
		"password, no user":  {"socks5://proxy.example:1080", "hunter2", "", "no user"},
		"no secret":          {"mtproxy://proxy.example:443", "", "", "neither hex nor base64"},
		"short secret":       {"mtproxy://proxy.example:443", "dd0011", "", "neither hex nor base64"},
		"other kind":         {"http://proxy.example:8080", "", "", "no proxy of the kind"},
		"no port":            {"socks5://proxy.example", "", "", "not host:port"},
		"port out of range":  {"socks5://proxy.example:70000", "", "", "not host:port"},
		"no link":            {"\x7f://", "hunter2", "", "a proxy is socks5://"},
		"one that is hidden": {"tg://proxy?server=proxy%1bc.example&port=443", secret, "", "not host:port"},
		"an escape sequence": {"socks5://proxy\x1b[2J.example:1080", "", "", "a proxy is socks5://"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := scanner.ParseProxy(tc.link, tc.secret)
			if p.String() != tc.want || (err == nil) != (tc.wrong == "") {
				t.Fatalf("got %q, %v", p, err)
			}
			told := fmt.Sprintf("%v %+v %s", p, p, p)
			if err != nil {
				told = err.Error()
				if !strings.Contains(told, tc.wrong) {
					t.Errorf("got %q, want %q in it", told, tc.wrong)
				}
			}
			for _, hidden := range []string{"hunter2", "pass word", secret} {
				if strings.Contains(told, hidden) {
					t.Errorf("%q shows a secret", told)
				}
			}
		})
	}
}

// outgoing remembers from where a proxy called the data centre.
type outgoing struct {
	mu   sync.Mutex
	from []string
}

// dial calls a data centre; with a trap before it, another address than asked for.
func (o *outgoing) dial(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.from = append(o.from, conn.LocalAddr().String())
	}
	return conn, err
}

// onlyThrough checks that the data centre was called by the proxy and by nobody
// else, after as many connections as were counted before the proxy came.
func (b *bench) onlyThrough(before int, o *outgoing) {
	b.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, from := range b.dc.Clients()[before:] {
		if !slices.Contains(o.from, from) {
			b.t.Errorf("a connection from %s came beside the proxy", from)
		}
	}
	if len(o.from) == 0 {
		b.t.Error("the proxy was not used")
	}
}

// What evidence says of the way shows no user, and no number that a host's name
// is made of.
func TestEgress(t *testing.T) {
	secret, number := strings.Repeat("ab", 16), fixtures.MakePerson(1).Mobile
	for _, tc := range []struct{ link, secret, want string }{
		{"socks5://ana@proxy.example:1080", "hunter2", "SOCKS5 proxy proxy.example:1080"},
		{"socks5://[2001:db8::1]:1080", "", "SOCKS5 proxy [2001:db8::1]:1080"},
		{"socks5://203.0.113.110:10800", "", "SOCKS5 proxy 203.0.113.110:10800"},
		{"mtproxy://proxy.example:443", secret, "MTProxy proxy.example:443"},
		{"mtproxy://" + number + ".example:443", secret, "MTProxy XXXXXXXXXX.example:443"},
	} {
		p, err := scanner.ParseProxy(tc.link, tc.secret)
		if err != nil {
			t.Fatal(tc.link, err)
		}
		if got := p.Egress(); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.link, got, tc.want)
		}
	}
	if got := (scanner.Proxy{}).Egress(); got != "direct connection, address not recorded" {
		t.Errorf("without a proxy: got %q", got)
	}
}

func TestSOCKS5IsTheOnlyWay(t *testing.T) {
	b := newBench(t)
	out := &outgoing{}
	listener := listen(t)
	server := socks5.NewServer(
		socks5.WithCredential(socks5.StaticCredentials{"ana": "hunter2"}),
		socks5.WithDial(func(ctx context.Context, _, address string) (net.Conn, error) { return out.dial(ctx, address) }),
		socks5.WithLogger(silent{}),
	)
	go func() { _ = server.Serve(listener) }()
	var logged bytes.Buffer
	through := func(password string) func(*scanner.Config) {
		p, err := scanner.ParseProxy("socks5://ana@"+listener.Addr().String(), password)
		if err != nil {
			t.Fatal(err)
		}
		return func(c *scanner.Config) {
			c.Proxy = p
			c.Log = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
	}
	wrong := b.scanner(through("hunter3"), func(c *scanner.Config) { c.ConnectTimeout = time.Second })
	if _, err := wrong.Login(t.Context(), b.prompts(phone, "")); !errors.Is(err, scanner.ErrUnreachable) || strings.Contains(err.Error(), "hunter3") || !strings.Contains(err.Error(), listener.Addr().String()) {
		t.Errorf("with a wrong password: %v", err)
	}
	if n := len(b.dc.Clients()); n != 0 {
		t.Errorf("%d connections came beside the proxy that refused", n)
	}
	b.watchThrough(through("hunter2"), out, "SOCKS5 proxy "+listener.Addr().String())
	if s := logged.String(); s == "" || strings.Contains(s, "hunter") {
		t.Errorf("the log is empty or shows a password:\n%s", s)
	}
}

// watchThrough signs in, watches, and has the connection made anew, all through
// a proxy, and reads in the evidence which way it came.
func (b *bench) watchThrough(through func(*scanner.Config), out *outgoing, egress string) {
	b.t.Helper()
	secret := b.opener()
	s := b.scanner(through)
	if _, err := s.Login(b.t.Context(), b.prompts(phone, "")); err != nil {
		b.t.Fatal(err)
	}
	source, err := s.Resolve(b.t.Context(), "@leaks")
	if err != nil {
		b.t.Fatal(err)
	}
	if source, err = s.Join(b.t.Context(), source, evidence.Authorisation{ID: "A-0001", Method: "channels.joinChannel", Source: source.ID}); err != nil {
		b.t.Fatal(err)
	}
	source.AddedAt, source.AddedBy = time.Now(), "analyst:test"
	if err := b.db.AddSource(b.t.Context(), source); err != nil {
		b.t.Fatal(err)
	}
	stop := b.watch(s, source)
	b.wait(scanner.Watching, 1)
	b.dc.DropConnections()
	if _, err := b.dc.Post("leaks", post(b.t, 10)); err != nil {
		b.t.Fatal(err)
	}
	b.until("a post after the connection broke", func() bool { return len(b.ids(source)) == 3 })
	_ = stop()
	b.onlyThrough(0, out)
	e, sealed := b.opened(secret, source, int(slices.Max(b.ids(source))))
	if e.Collection.Egress != egress || !bytes.Contains(sealed["record.full.json"], []byte(`"egress_ip_or_proxy":"`+egress+`"`)) {
		b.t.Errorf("the evidence says that it came by %q, want %q; the full record: %s", e.Collection.Egress, egress, sealed["record.full.json"])
	}
}

func TestMTProxyIsTheOnlyWay(t *testing.T) {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw)
	for name, secret := range map[string]string{
		"plain": hex.EncodeToString(raw), "dd": "dd" + hex.EncodeToString(raw),
		"ee": "ee" + hex.EncodeToString(append(slices.Clone(raw), "www.example.com"...)),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			m := &mtproxy{t: t, secret: raw, tls: name == "ee", dcs: map[int]string{}}
			for _, dc := range b.dc.DCs() {
				m.dcs[dc.ID] = dc.Addr
			}
			listener := listen(t)
			m.serve(listener)
			p, err := scanner.ParseProxy("mtproxy://"+listener.Addr().String(), secret)
			if err != nil {
				t.Fatal(err)
			}
			b.watchThrough(func(c *scanner.Config) { c.Proxy = p }, &m.out, "MTProxy "+listener.Addr().String())
		})
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

type silent struct{}

func (silent) Errorf(string, ...any) {}

// An mtproxy takes connections as Telegram's proxies do: the header of 64 bytes
// under the secret names transport and data centre; behind a pretended TLS
// handshake where it has one (core.telegram.org/mtproto/mtproto-transports).
type mtproxy struct {
	t      *testing.T
	secret []byte
	tls    bool
	dcs    map[int]string
	out    outgoing
}

func (m *mtproxy) serve(l net.Listener) {
	var open sync.WaitGroup
	m.t.Cleanup(func() { _ = l.Close(); open.Wait() })
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer func() { _ = conn.Close() }()
				if err := m.handle(conn); err != nil && m.t.Context().Err() == nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
					m.t.Log("mtproxy:", err)
				}
			})
		}
	})
}

func (m *mtproxy) handle(conn net.Conn) error {
	stop := context.AfterFunc(m.t.Context(), func() { _ = conn.Close() })
	defer stop()
	var stream io.ReadWriter = conn
	if m.tls {
		t := &pretended{conn: conn, r: bufio.NewReader(conn)}
		if err := t.accept(m.secret); err != nil {
			return err
		}
		stream = t
	}
	plain, meta, err := obfuscated2.Accept(stream, m.secret)
	if err != nil {
		return err
	}
	dc := int(int16(meta.DC)) //nolint:gosec // negative for media
	address := m.dcs[max(dc, -dc)]
	if address == "" {
		return fmt.Errorf("no data centre %d: the secret is another", dc)
	}
	to, err := m.out.dial(m.t.Context(), address)
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }()
	tag := meta.Protocol[:]
	if tag[0] == 0xef {
		tag = tag[:1]
	}
	if _, err := to.Write(tag); err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { _, err := io.Copy(to, plain); _ = to.Close(); ended <- err }()
	go func() { _, err := io.Copy(plain, to); _ = conn.Close(); ended <- err }()
	return errors.Join(<-ended, <-ended)
}

// pretended speaks the server's side of the pretended TLS of ee secrets: a
// ClientHello whose random is a digest under the secret, a ServerHello whose
// random answers it, then application records.
type pretended struct {
	conn net.Conn
	r    *bufio.Reader
	left int // of the record that is being read
}

func tlsRecord(kind byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{kind, 3, 3}, uint16(len(body))), body...) //nolint:gosec // short
}

func (p *pretended) accept(secret []byte) error {
	head, err := p.r.Peek(5)
	if err != nil {
		return err
	}
	hello := make([]byte, 5+int(binary.BigEndian.Uint16(head[3:])))
	if _, err := io.ReadFull(p.r, hello); err != nil {
		return err
	}
	random := bytes.Clone(hello[11:43])
	clear(hello[11:43])
	mac := hmac.New(sha256.New, secret)
	mac.Write(hello)
	if digest := mac.Sum(nil); hello[0] != 0x16 || !bytes.Equal(digest[:28], random[:28]) {
		return errors.New("the ClientHello is not under the secret")
	}
	body := append([]byte{2, 0, 0, 70, 3, 3}, make([]byte, 68)...) // ServerHello with an empty random
	certificate := make([]byte, 1024)
	_, _ = rand.Read(certificate)
	answer := slices.Concat(tlsRecord(0x16, body), tlsRecord(0x14, []byte{1}), tlsRecord(0x17, certificate))
	mac = hmac.New(sha256.New, secret)
	mac.Write(random)
	mac.Write(answer)
	copy(answer[11:43], mac.Sum(nil))
	_, err = p.conn.Write(answer)
	return err
}

func (p *pretended) Read(b []byte) (int, error) {
	for p.left == 0 {
		var head [5]byte
		if _, err := io.ReadFull(p.r, head[:]); err != nil {
			return 0, err
		}
		n := int(binary.BigEndian.Uint16(head[3:]))
		if head[0] != 0x17 { // a change of cipher that changes nothing
			if _, err := p.r.Discard(n); err != nil {
				return 0, err
			}
			continue
		}
		p.left = n
	}
	n, err := p.r.Read(b[:min(len(b), p.left)])
	p.left -= n
	return n, err
}

func (p *pretended) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		part := rest[:min(len(rest), 16<<10)]
		if _, err := p.conn.Write(tlsRecord(0x17, part)); err != nil {
			return 0, err
		}
		rest = rest[len(part):]
	}
	return len(b), nil
}
