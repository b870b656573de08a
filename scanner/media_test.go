package scanner_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"prahari/evidence"
	"prahari/fixtures/telegram"
	"prahari/scanner"
)

const filesScene = `
dcs: 2
users: [{phone: "+15550100001", first: Ana}]
channels: [{username: files, title: Files}, {username: plain, title: Plain}]
bots: [{username: lookup_bot, name: Lookup}]
`

// opener has the bench seal to a key of which it returns the secret half.
func (b *bench) opener() string {
	b.t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		b.t.Fatal(err)
	}
	b.recipients = []string{id.Recipient().String(), b.recipients[0]}
	if b.maker.Sealer, err = evidence.NewSealer(b.recipients); err != nil {
		b.t.Fatal(err)
	}
	return id.String()
}

// opened returns the one version that is kept of a message, and what is under
// its seal, by name.
func (b *bench) opened(secret string, source evidence.Source, id int) (evidence.Evidence, map[string][]byte) {
	b.t.Helper()
	versions, err := b.db.Versions(b.t.Context(), source.ID, int64(id))
	if err != nil || len(versions) != 1 || len(versions[0].Findings) == 0 {
		b.t.Fatalf("message %d: %d versions, %v", id, len(versions), err)
	}
	sealed, err := b.db.Sealed(b.t.Context(), versions[0].ID)
	if err != nil {
		b.t.Fatal(err)
	}
	container, err := evidence.Open(bytes.NewReader(sealed), strings.NewReader(secret))
	if err != nil {
		b.t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range container.Files {
		files[f.Name] = f.Data
	}
	return versions[0], files
}

// postFile posts a record of the nth person with a file.
func (b *bench) postFile(n int, d telegram.Document) int {
	b.t.Helper()
	m := post(b.t, n)
	m.Document = &d
	id, err := b.dc.Post("files", m)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// holds checks that exactly the message's file is under the seal, and that its
// digest is nowhere else.
func (b *bench) holds(secret string, source evidence.Source, id int) {
	b.t.Helper()
	e, files := b.opened(secret, source, id)
	if len(e.Collection.Media) != 1 {
		b.t.Fatalf("message %d: media %+v", id, e.Collection.Media)
	}
	m := e.Collection.Media[0]
	fileID, err := strconv.ParseInt(m.ID, 10, 64)
	if err != nil {
		b.t.Fatal(err)
	}
	want := b.dc.File(fileID)
	if m.File != "media/1-"+m.ID || m.NotKept != "" || m.Size != int64(len(want)) || !bytes.Equal(files[m.File], want) {
		b.t.Errorf("message %d: %+v, %d bytes sealed, %d there", id, m, len(files[m.File]), len(want))
	}
	digest := evidence.Digest(want)
	if !bytes.Contains(files["record.full.json"], []byte(digest)) {
		b.t.Errorf("message %d: no digest of the file in the full record", id)
	}
	shown, err := json.Marshal(e)
	if err != nil || bytes.Contains(shown, []byte(digest)) {
		b.t.Errorf("message %d: the open record has the file's digest, %v", id, err)
	}
}

// backfillIn is backfill with a time limit of its own for files.
func (b *bench) backfillIn(limit time.Duration, source evidence.Source) {
	b.t.Helper()
	s := b.scanner(func(c *scanner.Config) { c.MediaTime = limit })
	if err := s.Run(b.t.Context(), scanner.RunOptions{Sources: []evidence.Source{source}, BackfillOnly: true}); err != nil {
		b.t.Fatal(err)
	}
}

// lacks checks that a finding is kept without its file, and says why.
func (b *bench) lacks(secret string, source evidence.Source, id int, why string) {
	b.t.Helper()
	e, files := b.opened(secret, source, id)
	if m := e.Collection.Media; len(m) != 1 || m[0].File != "" || !strings.HasPrefix(m[0].NotKept, why) {
		b.t.Errorf("message %d: media %+v, want %q", id, m, why)
	}
	for name := range files {
		if strings.HasPrefix(name, "media/") {
			b.t.Errorf("message %d: %s is sealed", id, name)
		}
	}
}

// Files of messages with findings are sealed with them, whatever the data centre
// does on the way; of others nothing is asked for.
func TestFilesOfFindingsAreSealed(t *testing.T) {
	b := newBenchOf(t, filesScene)
	secret := b.opener()
	b.signIn()
	source := b.add("@files", false)
	if _, err := b.dc.Post("files", telegram.Message{Text: "weather", Document: &telegram.Document{Name: "weather.pdf", Size: 5000}}); err != nil {
		t.Fatal(err)
	}
	b.backfill(source)
	if n := b.dc.Calls()["upload.getFile"]; n != 0 {
		t.Fatalf("%d parts were asked for of a message without a finding", n)
	}
	const csv = "roll,of,persons,affected\n"
	ids := []int{
		b.postFile(1, telegram.Document{Name: "list.csv", MIME: "text/csv", Text: csv}),
		b.postFile(2, telegram.Document{Name: "list.pdf", MIME: "application/pdf", Size: 700_001}),
		b.postFile(3, telegram.Document{Name: "../../../etc/passwd\x1b[31m", MIME: "text/\x1b[2J\"><script>", Size: scanner.MaxMedia}),
		b.postFile(4, telegram.Document{Name: "there.bin", Size: 300_000, DC: 2}),
		b.postFile(5, telegram.Document{Photo: true, Size: 40_000, DC: 2}),
	}
	b.dc.ExpireReferences()
	b.dc.Inject(telegram.Fault{Method: "upload.getFile", Error: "FLOOD_WAIT_1"})
	b.dc.Inject(telegram.Fault{Method: "upload.getFile", Skip: 2, Cut: true})
	before := b.dc.Calls()["channels.getMessages"]
	b.backfillIn(time.Minute, source)
	for _, id := range ids {
		b.holds(secret, source, id)
	}
	if n := b.dc.Calls()["channels.getMessages"] - before; n < len(ids) {
		t.Errorf("%d messages were read again for the references of %d files", n, len(ids))
	}
	asked := b.dc.Calls()["upload.getFile"]
	// A look at what is kept already fetches nothing again.
	stop := b.watch(b.scanner(), source)
	b.wait(scanner.Watching, 1)
	looks := b.dc.Calls()["messages.getHistory"]
	b.until("looks", func() bool { return b.dc.Calls()["messages.getHistory"] > looks+3 })
	b.ended(stop)
	if n := b.dc.Calls()["upload.getFile"]; n != asked {
		t.Errorf("%d parts were asked for again", n-asked)
	}
	// Nothing of it lies in the open.
	err := filepath.WalkDir(b.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(csv)) {
			t.Errorf("%s holds what was fetched", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// What cannot or may not be fetched costs the file and not the finding, and the
// record says why.
func TestAFindingOutlivesItsFile(t *testing.T) {
	b := newBenchOf(t, filesScene)
	secret := b.opener()
	b.signIn()
	source := b.add("@files", false)
	cases := []struct {
		file telegram.Document
		why  string
	}{
		{telegram.Document{Size: 5001}, "size only: more than the 5000 bytes"},
		{telegram.Document{Text: "small", Declared: 1 << 40}, "size only: more than"},
		{telegram.Document{Text: "small", Declared: -5}, "size only: Telegram gives no size"},
		{telegram.Document{Text: "small", Declared: 400}, "failed: only 5 bytes came"},
		{telegram.Document{Text: "larger than it says", Declared: 3}, "failed: more came than"},
		{telegram.Document{Text: "x", Declared: 4000, Endless: true}, "failed: more came than"},
		{telegram.Document{Text: "x", Slow: time.Hour}, "failed: it did not come within 2s"},
		{telegram.Document{Text: "x", Fault: "FLOOD_WAIT_60"}, "failed: Telegram asks to wait"},
		{telegram.Document{Text: "x", Fault: "FILE_MIGRATE_77"}, "failed: the data centre with it"},
		{telegram.Document{Text: "x", Fault: "FILE_REFERENCE_EXPIRED"}, "failed: Telegram says FILE_REFERENCE_EXPIRED"},
		{telegram.Document{Text: "x", Fault: "LOCATION_INVALID"}, "failed: Telegram says LOCATION_INVALID"},
	}
	for i, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			b.t = t
			id := b.postFile(i+1, c.file)
			s := b.scanner(func(c *scanner.Config) { c.MaxMedia, c.MediaTime = 5000, 2*time.Second })
			if err := s.Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{source}, BackfillOnly: true}); err != nil {
				t.Fatal(err)
			}
			b.lacks(secret, source, id, c.why)
		})
	}
	b.t = t
	if !b.covered(source) {
		t.Error("the channel has a hole")
	}
	asked := b.dc.Calls()["upload.getFile"]
	id := b.postFile(30, telegram.Document{Text: "x"})
	off := b.scanner(func(c *scanner.Config) { c.MaxMedia = -1 })
	if err := off.Run(t.Context(), scanner.RunOptions{Sources: []evidence.Source{source}, BackfillOnly: true}); err != nil {
		t.Fatal(err)
	}
	b.lacks(secret, source, id, "size only: fetching is turned off")
	if n := b.dc.Calls()["upload.getFile"]; n != asked {
		t.Errorf("%d parts were asked for", n-asked)
	}
}

