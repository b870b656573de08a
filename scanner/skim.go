package scanner

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tg"

	"prahari/evidence"
)

// A skim is a page of a history that is decoded no further than it must be.
// Nearly all messages of a history hold nothing, and making a tg.Message of each
// (some 800 bytes, 40 fields) to look at its text took more time than matching: of
// a message that shows nothing but its text, only id and text are read here, in
// one copy of the page, and the rest once something is found in it.
type skim struct {
	glances []glance // newest first
	chats   []tg.ChatClass
}

// A glance is a message as far as it was looked at.
type glance struct {
	id    int
	text  string
	raw   string          // as Telegram encoded it
	class tg.MessageClass // of one that may show more than its text: decoded; then text and raw are empty
}

// Decode implements bin.Decoder for the answer to messages.getHistory.
func (s *skim) Decode(b *bin.Buffer) error {
	*s = skim{} // a call may be repeated
	if id, err := b.PeekID(); err == nil && id == tg.MessagesChannelMessagesTypeID {
		return s.channel(b)
	}
	var box tg.MessagesMessagesBox
	if err := box.Decode(b); err != nil {
		return err
	}
	answer, ok := box.Messages.AsModified()
	if !ok {
		return fmt.Errorf("messages.getHistory answered %T, which this build does not know", box.Messages)
	}
	for _, class := range answer.GetMessages() {
		s.glances = append(s.glances, glance{id: class.GetID(), class: class})
	}
	s.chats = answer.GetChats()
	return nil
}

