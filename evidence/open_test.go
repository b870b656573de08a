package evidence_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"prahari/evidence"
)

// sealTar encrypts a container that anyone could have made.
func sealTar(t *testing.T, secret string, tail []byte, headers ...tar.Header) []byte {
	t.Helper()
	var plain, sealed bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, h := range headers {
		body := h.PAXRecords["body"]
		h.PAXRecords, h.Mode = nil, 0o600
		if h.Size == 0 {
			h.Size = int64(len(body))
		}
		if w.WriteHeader(&h) != nil { // the one before said a size that it does not have
			break
		}
		_, _ = w.Write([]byte(body))
	}
	_ = w.Close() // a forged size is an error here, and goes on
	plain.Write(tail)
	id, err := age.ParseX25519Identity(secret)
	if err != nil {
		t.Fatal(err)
	}
	out, err := age.Encrypt(&sealed, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = out.Write(plain.Bytes())
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return sealed.Bytes()
}

func entry(name, body string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, PAXRecords: map[string]string{"body": body}}
}

// A container comes from others' hands too: whatever is not what Seal makes is refused.
func TestOpenRefusesForgedContainers(t *testing.T) {
	_, secrets := identities(t)
	nonce := entry("NONCE", strings.Repeat("n", 32))
	sum := func(all ...tar.Header) tar.Header {
		var list strings.Builder
		for _, h := range all {
			fmt.Fprintf(&list, "%s  %s\n", evidence.Digest([]byte(h.PAXRecords["body"])), h.Name)
		}
		return entry("SHA256SUMS", list.String())
	}
	raw := entry("raw.tl", "bytes")
	whole := func(more ...tar.Header) []tar.Header {
		all := append([]tar.Header{nonce, raw}, more...)
		return append(all, sum(all...))
	}
	if _, err := evidence.Open(bytes.NewReader(sealTar(t, secrets[0], nil, whole()...)), strings.NewReader(secrets[0])); err != nil {
		t.Fatalf("what is sound is refused: %v", err)
	}
	for name, headers := range map[string][]tar.Header{
		"a path upwards":          whole(entry("../x", "x")),
		"an absolute path":        whole(entry("/etc/x", "x")),
		"a path in a folder":      whole(entry("media/../../x", "x")),
		"a folder of another":     whole(entry("other/x", "x")),
		"a folder in media":       whole(entry("media/a/b", "x")),
		"a dot file":              whole(entry(".profile", "x")),
		"an escape":               whole(entry("a\x1b[2J", "x")),
		"a backslash":             whole(entry(`a\b`, "x")),
		"the same name twice":     whole(raw),
		"a symlink":               whole(tar.Header{Name: "x", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}),
		"a hard link":             whole(tar.Header{Name: "x", Linkname: "raw.tl", Typeflag: tar.TypeLink}),
		"a folder":                whole(tar.Header{Name: "media/", Typeflag: tar.TypeDir}),
		"a device":                whole(tar.Header{Name: "x", Typeflag: tar.TypeChar}),
		"a size that is not true": whole(tar.Header{Name: "x", Typeflag: tar.TypeReg, Size: 1 << 40}),
		"no nonce":                {raw, sum(raw)},
		"a short nonce":           {entry("NONCE", "n"), raw, sum(entry("NONCE", "n"), raw)},
		"no list":                 {nonce, raw},
		"another digest":          {nonce, raw, sum(nonce, entry("raw.tl", "others"))},
		"a file that is not listed": {
			nonce, raw, entry("raw.json", "{}"), sum(nonce, raw),
		},
		"a file after the list": {nonce, sum(nonce), raw},
		"nothing":               {},
	} {
		_, err := evidence.Open(bytes.NewReader(sealTar(t, secrets[0], nil, headers...)), strings.NewReader(secrets[0]))
		if !errors.Is(err, evidence.ErrContainer) {
			t.Errorf("%s: got %v", name, err)
		}
		if err != nil && strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("%s: the error acts on a terminal", name)
		}
	}
	// More than a container may hold, in a small file: zeros after the tar's end.
	bomb := sealTar(t, secrets[0], make([]byte, 257<<20), whole()...)
	if _, err := evidence.Open(bytes.NewReader(bomb), strings.NewReader(secrets[0])); !errors.Is(err, evidence.ErrContainer) {
		t.Errorf("a bomb: got %v", err)
	}
}