// Pushed findings wait for their files no longer than a file may take, however
// many there are; those without files come in meanwhile, and a stop waits for none.
func TestFilesThatNeverComeDoNotHoldTheFeed(t *testing.T) {
	b := newBenchOf(t, filesScene)
	secret := b.opener()
	b.signIn()
	source, plain := b.add("@files", true), b.add("@plain", true)
	stop := b.watch(b.scanner(func(c *scanner.Config) { c.MediaTime = time.Minute }), source, plain)
	b.wait(scanner.Watching, 1)
	quick := b.postFile(1, telegram.Document{Name: "quick.txt", Text: "comes at once"})
	b.until("the quick one", func() bool { return len(b.ids(source)) == 1 })
	b.ended(stop)
	stop = b.watch(b.scanner(func(c *scanner.Config) { c.MediaTime = 3 * time.Second }), source, plain)
	b.wait(scanner.Watching, 2)
	const stuck = 40
	var ids []int
	for n := range stuck {
		ids = append(ids, b.postFile(n+2, telegram.Document{Text: "x", Slow: time.Hour}))
	}
	b.posts("plain", 50, 51, 52)
	b.until("all of them", func() bool { return len(b.ids(source)) == stuck+1 && len(b.ids(plain)) == 3 })
	b.holds(secret, source, quick)
	for _, id := range ids {
		b.lacks(secret, source, id, "failed: it did not come within 3s")
	}
	b.ended(stop)

	stop = b.watch(b.scanner(func(c *scanner.Config) { c.MediaTime = time.Hour }), source, plain)
	b.wait(scanner.Watching, 3)
	asked := b.dc.Calls()["upload.getFile"]
	last := b.postFile(60, telegram.Document{Text: "x", Slow: time.Hour})
	b.until("the last one being asked for", func() bool { return b.dc.Calls()["upload.getFile"] > asked })
	b.ended(stop)
	b.lacks(secret, source, last, "failed: the reading ended")
}

// A bot's files take the same way, and their references are renewed in its dialog.
func TestABotsFileIsSealed(t *testing.T) {
	b := newBenchOf(t, filesScene)
	secret := b.opener()
	b.signIn()
	bot := b.add("@lookup_bot", false)
	m := post(t, 1)
	m.Document = &telegram.Document{Name: "result.txt", MIME: "text/plain", Text: "what the bot knows", DC: 2}
	id, err := b.dc.SendFromBot("lookup_bot", phone, m)
	if err != nil {
		t.Fatal(err)
	}
	b.dc.ExpireReferences()
	b.backfillIn(time.Minute, bot)
	b.holds(secret, bot, id)
	if n := b.dc.Calls()["messages.getMessages"]; n != 1 {
		t.Errorf("the message was read again %d times", n)
	}
	if got := fmt.Sprint(b.ids(bot)); got != fmt.Sprintf("[%d]", id) {
		t.Errorf("findings in %s", got)
	}
}
