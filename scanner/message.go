package scanner

import (
	"fmt"
	"strings"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tdp"
	"github.com/gotd/td/tg"

	"prahari/evidence"
)

// convert makes a message of what Telegram sent and shows as text.
func convert(source evidence.Source, t *tg.Message, text string, origin evidence.Origin, request string, now time.Time) evidence.Message {
	m := evidence.Message{
		Source: source, ID: int64(t.ID), Date: time.Unix(int64(t.Date), 0).UTC(), Text: evidence.Text(text),
		Origin: origin, CapturedAt: now.UTC(), Request: request, Raw: func() ([]evidence.Raw, error) { return raw(t) },
		Media: media(t), Context: around(t),
	}
	if t.EditDate != 0 && !t.EditHide {
		m.EditedAt = time.Unix(int64(t.EditDate), 0).UTC()
	}
	return m
}

// raw gives the message as Telegram encodes it, and as a person can read it.
func raw(t *tg.Message) ([]evidence.Raw, error) {
	var b bin.Buffer
	if err := t.Encode(&b); err != nil {
		return nil, err
	}
	return []evidence.Raw{{Name: "raw.tl", Data: b.Buf}, {Name: "raw.txt", Data: []byte(tdp.Format(t, tdp.WithTypeID))}}, nil
}

// shown gathers all that a reader of the message is shown or led to: text or
// caption, link targets, buttons, polls, previews, contacts, file names.
func shown(t *tg.Message) string {
	if len(t.Entities) == 0 && t.Media == nil && t.ReplyMarkup == nil {
		return t.Message
	}
	var out strings.Builder
	add := func(parts ...string) {
		for _, p := range parts {
			if p = strings.TrimSpace(p); p == "" {
				continue
			}
			if out.Len() > 0 {
				out.WriteByte('\n')
			}
			out.WriteString(p)
		}
	}
	out.WriteString(t.Message)
	for _, e := range t.Entities {
		if link, ok := e.(*tg.MessageEntityTextURL); ok {
			add(link.URL)
		}
	}
	switch m := t.Media.(type) {
	case *tg.MessageMediaContact:
		add("Name: "+strings.TrimSpace(m.FirstName+" "+m.LastName), "Phone: "+m.PhoneNumber, m.Vcard)
	case *tg.MessageMediaPoll:
		add(m.Poll.Question.Text)
		for _, answer := range m.Poll.Answers {
			if a, ok := answer.(*tg.PollAnswer); ok {
				add(a.Text.Text)
			}
		}
	case *tg.MessageMediaWebPage:
		if page, ok := m.Webpage.(*tg.WebPage); ok {
			add(page.URL, page.Title, page.Description)
		}
	case *tg.MessageMediaVenue:
		add(m.Title, m.Address)
	case *tg.MessageMediaDocument:
		if d, ok := m.Document.(*tg.Document); ok {
			add(fileName(d))
		}
	}
	if markup, ok := t.ReplyMarkup.(*tg.ReplyInlineMarkup); ok {
		for _, row := range markup.Rows {
			for _, b := range row.Buttons {
				add(b.GetText())
				if link, ok := b.(*tg.KeyboardButtonURL); ok {
					add(link.URL)
				}
			}
		}
	}
	return out.String()
}

func fileName(d *tg.Document) string {
	for _, a := range d.Attributes {
		if name, ok := a.(*tg.DocumentAttributeFilename); ok {
			return name.FileName
		}
	}
	return ""
}

func media(t *tg.Message) []evidence.Media {
	switch m := t.Media.(type) {
	case *tg.MessageMediaDocument:
		if d, ok := m.Document.(*tg.Document); ok {
			return []evidence.Media{{ID: fmt.Sprint(d.ID), MIME: evidence.Caption(d.MimeType, 80), Size: d.Size}}
		}
	case *tg.MessageMediaPhoto:
		if p, ok := m.Photo.(*tg.Photo); ok {
			return []evidence.Media{{ID: fmt.Sprint(p.ID), MIME: "image/jpeg"}}
		}
	}
	return nil
}

func around(t *tg.Message) evidence.Context {
	c := evidence.Context{
		FromID: peerID(t.FromID), GroupedID: t.GroupedID, ViaBotID: t.ViaBotID, PostAuthor: evidence.Caption(t.PostAuthor, 60),
		Views: t.Views, Forwards: t.Forwards, Outgoing: t.Out,
	}
	if t.FromID == nil {
		c.FromID = peerID(t.PeerID)
	}
	if from, ok := t.GetFwdFrom(); ok {
		c.ForwardFrom = peerID(from.FromID)
	}
	if reply, ok := t.ReplyTo.(*tg.MessageReplyHeader); ok {
		c.ReplyTo = int64(reply.ReplyToMsgID)
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