// channel reads messages.channelMessages but for the users at its end, whom
// nobody asks for.
func (s *skim) channel(b *bin.Buffer) error {
	page := string(b.Buf)
	s.glances = make([]glance, 0, pageSize)
	var head struct{ id, flags, pts, count, offset uint32 }
	fields := []*uint32{&head.id, &head.flags, &head.pts, &head.count}
	for _, f := range fields {
		if err := word(b, f); err != nil {
			return fmt.Errorf("decoding messages.channelMessages: %w", err)
		}
	}
	if head.flags&(1<<2) != 0 {
		if err := word(b, &head.offset); err != nil {
			return fmt.Errorf("decoding messages.channelMessages: %w", err)
		}
	}
	err := vector(b, func() error {
		at := len(page) - b.Len()
		if g, n, ok := plainMessage(b.Buf, page[at:]); ok {
			s.glances = append(s.glances, g)
			b.Skip(n)
			return nil
		}
		class, err := tg.DecodeMessage(b)
		if err == nil {
			s.glances = append(s.glances, glance{id: class.GetID(), class: class})
		}
		return err
	})
	if err == nil {
		err = vector(b, func() error { _, err := tg.DecodeForumTopic(b); return err })
	}
	if err == nil {
		err = vector(b, func() error {
			chat, err := tg.DecodeChat(b)
			s.chats = append(s.chats, chat)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("decoding messages.channelMessages: %w", err)
	}
	return nil
}

func word(b *bin.Buffer, into *uint32) (err error) {
	*into, err = b.Uint32()
	return err
}

func vector(b *bin.Buffer, each func() error) error {
	n, err := b.VectorHeader()
	for i := 0; err == nil && i < n; i++ {
		err = each()
	}
	return err
}

// Flags of a message (message#…, layer 227) that come with no field, or with one
// of a fixed size that shows no text. Any other flag has the library decode it.
const (
	bareFlags  = 1<<1 | 1<<4 | 1<<5 | 1<<13 | 1<<14 | 1<<18 | 1<<19 | 1<<21 | 1<<24 | 1<<26 | 1<<27
	hasFrom    = 1 << 8
	hasViews   = 1 << 10 // views and forwards
	hasViaBot  = 1 << 11
	hasEdited  = 1 << 15
	hasAlbum   = 1 << 17
	hasSaved   = 1 << 28
	hasBoosts  = 1 << 29
	plainFlags = bareFlags | hasFrom | hasViews | hasViaBot | hasEdited | hasAlbum | hasSaved | hasBoosts
	bareFlags2 = 1<<1 | 1<<4 | 1<<8 | 1<<9
)

// plainMessage reads a message that shows nothing but its text, and how many
// bytes it takes; ok is false for every other, and for what is cut short. page is
// what b holds, as a string.
func plainMessage(b []byte, page string) (g glance, n int, ok bool) {
	const head = 4 * bin.Word // constructor, both flags, id
	if len(b) < head || binary.LittleEndian.Uint32(b) != tg.MessageTypeID {
		return g, 0, false
	}
	flags, flags2 := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	if flags&^uint32(plainFlags) != 0 || flags2&^uint32(bareFlags2) != 0 {
		return g, 0, false
	}
	g.id, n = int(int32(binary.LittleEndian.Uint32(b[12:]))), head //nolint:gosec // the sign is the id's
	// A peer is its constructor and a long.
	peer := func() bool {
		if len(b)-n < 12 {
			return false
		}
		switch binary.LittleEndian.Uint32(b[n:]) {
		case tg.PeerUserTypeID, tg.PeerChatTypeID, tg.PeerChannelTypeID:
			n += 12
			return true
		}
		return false
	}
	if flags&hasFrom != 0 && !peer() {
		return g, 0, false
	}
	if flags&hasBoosts != 0 {
		n += 4
	}
	if !peer() || flags&hasSaved != 0 && !peer() {
		return g, 0, false
	}
	if flags&hasViaBot != 0 {
		n += 8
	}
	n += 4 // date
	if len(b)-n < 4 {
		return g, 0, false
	}
	// A string is one byte of length, or 254 and three; then padding to words.
	from, length := n+1, int(b[n])
	switch length {
	case 254:
		from, length = n+4, int(b[n+1])|int(b[n+2])<<8|int(b[n+3])<<16
	case 255:
		return g, 0, false
	}
	n = (from + length + 3) &^ 3
	for _, field := range []struct {
		flag uint32
		size int
	}{{hasViews, 8}, {hasEdited, 4}, {hasAlbum, 8}} {
		if flags&field.flag != 0 {
			n += field.size
		}
	}
	if n > len(b) {
		return g, 0, false
	}
	g.text, g.raw = page[from:from+length], page[:n]
	return g, n, true
}

// decode makes the message of a glance.
func (g *glance) decode() (tg.MessageClass, error) {
	if g.class != nil {
		return g.class, nil
	}
	return tg.DecodeMessage(&bin.Buffer{Buf: []byte(g.raw)})
}

// sane reports whether a page goes from the newest to the oldest and holds
// nothing but what was asked for.
func (s *skim) sane(asked evidence.Range) bool {
	last := int(min(asked.Hi, math.MaxInt32)) + 1
	for i := range s.glances {
		if id := s.glances[i].id; id >= last || int64(id) < max(asked.Lo, 1) {
			return false
		}
		last = s.glances[i].id
	}
	return true
}

// skim reads the newest page of a missing range, to be looked over.
func (r *run) skim(ctx context.Context, w *watched, left evidence.Range) (s skim, request string, err error) {
	offset := left.Hi + 1
	if offset > math.MaxInt32 { // beyond the last id that there can be
		offset = 0
	}
	req := &tg.MessagesGetHistoryRequest{Peer: w.peer(), OffsetID: int(offset), MinID: int(left.Lo - 1), Limit: pageSize}
	if err := r.invoker.Invoke(ctx, req, &s); err != nil {
		return s, "", err
	}
	r.names.learn(s.chats)
	return s, requestOf(offset, left.Lo-1, pageSize), nil
}

// worth decodes those messages of a page that have to be examined: in which
// something is found, or which may show more than their text. The others are
// looked at with it.
func (r *run) worth(s skim, kind evidence.SourceKind) ([]tg.MessageClass, error) {
	out := []tg.MessageClass{}
	for i := range s.glances {
		g := &s.glances[i]
		if g.class == nil {
			if result := r.scanner.config.Finder.Find(g.text, kind); len(result.Findings) == 0 {
				r.scanner.matches.Add(int64(len(result.Matches)))
				continue
			}
		}
		class, err := g.decode()
		if err != nil {
			return nil, fmt.Errorf("decoding message %d: %w", g.id, err)
		}
		out = append(out, class)
	}
	looked := int64(len(s.glances) - len(out))
	r.scanner.meter.count(func(s *Stats) { s.Messages[evidence.Backfill] += looked })
	return out, nil
}