func TestOpenRefusesDamageAndStrangers(t *testing.T) {
	sealer, secrets := identities(t)
	sealed, err := sealer.Seal([]evidence.Raw{{Name: "raw.tl", Data: bytes.Repeat([]byte("x"), 1000)}}, time.Unix(1700000000, 0))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(sealed.Data); i += 7 {
		damaged := bytes.Clone(sealed.Data)
		damaged[i] ^= 0x20
		if _, err := evidence.Open(bytes.NewReader(damaged), strings.NewReader(secrets[0])); err == nil {
			t.Errorf("byte %d may be changed", i)
		}
		if _, err := evidence.Open(bytes.NewReader(sealed.Data[:i]), strings.NewReader(secrets[0])); err == nil {
			t.Errorf("it may end after %d bytes", i)
		}
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Open(bytes.NewReader(sealed.Data), strings.NewReader(stranger.String())); err == nil || !strings.Contains(err.Error(), "not sealed to this identity") {
		t.Errorf("got %v", err)
	}
	broken := strings.ToLower(secrets[0])[:60]
	if _, err := evidence.Open(bytes.NewReader(sealed.Data), strings.NewReader(broken)); err == nil || strings.Contains(err.Error(), broken[20:30]) {
		t.Errorf("got %v", err)
	}
}

func TestSealRefusesNamesThatLeadElsewhere(t *testing.T) {
	sealer, _ := identities(t)
	for _, name := range []string{"", "../x", "/x", "a/b", "media/", "media/../x", ".x", "NONCE", "SHA256SUMS", "a b", "a\nb", strings.Repeat("a", 200)} {
		if _, err := sealer.Seal([]evidence.Raw{{Name: name}}, time.Time{}); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
	if _, err := sealer.Seal([]evidence.Raw{{Name: "a"}, {Name: "a"}}, time.Time{}); err == nil {
		t.Error("a name was taken twice")
	}
	if _, err := sealer.Seal([]evidence.Raw{{Name: "raw.tl"}, {Name: "media/7.csv"}}, time.Time{}); err != nil {
		t.Error(err)
	}
}

// age, tar and sha256sum open what we seal, as VERIFY.txt says.
func TestStandardToolsOpenWhatWeSeal(t *testing.T) {
	for _, tool := range []string{"age", "tar", "sha256sum", "sh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: no %s on this machine, so it did not open what we seal", tool)
		}
	}
	sealer, secrets := identities(t)
	sealed, err := sealer.Seal([]evidence.Raw{{Name: "raw.tl", Data: []byte("bytes")}, {Name: "media/7.csv", Data: make([]byte, 200000)}}, time.Unix(1700000000, 0))
	if err != nil {
		t.Fatal(err)
	}
	for i, secret := range secrets {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "key"), secret+"\n")
		write(t, filepath.Join(dir, "sealed.age"), string(sealed.Data))
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", `
			test "$(age -d -i key sealed.age | sha256sum | cut -d' ' -f1)" = "$1"
			mkdir out; age -d -i key sealed.age | tar -x -C out; cd out; sha256sum -c --strict SHA256SUMS; wc -c < NONCE`, "sh", sealed.Commitment)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "media/7.csv: OK") || !strings.HasSuffix(strings.TrimSpace(string(out)), "32") {
			t.Errorf("recipient %d: %v\n%s", i+1, err, out)
		}
	}
}

func FuzzOpenedContainer(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	var sound bytes.Buffer
	w := tar.NewWriter(&sound)
	for _, file := range [][2]string{{"NONCE", strings.Repeat("n", 32)}, {"SHA256SUMS", evidence.Digest(bytes.Repeat([]byte("n"), 32)) + "  NONCE\n"}} {
		_ = w.WriteHeader(&tar.Header{Name: file[0], Size: int64(len(file[1])), Mode: 0o600, Typeflag: tar.TypeReg})
		_, _ = w.Write([]byte(file[1]))
	}
	_ = w.Close()
	f.Add(sound.Bytes())
	f.Fuzz(func(t *testing.T, plain []byte) {
		var sealed bytes.Buffer
		out, err := age.Encrypt(&sealed, id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = out.Write(plain)
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		opened, err := evidence.Open(&sealed, strings.NewReader(id.String()))
		if err != nil {
			return
		}
		if opened.Commitment != evidence.Digest(plain) {
			t.Error("the commitment is not of the whole container")
		}
		for _, file := range opened.Files {
			if strings.Contains(file.Name, "..") && strings.Contains(file.Name, "/") || strings.HasPrefix(file.Name, "/") || !filepath.IsLocal(file.Name) {
				t.Errorf("%q leads elsewhere", file.Name)
			}
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
