package bundle_test

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/pem"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"
	"golang.org/x/mod/sumdb/tlog"

	"prahari/bundle"
	"prahari/evidence"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A rig is a case ready for export, with the keys that open it.
type rig struct {
	in         bundle.Input
	items      []evidence.Evidence
	identities []string
	raw        map[string][]evidence.Raw // what was sealed, by item
	keyFile    string                    // the signing key as ssh-keygen reads it
}

const domain = "example.org"

func signerFrom(t testing.TB, seed byte) (*bundle.Signer, string) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	block, err := ssh.MarshalPrivateKey(key, "test")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := bundle.LoadSigner(path)
	if err != nil {
		t.Fatal(err)
	}
	return s, path
}

var (
	exported = time.Date(2026, 11, 20, 6, 22, 0, 123456789, time.UTC)
	posted   = time.Date(2026, 11, 19, 20, 0, 0, 0, time.UTC) // the next day in IST is near
)

// newRig seals four items for real: a channel's post, an edit in Hindi with a
// foreign title, a bot's reply longer than one chunk of age, a row of a file.
func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{raw: map[string][]evidence.Raw{}}
	var public []string
	for range 2 {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		public, r.identities = append(public, identity.Recipient().String()), append(r.identities, identity.String())
	}
	sealer, err := evidence.NewSealer(public)
	if err != nil {
		t.Fatal(err)
	}
	channel := evidence.Source{ID: "channel-1234567890", Kind: evidence.Channel, Access: evidence.Public, PeerID: 1234567890, Username: "example_leaks", Title: "Example leaks"}
	bot := evidence.Source{ID: "bot-9876543210", Kind: evidence.Bot, Access: evidence.BotDialog, PeerID: 9876543210, Username: "example_leak_bot", Title: "Lookup bot"}
	file := evidence.Source{ID: "file-ab12", Kind: evidence.File, Access: evidence.Imported, Title: "result.json"}
	for i, item := range []struct {
		source evidence.Source
		text   string
		size   int
		edited bool
	}{
		{channel, "Name: R**** K****; Aadhaar: XXXX XXXX 1234; Mobile: XXXXXX4321", 300, false},
		{channel, "आधार: XXXX XXXX 5678\nनाम: स****", 65536, true},
		{bot, "Vaccinated at centre X, mobile XXXXXX9999", 200000, false},
		{file, "row 1: XXXXX1234X", 0, false},
	} {
		id := fmt.Sprintf("ev-item%d", i)
		raw := []evidence.Raw{{Name: "raw.tl", Data: bytes.Repeat([]byte{byte('a' + i)}, item.size)}, {Name: "record.full.json", Data: []byte("{}")}}
		sealed, err := sealer.Seal(raw, posted)
		if err != nil {
			t.Fatal(err)
		}
		e := evidence.Evidence{
			ID: id, Source: item.source, MessageID: int64(100 + i), Version: "0-ab12cd34ef567890", Origin: evidence.Backfill,
			URL: evidence.MessageURL(item.source, int64(100+i)), PostedAt: posted.Add(time.Duration(i) * time.Minute), CapturedAt: posted.Add(time.Hour),
			Masked: item.text, Sealed: sealed.Data, SealedSHA: sealed.SHA256, SealedSize: int64(len(sealed.Data)), Commitment: sealed.Commitment,
			Collection: evidence.Collection{
				Account: "main", UserID: 777000111, Operator: "analyst:a1", Request: "messages.getHistory limit=100",
				Host:  evidence.Host{Hostname: "collector-1", OS: "linux", Arch: "amd64"},
				Tool:  evidence.Tool{Name: "prahari", Version: "v0.1.0", Commit: "abcdef0", GoVersion: "go1.26", Library: "github.com/gotd/td v0.160.0", Layer: 214},
				Clock: evidence.Clock{Source: "telegram server time", OffsetMS: 12, Checked: "2026-11-19T20:59:00Z"},
				At:    posted.Add(time.Hour), Context: evidence.Context{FromID: item.source.PeerID, Views: 12},
			},
			Findings: []evidence.Kept{{
				ID: fmt.Sprintf("f-%d", i), EvidenceID: id, Rule: "list-of-people", RuleVersion: 1, RuleHash: strings.Repeat("ab", 32),
				Title: "A list of people", Severity: evidence.High, Confidence: 0.9, Words: []string{"aadhaar"}, Reasons: []string{"two identifiers of one person"},
				Records: []evidence.KeptRecord{{Identifiers: []evidence.KeptIdentifier{
					{Kind: evidence.Aadhaar, Form: evidence.Full, Validity: evidence.CheckPassed, Masked: "XXXX XXXX 1234", Token: strings.Repeat("0a", 16)},
					{Kind: evidence.Mobile, Form: evidence.Full, Validity: evidence.NoCheck, Masked: "XXXXXX4321", Token: fmt.Sprintf("%032d", i)},
				}, Fields: []string{"name"}}},
			}},
		}
		e.Collection.Egress = []string{"direct connection, address not recorded", "SOCKS5 proxy proxy.example:1080", ""}[i%3] // that of a bot is old
		if item.edited {
			e.EditedAt = e.PostedAt.Add(time.Minute)
		}
		if item.source.Kind == evidence.File {
			e.Origin, e.Collection.Account, e.Collection.UserID, e.Collection.Tool.Layer = evidence.Import, "", 0, 0
			e.Collection.Request = "read result.json"
		}
		r.items, r.raw[id] = append(r.items, e), raw
	}
	signer, keyFile := signerFrom(t, 1)
	r.keyFile = keyFile
	r.in = bundle.Input{
		Case:    evidence.Case{ID: "CASE0007", Title: "Example leaks and its bot", OpenedAt: posted, OpenedBy: "analyst:a1", Status: "open"},
		Items:   bundle.Each(r.items),
		Sources: []evidence.Source{channel, bot, file},
		Observed: []evidence.Observed{
			{SourceID: channel.ID, Range: evidence.Range{Lo: 1, Hi: 100}, How: evidence.Backfill, Account: "main", At: posted},
			{SourceID: channel.ID, Range: evidence.Range{Lo: 101, Hi: 120}, How: evidence.Live, Account: "main", At: posted},
		},
		Gaps:           []evidence.Gap{{SourceID: channel.ID, Range: evidence.Range{Lo: 121, Hi: 130}, Reason: "flood wait past the cap", At: posted}},
		Sightings:      []evidence.Sighting{{SourceID: channel.ID, MessageID: 100, State: "deleted", At: posted.Add(2 * time.Hour)}},
		Authorisations: []evidence.Authorisation{{ID: "A-0001", Method: "channels.joinChannel", Source: channel.ID, GivenBy: "lead:l1", Reason: "public interest", At: posted}},
		Notices: []evidence.Notice{{
			ID: "N-0001", CaseID: "CASE0007", Kind: "telegram-abuse-mail", Subject: "Takedown request", Markdown: "# Takedown request\n\nXXXX XXXX 1234\n",
			EML:       []byte("From: desk <desk@example.org>\r\nTo: abuse@telegram.org\r\nSubject: Takedown\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nAadhaar XXXX XXXX 1234 =E2=80=94 see bundle\r\n"),
			DraftedAt: posted.Add(90 * time.Minute), DraftedBy: "analyst:a1",
		}},
		Organisation: bundle.Organisation{Name: "Example Trust & Safety", Domain: domain, Contact: "A. Desk", Email: "desk@example.org"},
		Operator:     "analyst:a1",
		Tool:         evidence.Tool{Name: "prahari", Version: "v0.1.0", Commit: "abcdef0", GoVersion: "go1.26"},
		Host:         evidence.Host{Hostname: "export-1", OS: "linux", Arch: "amd64"},
		Clock:        evidence.Clock{Source: "system clock, not compared"},
		Seq:          3, Prev: strings.Repeat("cd", 32), At: exported, Signer: signer,
		Gate:  func(string, []byte) []bundle.Hit { return nil },
		Allow: []bundle.Allowed{{Text: "desk@example.org", Reason: "own contact", Approver: "lead:l1"}},
	}
	r.relog()
	return r
}

