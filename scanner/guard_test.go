package scanner

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// Nothing is written to Telegram but what an authorisation names: its method, its
// source, and of messages the canary's text alone.
func TestGuardLetsOnlyTheAuthorisedCallThrough(t *testing.T) {
	bot := &tg.InputPeerUser{UserID: 7}
	send := func(peer tg.InputPeerClass, text string) *tg.MessagesSendMessageRequest {
		return &tg.MessagesSendMessageRequest{Peer: peer, Message: text}
	}
	join := &tg.ChannelsJoinChannelRequest{Channel: &tg.InputChannel{ChannelID: 9}}
	probe := evidence.Authorisation{ID: "A-0001", Method: "messages.sendMessage", Source: "bot-7"}
	joining := evidence.Authorisation{ID: "A-0002", Method: "channels.joinChannel", Source: "channel-9"}
	for name, tc := range map[string]struct {
		a    evidence.Authorisation
		text evidence.Text
		call interface {
			bin.Encoder
			TypeName() string
		}
		ok bool
	}{
		"the canary to its bot":           {probe, "9812345678", send(bot, "9812345678"), true},
		"another text":                    {probe, "9812345678", send(bot, "hello"), false},
		"the canary and more":             {probe, "9812345678", send(bot, "9812345678 please"), false},
		"the canary with a hidden link":   {probe, "9812345678", &tg.MessagesSendMessageRequest{Peer: bot, Message: "9812345678", Entities: []tg.MessageEntityClass{&tg.MessageEntityTextURL{Length: 3, URL: "https://x.invalid"}}}, false},
		"no text":                         {probe, "", send(bot, ""), false},
		"another bot":                     {probe, "9812345678", send(&tg.InputPeerUser{UserID: 8}, "9812345678"), false},
		"a channel":                       {probe, "9812345678", send(&tg.InputPeerChannel{ChannelID: 7}, "9812345678"), false},
		"with a right to join":            {joining, "9812345678", send(bot, "9812345678"), false},
		"joining":                         {joining, "", join, true},
		"joining with a right to probe":   {probe, "", join, false},
		"joining another":                 {joining, "", &tg.ChannelsJoinChannelRequest{Channel: &tg.InputChannel{ChannelID: 10}}, false},
		"forwarding with a right to send": {probe, "9812345678", &tg.MessagesForwardMessagesRequest{}, false},
		"without an id":                   {evidence.Authorisation{Method: "messages.sendMessage", Source: "bot-7"}, "1", send(bot, "1"), false},
	} {
		if ok, repeatable := allowed(authorised(context.Background(), tc.a, tc.text), tc.call.TypeName(), tc.call); ok != tc.ok || repeatable {
			t.Errorf("%s: allowed %v, repeatable %v", name, ok, repeatable)
		}
		if ok, _ := allowed(context.Background(), tc.call.TypeName(), tc.call); ok {
			t.Errorf("%s: allowed without an authorisation", name)
		}
	}
}

// A named call is one of any method.
type named string

func (named) Encode(*bin.Buffer) error { return nil }
func (n named) TypeName() string       { return string(n) }

// Whatever the method, the wait that Telegram asks for is kept to the second and
// told of, and the call is made again, once.
func TestEveryMethodIsPutOff(t *testing.T) {
	joining := evidence.Authorisation{ID: "A-0002", Method: "channels.joinChannel", Source: "channel-9"}
	probing := evidence.Authorisation{ID: "A-0001", Method: "messages.sendMessage", Source: "bot-7"}
	calls := map[string]func(ctx context.Context) (context.Context, bin.Encoder){
		"channels.joinChannel": func(ctx context.Context) (context.Context, bin.Encoder) {
			return authorised(ctx, joining, ""), &tg.ChannelsJoinChannelRequest{Channel: &tg.InputChannel{ChannelID: 9}}
		},
		"messages.sendMessage": func(ctx context.Context) (context.Context, bin.Encoder) {
			return authorised(ctx, probing, "9812345678"), &tg.MessagesSendMessageRequest{Peer: &tg.InputPeerUser{UserID: 7}, Message: "9812345678"}
		},
	}
	for _, method := range slices.Concat(reads, signIns) {
		calls[method] = func(ctx context.Context) (context.Context, bin.Encoder) { return ctx, named(method) }
	}
	for _, method := range writes {
		if calls[method] == nil {
			t.Errorf("%s is not tested", method)
		}
	}
	for method, call := range calls {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pace, err := newPace(0, nil, 0)
				if err != nil {
					t.Fatal(err)
				}
				var told []Event
				g := newGuard("main", pace, nil, func(e Event) { told = append(told, e) })
				tries := 0
				server := telegram.InvokeFunc(func(context.Context, bin.Encoder, bin.Decoder) error {
					if tries++; tries == 1 {
						return tgerr.New(420, "FLOOD_WAIT_97")
					}
					return nil
				})
				began := time.Now()
				ctx, input := call(t.Context())
				if err := g.Handle(server)(ctx, input, nil); err != nil || tries != 2 || time.Since(began) != 97*time.Second {
					t.Errorf("%d tries in %s, %v", tries, time.Since(began), err)
				}
				if len(told) != 1 || told[0].Kind != Waiting || told[0].Method != method || told[0].Wait != 97*time.Second {
					t.Errorf("told of %+v", told)
				}
			})
		})
	}
}

// Attempts to connect come ever more seldom, never in step, and never end.
func TestReconnectingBacksOffWithJitter(t *testing.T) {
	longest := time.Duration(0)
	b, other := reconnecting(), reconnecting()
	same := 0
	for n := range 200 {
		d := b.NextBackOff()
		if d == other.NextBackOff() {
			same++
		}
		most := time.Minute * 3 / 2
		if n == 0 {
			most = 300 * time.Millisecond
		}
		if d <= 0 || d > most {
			t.Fatalf("attempt %d comes after %s", n+1, d)
		}
		longest = max(longest, d)
	}
	if longest < 30*time.Second || same > 100 {
		t.Errorf("the longest wait is %s, %d of 200 are in step", longest, same)
	}
}
