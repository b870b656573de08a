package scanner

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/gotd/td/mtproxy"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/transport"
	"golang.org/x/net/proxy"

	"prahari/evidence"
)

// Schemes of a Proxy.
const (
	schemeSOCKS5  = "socks5"
	schemeMTProxy = "mtproxy"
)

// A Proxy stands between this machine and Telegram: every connection goes through
// it, and none beside it.
type Proxy struct {
	scheme  string
	address string // host:port
	user    string
	secret  evidence.Text // a password, or an MTProxy's secret; prints as a length
}

// errSecretInLink says that a secret stands where everybody reads it.
var errSecretInLink = errors.New("it holds a password or a secret, which belongs into a file or the environment")

// ParseProxy reads socks5://user@host:port, mtproxy://host:port and Telegram's
// own links to an MTProxy. The secret comes beside it: the password, or an
// MTProxy's secret in hex or base64, of 16 bytes or with a prefix dd or ee. What
// it reports shows neither.
func ParseProxy(link, secret string) (Proxy, error) {
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil { // whose text has the link in it
		return Proxy{}, errors.New("a proxy is socks5://user@host:port, mtproxy://host:port or tg://proxy?server=host&port=port")
	}
	p := Proxy{scheme: u.Scheme, address: u.Host, secret: evidence.Text(strings.TrimSpace(secret))}
	q := u.Query()
	if host := strings.ToLower(u.Hostname()); u.Scheme == "tg" && host == "proxy" || u.Scheme == "https" && (host == "t.me" || host == "telegram.me") && strings.Trim(u.Path, "/") == "proxy" {
		p.scheme, p.address = schemeMTProxy, net.JoinHostPort(q.Get("server"), q.Get("port"))
	}
	_, inUser := u.User.Password()
	host, port, err := net.SplitHostPort(p.address)
	n, bad := strconv.ParseUint(port, 10, 16)
	switch {
	case inUser, q.Has("secret"), q.Has("pass"):
		return Proxy{}, errSecretInLink
	case p.scheme != schemeSOCKS5 && p.scheme != schemeMTProxy:
		return Proxy{}, fmt.Errorf("there is no proxy of the kind %q: socks5 and mtproxy are known", evidence.Caption(u.Scheme, 20))
	case err != nil || bad != nil || host == "" || n == 0, evidence.OneLine(host, 253) != host:
		return Proxy{}, fmt.Errorf("%q is not host:port", evidence.Caption(p.address, 80))
	}
	if p.scheme == schemeSOCKS5 {
		if p.user = u.User.Username(); p.user == "" && p.secret != "" {
			return Proxy{}, errors.New("there is a password and no user: write socks5://user@host:port")
		}
		return p, nil
	}
	if _, err := p.mtproxySecret(); err != nil {
		return Proxy{}, err
	}
	return p, nil
}

// String names the proxy without its secret.
func (p Proxy) String() string {
	if p.address == "" {
		return ""
	}
	return p.scheme + "://" + p.address
}

// Egress is what evidence says of the way to Telegram: the kind of proxy and where
// it is, without user or secret.
func (p Proxy) Egress() string {
	host, port, err := net.SplitHostPort(p.address)
	if err != nil { // none
		return "direct connection, address not recorded"
	}
	if _, err := netip.ParseAddr(host); err != nil {
		host = evidence.Sweep(host) // a name may be made of somebody's number
	}
	kind := "SOCKS5 proxy "
	if p.scheme == schemeMTProxy {
		kind = "MTProxy "
	}
	return kind + net.JoinHostPort(host, port)
}

// mtproxySecret decodes the secret as people pass it on.
func (p Proxy) mtproxySecret() ([]byte, error) {
	text := p.secret.Reveal()
	raw, err := hex.DecodeString(text)
	if err != nil {
		text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
		raw, err = base64.RawURLEncoding.DecodeString(text)
	}
	if err == nil {
		_, err = mtproxy.ParseSecret(raw)
	}
	if err != nil { // whose text has the secret in it
		return nil, errors.New("the MTProxy's secret is neither hex nor base64 of 16 bytes, with dd or ee before them: copy it from the link that came with the proxy")
	}
	return raw, nil
}

// resolver reaches data centres through the proxy, or directly without one.
func (p Proxy) resolver() (dcs.Resolver, error) {
	direct := dcs.PlainOptions{Protocol: transport.Intermediate}
	switch p.scheme {
	case schemeMTProxy:
		secret, err := p.mtproxySecret()
		if err != nil {
			return nil, err
		}
		return dcs.MTProxy(p.address, secret, dcs.MTProxyOptions{})
	case schemeSOCKS5:
		var auth *proxy.Auth
		if p.user != "" {
			auth = &proxy.Auth{User: p.user, Password: p.secret.Reveal()}
		}
		dialer, err := proxy.SOCKS5("tcp", p.address, auth, &net.Dialer{})
		if err != nil {
			return nil, fmt.Errorf("proxy %s: %w", p, err)
		}
		through, ok := dialer.(proxy.ContextDialer)
		if !ok {
			return nil, fmt.Errorf("proxy %s cannot be given up while it dials", p)
		}
		direct.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := through.DialContext(ctx, network, address)
			if err != nil {
				return nil, fmt.Errorf("proxy %s: %w", p, err)
			}
			return conn, nil
		}
	}
	return dcs.Plain(direct), nil
}