// A testLog is a workspace's custody log in memory.
type testLog struct {
	key    evidence.LogKey
	tree   evidence.Tree
	hashes []tlog.Hash
	prev   string
}

// logKey is the same in every test: golden files hold it.
const logKey = "PRIVATE+KEY+example.org/custody/test+01d22563+AQICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC"

func newLog() *testLog {
	key, err := evidence.ParseLogKey(logKey)
	if err != nil {
		panic(err)
	}
	return &testLog{key: key, prev: evidence.Genesis}
}

// add appends an entry and returns it with its place.
func (l *testLog) add(e evidence.Entry) evidence.Entry {
	e.Seq, e.Prev = l.tree.Size, l.prev
	line, err := e.Line()
	if err != nil {
		panic(err)
	}
	l.hashes, l.prev = append(l.hashes, l.tree.Add(line)...), evidence.Digest(line)
	return e
}

// ReadHashes implements tlog.HashReader.
func (l *testLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = l.hashes[at]
	}
	return out, nil
}

func (l *testLog) log() bundle.Log {
	signed, err := l.key.Sign(l.tree.Size, l.tree.Root())
	if err != nil {
		panic(err)
	}
	return bundle.Log{Key: l.key.Public(), Checkpoint: signed, Tree: l}
}

// custodyOf makes a workspace's log with entries of other cases in between, each
// of the case's as edit leaves it.
func custodyOf(items []evidence.Evidence, edit ...func(*evidence.Entry)) ([]evidence.Entry, bundle.Log) {
	l := newLog()
	var all []evidence.Entry
	other := func(n int64) {
		for range n {
			l.add(evidence.Entry{At: posted, Actor: "analyst:a2", Action: "collect", Object: "ev-other"})
		}
	}
	add := func(action, object, sum string) {
		e := evidence.Entry{
			At: posted.Add(time.Duration(l.tree.Size) * time.Second), Actor: "analyst:a1", Action: action, Object: object, CaseID: "CASE0007", SHA256: sum,
		}
		if len(all) == 0 {
			for _, change := range edit {
				change(&e)
			}
		}
		all = append(all, l.add(e))
		other(l.tree.Size % 3)
	}
	other(40)
	for _, e := range items {
		add("collect", e.ID, e.Commitment)
		add("seal", e.ID, e.SealedSHA)
	}
	add("notice.draft", "N-0001", "")
	return all, l.log()
}

