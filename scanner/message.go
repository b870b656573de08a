package scanner

import (
	"fmt"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tdp"
	"github.com/gotd/td/tg"

	"prahari/evidence"
)

// convert makes a message of what Telegram sent and shows as text.
func convert(source evidence.Source, class tg.NotEmptyMessage, text string, origin evidence.Origin, request string, now time.Time) evidence.Message {
	m := evidence.Message{
		Source: source, ID: int64(class.GetID()), Date: time.Unix(int64(class.GetDate()), 0).UTC(), Text: evidence.Text(text),
		Origin: origin, CapturedAt: now.UTC(), Request: request, Raw: func() ([]evidence.Raw, error) { return raw(class) },
		Context: around(class),
	}
	if t, ok := class.(*tg.Message); ok {
		m.Media = media(t.Media)
		if t.EditDate != 0 && !t.EditHide {
			m.EditedAt = time.Unix(int64(t.EditDate), 0).UTC()
		}
	}
	return m
}

// raw gives the message as Telegram encodes it, and as people and their programs read it.
func raw(class tg.NotEmptyMessage) ([]evidence.Raw, error) {
	object, ok := class.(interface {
		bin.Encoder
		tdp.Object
	})
	if !ok {
		return nil, fmt.Errorf("a %s cannot be encoded", class.TypeName())
	}
	var b bin.Buffer
	if err := object.Encode(&b); err != nil {
		return nil, err
	}
	readable, err := evidence.CanonicalJSON(jsonOf(object))
	if err != nil {
		return nil, err
	}
	return []evidence.Raw{{Name: "raw.tl", Data: b.Buf}, {Name: "raw.json", Data: readable}}, nil
}

// media describes the files under a message.
func media(class tg.MessageMediaClass) []evidence.Media {
	var out []evidence.Media
	for _, a := range attachments(class) {
		out = append(out, a.Media)
	}
	return out
}

// around keeps what Telegram says around a message. A message that was sent as a
// channel has that channel for its sender.
func around(class tg.NotEmptyMessage) evidence.Context {
	var c evidence.Context
	from, ok := class.GetFromID()
	if !ok {
		from = class.GetPeerID()
	}
	c.FromID, c.FromKind = peerID(from), peerKind(from)
	if header, ok := class.GetReplyTo(); ok {
		if reply, ok := header.(*tg.MessageReplyHeader); ok {
			c.ReplyTo, c.Thread, c.ReplyToPeer = int64(reply.ReplyToMsgID), int64(reply.ReplyToTopID), peerID(reply.ReplyToPeerID)
		}
	}
	t, ok := class.(*tg.Message)
	if !ok {
		return c
	}
	c.GroupedID, c.ViaBotID, c.PostAuthor = t.GroupedID, t.ViaBotID, evidence.Caption(t.PostAuthor, 60)
	c.Views, c.Forwards, c.Outgoing = t.Views, t.Forwards, t.Out
	if from, ok := t.GetFwdFrom(); ok {
		c.ForwardFrom, c.ForwardPost = peerID(from.FromID), int64(from.ChannelPost)
		c.ForwardName = evidence.Initials(from.FromName)
	}
	return c
}

func peerID(p tg.PeerClass) int64 {
	switch p := p.(type) {
	case *tg.PeerChannel:
		return p.ChannelID
	case *tg.PeerUser:
		return p.UserID
	case *tg.PeerChat:
		return p.ChatID
	}
	return 0
}

// peerKind says whose id it is: the three count apart.
func peerKind(p tg.PeerClass) string {
	switch p.(type) {
	case *tg.PeerChannel:
		return "channel"
	case *tg.PeerUser:
		return "user"
	case *tg.PeerChat:
		return "chat"
	}
	return ""
}
