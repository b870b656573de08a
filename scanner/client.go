package scanner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/gotd/log"
	"github.com/gotd/log/logslog"
	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// eventSink calls one function from many goroutines, one at a time.
type eventSink struct {
	mu sync.Mutex
	to func(Event)
}

func (e *eventSink) send(event Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.to(event)
}

// careful passes on what the MTProto library logs, to who asked for debugging and
// without whole values: at some places it logs updates, which hold messages.
type careful struct{ slog.Handler }

func (c careful) Enabled(ctx context.Context, _ slog.Level) bool {
	return c.Handler.Enabled(ctx, slog.LevelDebug)
}

func (c careful) WithAttrs(attrs []slog.Attr) slog.Handler {
	return careful{c.Handler.WithAttrs(attrs)}
}
func (c careful) WithGroup(name string) slog.Handler { return careful{c.Handler.WithGroup(name)} }

// libraryLog is what the MTProto library logs to: nothing, unless somebody
// debugs, for it makes attributes of every call before it asks whether to.
func (s *Scanner) libraryLog() log.Logger {
	if !s.config.Log.Enabled(context.Background(), slog.LevelDebug) {
		return log.Nop
	}
	return logslog.New(slog.New(careful{evidence.Redacted(s.config.Log.Handler())}))
}

// A link is what one connection needs beside the configuration.
type link struct {
	handler   telegram.UpdateHandler // nil: no updates are asked for
	session   session.Storage        // nil: the account's file
	reconnect func()                 // called when the connection is made anew
}

// reconnecting says how long to wait before the connection is made anew: twice as
// long after each attempt, to a minute, and half of it more or less, so that
// accounts that lost one connection together do not come back together. It does
// not give up.
func reconnecting() backoff.BackOff {
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(200*time.Millisecond), backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(0.5), backoff.WithMaxInterval(time.Minute), backoff.WithMaxElapsedTime(0))
}

func (s *Scanner) client(l link) (*telegram.Client, error) {
	c := s.config
	if l.session == nil {
		l.session = s.session()
	}
	o := telegram.Options{
		DC: c.DC, PublicKeys: s.keys, SessionStorage: l.session, UpdateHandler: l.handler, NoUpdates: l.handler == nil,
		Middlewares: []telegram.Middleware{s.guard}, Logger: s.libraryLog(), ExchangeTimeout: c.ConnectTimeout, MigrationTimeout: c.ConnectTimeout,
		Clock:  newSteady(c.Now()),
		Device: telegram.DeviceConfig{DeviceModel: "server", SystemVersion: runtime.GOOS, AppVersion: c.AppVersion, SystemLangCode: "en", LangCode: "en"},
	}
	// The library calls this for every attempt; only changes are told.
	var ever, up atomic.Bool
	o.OnConnectionState = func(state telegram.ConnectionState) {
		switch state {
		case telegram.ConnectionStateReady:
			s.events.send(Event{Kind: Connected})
			if ever.Swap(true) && l.reconnect != nil {
				l.reconnect()
			}
			up.Store(true)
		case telegram.ConnectionStateDisconnected:
			if up.Swap(false) {
				s.events.send(Event{Kind: Disconnected})
			}
		case telegram.ConnectionStateConnecting:
		}
	}
	for _, server := range c.Servers {
		host, port, err := net.SplitHostPort(server.Address)
		if err != nil {
			return nil, fmt.Errorf("data centre %d: address %q is not host:port: %w", server.DC, server.Address, err)
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("data centre %d: port %q is not a number: %w", server.DC, port, err)
		}
		o.DCList.Options = append(o.DCList.Options, tg.DCOption{ID: server.DC, IPAddress: host, Port: int(n)})
	}
	var err error
	if o.Resolver, err = c.Proxy.resolver(); err != nil {
		return nil, err
	}
	o.ReconnectionBackoff = reconnecting
	return telegram.NewClient(c.APIID, c.APIHash, o), nil
}

