package scanner

import (
	"testing"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tg"

	"prahari/evidence"
)

// Under the seal a message is as Telegram encodes it, and as canonical JSON in
// the schema's own names: nested objects, vectors, bytes, 64-bit numbers, text
// that is hostile.
func TestRawIsTLAndCanonicalJSON(t *testing.T) {
	m := &tg.Message{
		ID: 7, Date: 1700000000, Message: "a<b>\x00\xff\u202e\"", PeerID: &tg.PeerChannel{ChannelID: 1<<53 + 1},
		Media:    &tg.MessageMediaDocument{Document: &tg.Document{ID: -5, AccessHash: 9, FileReference: []byte{1, 2}, MimeType: "text/csv", Size: 12}},
		Entities: []tg.MessageEntityClass{&tg.MessageEntityBold{Offset: 0, Length: 1}},
	}
	m.SetFlags()
	got := convert(evidence.Source{ID: "channel-1"}, m, m.Message, evidence.Live, "x", time.Unix(0, 0))
	files, err := got.Raw()
	if err != nil || len(files) != 2 || files[0].Name != "raw.tl" || files[1].Name != "raw.json" {
		t.Fatalf("%v, %v", files, err)
	}
	if again, err := tg.DecodeMessage(&bin.Buffer{Buf: files[0].Data}); err != nil || again.String() != m.String() {
		t.Errorf("the bytes give another message: %v", err)
	}
	want := `{"_":"message","date":1700000000,"entities":[{"_":"messageEntityBold","length":1,"offset":0}],"id":7,` +
		`"media":{"_":"messageMediaDocument","document":{"_":"document","access_hash":"9","attributes":[],"date":0,"dc_id":0,` +
		`"file_reference":"AQI=","id":"-5","mime_type":"text/csv","size":"12"}},` +
		`"message":"a<b>\u0000` + "\ufffd\u202e" + `\"","peer_id":{"_":"peerChannel","channel_id":"9007199254740993"}}`
	if string(files[1].Data) != want {
		t.Errorf("got  %s\nwant %s", files[1].Data, want)
	}
}