// relog makes the custody log anew with its first entry of the case changed.
func (r *rig) relog(edit ...func(*evidence.Entry)) {
	all, log := custodyOf(r.items, edit...)
	r.in.Custody, r.in.Log = bundle.Each(all), log
}

// build exports the rig and returns the bundle's folder.
func (r *rig) build(t testing.TB) string {
	t.Helper()
	result, err := bundle.Build(t.Context(), t.TempDir(), r.in)
	if err != nil {
		t.Fatal(err)
	}
	return result.Dir
}

// files reads a tree: path to content.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// clone copies a bundle to be damaged.
func clone(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(dir))
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// run runs a tool that must be there: CI machines have it.
func run(t testing.TB, dir, stdin, name string, args ...string) (string, int) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("this test needs %s: install it (coreutils, openssh-client, openssl)", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// script writes verify.sh as built, outside any bundle that may be damaged.
func script(t testing.TB, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "verify.sh"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "verify.sh")
	if err := os.WriteFile(path, data, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// reseal makes manifests, size and signature anew, as somebody with the key
// would: what is then still found is found by an inner check alone.
func reseal(t testing.TB, dir, keyFile, namespace string) {
	t.Helper()
	sums := func(name string, keep func(string) bool) {
		var out strings.Builder
		all := files(t, dir)
		for _, path := range sorted(all) {
			if keep(path) {
				fmt.Fprintf(&out, "%s  %s\n", evidence.Digest([]byte(all[path])), path)
			}
		}
		write(t, dir, name, out.String())
	}
	count, size := 0, 0
	for path, content := range files(t, dir) {
		if strings.HasPrefix(path, "data/") {
			count, size = count+1, size+len(content)
		}
	}
	var info strings.Builder
	for l := range strings.Lines(read(t, dir, "bag-info.txt")) {
		if strings.HasPrefix(l, "Payload-Oxum: ") {
			l = fmt.Sprintf("Payload-Oxum: %d.%d\n", size, count)
		}
		info.WriteString(l)
	}
	write(t, dir, "bag-info.txt", info.String())
	sums("manifest-sha256.txt", func(p string) bool { return strings.HasPrefix(p, "data/") })
	sums("tagmanifest-sha256.txt", func(p string) bool {
		return !strings.HasPrefix(p, "data/") && !strings.HasPrefix(p, "attest/") && p != "tagmanifest-sha256.txt"
	})
	sshSign(t, dir, keyFile, cmp.Or(namespace, bundle.Namespace(domain)))
}

// sshSign signs the tag manifest, and what stands beside the bag with it.
func sshSign(t testing.TB, dir, keyFile, namespace string) {
	t.Helper()
	sshSignOne(t, dir, keyFile, namespace, "tagmanifest-sha256.txt", "attest/tagmanifest-sha256.txt.sig")
	sealBeside(t, dir, keyFile)
}

// sealBeside renews the manifest of attest/ and its signature.
func sealBeside(t testing.TB, dir, keyFile string) {
	t.Helper()
	var out strings.Builder
	all := files(t, filepath.Join(dir, "attest"))
	for _, name := range sorted(all) {
		if !strings.HasPrefix(name, "manifest-sha256.txt") {
			fmt.Fprintf(&out, "%s  attest/%s\n", evidence.Digest([]byte(all[name])), name)
		}
	}
	write(t, dir, "attest/manifest-sha256.txt", out.String())
	sshSignOne(t, dir, keyFile, bundle.AttestNamespace(domain), "attest/manifest-sha256.txt", "attest/manifest-sha256.txt.sig")
}

func sshSignOne(t testing.TB, dir, keyFile, namespace, name, to string) {
	t.Helper()
	sig, code := run(t, dir, read(t, dir, name), "ssh-keygen", "-q", "-Y", "sign", "-f", keyFile, "-n", namespace)
	if at := strings.Index(sig, "-----BEGIN"); code != 0 || at < 0 {
		t.Fatalf("ssh-keygen -Y sign: exit %d: %s", code, sig)
	} else {
		sig = sig[at:]
	}
	write(t, dir, to, sig)
}

func read(t testing.TB, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fixRandom makes sealing repeatable, for golden files.
func fixRandom(t *testing.T) { cryptotest.SetGlobalRandom(t, 7) }