// through names the proxy, if there is one.
func (s *Scanner) through() string {
	if s.config.Proxy.address == "" {
		return ""
	}
	return " through " + s.config.Proxy.String()
}

// lingering is how long the client's own end is waited for, after f's. A key
// exchange heeds no end: testing its primes took five seconds on a busy machine,
// and by then a watch that was told to stop is to be gone.
const lingering = time.Second

// connected runs f once a data centre answers.
func (s *Scanner) connected(ctx context.Context, l link, f func(context.Context, *telegram.Client) error) error {
	client, err := s.client(l)
	if err != nil {
		return err
	}
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(s.config.ConnectTimeout, func() {
		cancel(fmt.Errorf("%w%s within %s: check the network, this machine's clock, which must be right to the minute, and telegram.servers and telegram.proxy in prahari.yaml where they are set", ErrUnreachable, s.through(), s.config.ConnectTimeout))
	})
	defer late.Stop()
	var inner error
	ran := false
	working := make(chan struct{}, 1) // has an element while f runs, and once it may not begin any more
	ended := make(chan error, 1)
	go func() {
		ended <- client.Run(running, func(ctx context.Context) error {
			select {
			case working <- struct{}{}:
				defer func() { <-working }()
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			ran = true
			late.Stop()
			inner = f(ctx, client)
			return inner
		})
	}()
	select {
	case err = <-ended:
	case <-ctx.Done():
		select {
		case err = <-ended:
		case <-time.After(lingering):
			working <- struct{}{} // f has returned
		}
	}
	// The client ends without an error when its context does, and ends f's context
	// when the connection is beyond repair: the reason is whichever says more.
	cause := context.Cause(running)
	switch {
	case inner != nil && !errors.Is(inner, context.Canceled):
		return s.explain(inner)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(cause, ErrUnreachable):
		return cause
	case err != nil:
		return s.explain(err)
	case !ran:
		return ErrUnreachable
	}
	return inner
}

// signedIn runs f for an account that is signed in.
func (s *Scanner) signedIn(ctx context.Context, l link, f func(context.Context, *telegram.Client, *tg.User) error) error {
	if _, err := os.Stat(s.config.SessionPath); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("account %s: %w", s.config.Account, ErrSignedOut)
	}
	return s.connected(ctx, l, func(ctx context.Context, client *telegram.Client) error {
		self, err := client.Self(ctx)
		if err != nil {
			return err
		}
		return f(ctx, client, self)
	})
}

// explain turns what Telegram says of the account into the package's errors.
func (s *Scanner) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case tgerr.Is(err, "USER_DEACTIVATED", "USER_DEACTIVATED_BAN", "SESSION_REVOKED", "PHONE_NUMBER_BANNED", "AUTH_KEY_DUPLICATED"):
		return fmt.Errorf("account %s: %w (%w)", s.config.Account, ErrBanned, err)
	case auth.IsUnauthorized(err), tgerr.Is(err, "AUTH_KEY_UNREGISTERED", "SESSION_EXPIRED", "AUTH_KEY_INVALID"):
		return fmt.Errorf("account %s: %w (%w)", s.config.Account, ErrSignedOut, err)
	}
	return err
}

// clock compares this machine's clock with the data centre's, to the second that
// it tells.
func (s *Scanner) clock(ctx context.Context, api *tg.Client) (compared, error) {
	asked, up := s.config.Now(), uptime()
	config, err := api.HelpGetConfig(ctx)
	if err != nil {
		return compared{}, fmt.Errorf("asking for the server's time: %w", err)
	}
	half := asked.Add((uptime() - up) / 2)
	return compared{evidence.Clock{
		Source: "telegram server time", OffsetMS: half.Sub(time.Unix(int64(config.Date), 0)).Truncate(time.Second).Milliseconds(),
		Checked: asked.UTC().Format(time.RFC3339),
	}, asked, up}, nil
}
