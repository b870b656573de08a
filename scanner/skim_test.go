package scanner

import (
	"reflect"
	"testing"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tg"
)

// history is a page as Telegram encodes it, with messages of many shapes.
func history(t testing.TB) []byte {
	t.Helper()
	channel := &tg.PeerChannel{ChannelID: 7}
	long := make([]byte, 5000)
	for i := range long {
		long[i] = 'a' + byte(i%26)
	}
	plain := func(id int, text string, change func(*tg.Message)) *tg.Message {
		m := &tg.Message{ID: id, PeerID: channel, Date: 1_700_000_000, Message: text, Post: true}
		if change != nil {
			change(m)
		}
		return m
	}
	answer := &tg.MessagesChannelMessages{Pts: 5, Count: 20, OffsetIDOffset: 3, Messages: []tg.MessageClass{
		plain(20, "hello", nil), plain(19, "", nil), plain(18, "a", nil), plain(17, string(long[:253]), nil), plain(16, string(long[:254]), nil), plain(15, string(long), nil),
		plain(14, "नमस्ते", func(m *tg.Message) { m.SetViews(5); m.SetForwards(2); m.SetEditDate(9); m.EditHide = true }),
		plain(13, "from", func(m *tg.Message) {
			m.SetFromID(&tg.PeerUser{UserID: 1 << 40})
			m.SetGroupedID(99)
			m.SetFromBoostsApplied(3)
		}),
		plain(12, "saved", func(m *tg.Message) { m.SetSavedPeerID(&tg.PeerChat{ChatID: 3}); m.SetViaBotID(8) }),
		plain(11, "entity", func(m *tg.Message) {
			m.SetEntities([]tg.MessageEntityClass{&tg.MessageEntityTextURL{Length: 2, URL: "https://t.me/x"}})
		}),
		plain(10, "forward", func(m *tg.Message) { f := tg.MessageFwdHeader{Date: 4}; f.SetFromName("Somebody"); m.SetFwdFrom(f) }),
		plain(9, "media", func(m *tg.Message) { m.SetMedia(&tg.MessageMediaContact{PhoneNumber: "1"}) }),
		plain(8, "author", func(m *tg.Message) { m.SetPostAuthor("A. Uthor") }),
		plain(7, "ttl", func(m *tg.Message) { m.SetTTLPeriod(60) }),
		plain(-6, "an id below zero", nil),
		&tg.MessageService{ID: 5, PeerID: channel, Action: &tg.MessageActionPinMessage{}}, &tg.MessageEmpty{ID: 4},
	}, Chats: []tg.ChatClass{&tg.Channel{ID: 7, Title: "T", Photo: &tg.ChatPhotoEmpty{}, Username: "seven"}}, Users: []tg.UserClass{&tg.UserEmpty{ID: 3}}}
	answer.SetOffsetIDOffset(3)
	var b bin.Buffer
	if err := answer.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Buf
}

// Whatever a page holds, a look over it sees what the library sees: the same
// messages, of the plain ones the same text and nothing besides, the same chats.
func FuzzSkim(f *testing.F) {
	page := history(f)
	f.Add(page)
	f.Add(page[:len(page)/2])
	f.Add(page[:300])
	f.Add([]byte{})
	var other bin.Buffer
	if err := (&tg.MessagesMessagesSlice{Messages: []tg.MessageClass{&tg.Message{ID: 1, PeerID: &tg.PeerUser{UserID: 2}, Message: "hi"}}}).Encode(&other); err != nil {
		f.Fatal(err)
	}
	f.Add(other.Buf)
	f.Fuzz(func(t *testing.T, data []byte) {
		var box tg.MessagesMessagesBox
		whole := box.Decode(&bin.Buffer{Buf: append([]byte(nil), data...)})
		var s skim
		err := s.Decode(&bin.Buffer{Buf: append([]byte(nil), data...)})
		if whole != nil {
			return // then it matters only that nothing breaks
		}
		answer, ok := box.Messages.AsModified()
		if !ok {
			if err == nil {
				t.Fatal("an answer without messages was taken for a page")
			}
			return
		}
		if err != nil {
			t.Fatalf("the library reads it: %v", err)
		}
		if len(s.glances) != len(answer.GetMessages()) || len(s.chats) != len(answer.GetChats()) {
			t.Fatalf("%d messages and %d chats, want %d and %d", len(s.glances), len(s.chats), len(answer.GetMessages()), len(answer.GetChats()))
		}
		for i, want := range answer.GetMessages() {
			g := s.glances[i]
			got, err := g.decode()
			if err != nil || g.id != want.GetID() || !reflect.DeepEqual(got, want) {
				t.Fatalf("message %d: %v, %+v, want %+v", i, err, got, want)
			}
			if g.class != nil {
				continue
			}
			if text, left := shown(want); text != g.text || left != "" {
				t.Fatalf("message %d shows %q, not %q; left out: %s", i, text, g.text, left)
			}
		}
	})
}

// The plain ones are not decoded: that is what it is for.
func TestSkimDecodesOnlyWhatMayShowMore(t *testing.T) {
	var s skim
	if err := s.Decode(&bin.Buffer{Buf: history(t)}); err != nil {
		t.Fatal(err)
	}
	plain := 0
	for _, g := range s.glances {
		if g.class == nil {
			plain++
		}
	}
	if plain != 10 || len(s.glances) != 17 {
		t.Errorf("%d of %d messages were left as they are, want 10 of 17", plain, len(s.glances))
	}
}
