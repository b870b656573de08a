package scanner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/gotd/td/bin"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// reads are the methods that change nothing at Telegram. They may be repeated.
//
//nolint:gochecknoglobals // a constant list
var reads = []string{
	"channels.getChannelRecommendations", "channels.getChannels", "channels.getFullChannel", "channels.getMessages", "channels.searchPosts", "contacts.resolveUsername", "contacts.search",
	"help.getConfig", "help.getNearestDc", "help.getCdnConfig", "messages.getHistory", "messages.getMessages", "messages.getPeerDialogs",
	"updates.getChannelDifference", "updates.getDifference", "updates.getState", "upload.getFile", "users.getFullUser", "users.getUsers",
	"ping", "ping_delay_disconnect",
}

// signIns are the methods of a sign-in, and of carrying it to another data
// centre. They are not repeated by themselves.
//
//nolint:gochecknoglobals // a constant list
var signIns = []string{
	"account.getPassword", "auth.checkPassword", "auth.exportAuthorization", "auth.exportLoginToken", "auth.importAuthorization",
	"auth.importLoginToken", "auth.sendCode", "auth.signIn",
}

// writes are the methods that an authorisation may name. A wait that Telegram asks
// for says that nothing was written; only then are they repeated.
//
//nolint:gochecknoglobals // a constant list
var writes = []string{"channels.joinChannel", "messages.sendMessage"}

// retries is how often a call is repeated that a connection or a server failed:
// ever more seldom, for some five minutes if each fails at once.
const retries = 19

// A guard stands before every call: it refuses what is not on the lists, counts,
// waits where Telegram asks to, and repeats reads that a broken connection lost.
type guard struct {
	account string
	pace    Pace
	events  func(Event)

	mu    sync.Mutex
	calls map[string]int
	waits map[string]evidence.Wait // by method
}

func newGuard(account string, pace Pace, known []evidence.Wait, events func(Event)) *guard {
	g := &guard{account: account, pace: pace, events: events, calls: map[string]int{}, waits: map[string]evidence.Wait{}}
	for _, w := range known {
		g.waits[w.Method] = w
	}
	return g
}

type authorisedKey struct{}

// An exception lets one call through: its method, its source, and its text.
type exception struct {
	evidence.Authorisation
	text evidence.Text
}

// authorised lets one method through for one source, and of messages only the
// one with this text.
func authorised(ctx context.Context, a evidence.Authorisation, text evidence.Text) context.Context {
	return context.WithValue(ctx, authorisedKey{}, exception{a, text})
}

// allowed reports whether a call may be made, and whether it may be repeated.
func allowed(ctx context.Context, method string, call bin.Encoder) (ok, repeatable bool) {
	switch {
	case slices.Contains(reads, method):
		return true, true
	case slices.Contains(signIns, method):
		return true, false
	}
	a, named := ctx.Value(authorisedKey{}).(exception)
	if !named || a.ID == "" || a.Method != method {
		return false, false
	}
	switch c := call.(type) {
	case *tg.ChannelsJoinChannelRequest:
		channel, ok := c.Channel.(*tg.InputChannel)
		return ok && slices.Contains([]string{sourceID(evidence.Channel, channel.ChannelID), sourceID(evidence.Group, channel.ChannelID)}, a.Source), false
	case *tg.MessagesSendMessageRequest:
		peer, ok := c.Peer.(*tg.InputPeerUser)
		bare := tg.MessagesSendMessageRequest{Peer: c.Peer, Message: c.Message, RandomID: c.RandomID} // no entity, reply or schedule
		return ok && sourceID(evidence.Bot, peer.UserID) == a.Source && a.text != "" && c.Message == a.text.Reveal() && reflect.DeepEqual(*c, bare), false
	}
	return false, false
}

// Handle implements telegram.Middleware.
func (g *guard) Handle(next tg.Invoker) telegram.InvokeFunc {
	return func(ctx context.Context, input bin.Encoder, output bin.Decoder) error {
		method := ""
		if named, ok := input.(interface{ TypeName() string }); ok {
			method = named.TypeName()
		} else {
			method = fmt.Sprintf("%T", input)
		}
		ok, repeatable := allowed(ctx, method, input)
		if !ok {
			return unsent{fmt.Errorf("%s: %w", method, ErrNotAllowed)}
		}
		if slices.Contains(writes, method) {
			return g.write(ctx, method, input, func(input bin.Encoder) error { return next.Invoke(ctx, input, output) })
		}
		if !repeatable {
			return g.invoke(ctx, method, func() error { return next.Invoke(ctx, input, output) })
		}
		// A connection that breaks under a call fails the call, though the client
		// connects again by itself. Tries are counted, and not the time: a call that
		// waited for a limit or for a network has not been tried meanwhile.
		b := backoff.WithContext(backoff.WithMaxRetries(backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxElapsedTime(0)), retries), ctx)
		err := backoff.Retry(func() error {
			err := g.invoke(ctx, method, func() error { return next.Invoke(ctx, input, decoding{output}) })
			if err != nil && !transient(err) {
				return backoff.Permanent(err)
			}
			return err
		}, b)
		if ctx.Err() != nil && err != nil {
			return context.Cause(ctx)
		}
		return err
	}
}

// write makes a call that writes. Its error is unsent where each time that it went
// out Telegram refused it: what went out and was not answered may have been done,
// and the library sends that again by itself.
func (g *guard) write(ctx context.Context, method string, input bin.Encoder, call func(bin.Encoder) error) error {
	out, refused := &counting{Encoder: input}, 0
	err := g.invoke(ctx, method, func() error {
		err := call(out)
		if rpc, ok := tgerr.As(err); ok && rpc.Code >= 300 && rpc.Code < 500 && rpc.Type != "RANDOM_ID_DUPLICATE" { // that says it was sent before
			refused++
		}
		return err
	})
	if err != nil && out.times == refused {
		return unsent{err}
	}
	return err
}

// counting counts how often a call goes out.
type counting struct {
	bin.Encoder
	times int
}

// Encode implements bin.Encoder.
func (c *counting) Encode(b *bin.Buffer) error {
	c.times++
	return c.Encoder.Encode(b)
}

// unsent is an error that is ErrUnsent, and says what it said before.
type unsent struct{ error }

// Unwrap is for errors.Is and errors.As.
func (u unsent) Unwrap() []error { return []error{u.error, ErrUnsent} }

// transient reports whether a call may work when it is repeated: the connection
// broke, making one where Telegram sent the client took too long, or the server had
// a fault of its own.
func transient(err error) bool {
	if isUnreadable(err) || errors.Is(err, ErrFloodWait) || errors.Is(err, context.Canceled) {
		return false
	}
	if rpc, ok := tgerr.As(err); ok {
		return rpc.Code >= 500 || rpc.Code < 0
	}
	return true
}

func (g *guard) counts() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.calls)
}
