package bundle_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"prahari/bundle"
	"prahari/evidence"
	"prahari/fixtures/demotsa"
	"prahari/tsa"
)

// A damaged bundle: its files as they became. link names a file that became a
// symbolic link; raw is an archive that no folder can be.
type damaged struct {
	kind, what string
	files      map[string]string
	link       string
	raw        []byte
	custody    bool // within the custody proofs, where only Verify can tell
}

// A damager makes damaged bundles from a number, always the same ones.
type damager struct {
	base, other map[string]string
	names       []string
	top         string
	key, forger ssh.Signer
	old         bundle.Log // the custody log as it was before its last lines
	oldProof    string
	expired     map[string]string // files of a stamp by an authority that had expired
}

func newDamager(t *testing.T) (*damager, string) {
	t.Helper()
	r := newRig(t)
	small := make([]evidence.Evidence, 0, 2)
	for _, e := range r.items {
		if e.ID != "ev-item1" && e.ID != "ev-item2" { // those two are large
			small = append(small, e)
		}
	}
	r.items = small
	r.in.Items = bundle.Each(r.items)
	r.relog()
	r.in.Authorities = []tsa.Authority{startTSA(t, demotsa.Config{}).Authority("demo")}
	r.stampLog(t, "log", 41, 47)
	dir := r.build(t)
	d := &damager{base: files(t, dir), top: filepath.Base(dir)}
	r.in.Seq = 4
	d.other = files(t, r.build(t))
	d.names = sorted(d.base)
	_, forger := signerFrom(t, 9)
	d.key, d.forger = sshKey(t, r.keyFile), sshKey(t, forger)

	short, old := custodyOf(r.items[:1])
	d.old = old
	places := make([]int64, len(short))
	for i, e := range short {
		places[i] = e.Seq
	}
	c, err := evidence.OpenCheckpoint(old.Checkpoint, old.Key)
	must(t, err)
	proof, err := evidence.ProveLines(c.Size, places, old.Tree)
	must(t, err)
	for _, h := range proof {
		d.oldProof += fmt.Sprintf("%x\n", h[:])
	}
	late := clone(t, dir)
	expiredStamp(t, late)
	d.expired = map[string]string{}
	for _, name := range []string{"attest/tagmanifest-sha256.txt.tsr", "attest/tsa-ca.pem"} {
		d.expired[name] = read(t, late, name)
	}
	return d, dir
}

func sshKey(t testing.TB, path string) ssh.Signer {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	key, err := ssh.ParsePrivateKey(data)
	must(t, err)
	return key
}

// sign makes a signature in the form of ssh-keygen.
func sign(content, namespace string, key ssh.Signer) string {
	sig, err := sshsig.Sign(strings.NewReader(content), key, sshsig.HashSHA512, namespace)
	if err != nil {
		panic(err)
	}
	var out strings.Builder
	out.WriteString("-----BEGIN SSH SIGNATURE-----\n")
	for text := base64.StdEncoding.EncodeToString(sig.Marshal()); text != ""; {
		n := min(70, len(text))
		out.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	return out.String() + "-----END SSH SIGNATURE-----\n"
}

const (
	tagFile    = "tagmanifest-sha256.txt"
	besideFile = "attest/manifest-sha256.txt"
)

// resealed renews manifests, size and signatures, as a holder of key would.
func (d *damager) resealed(all map[string]string, key ssh.Signer) map[string]string {
	count, size := 0, 0
	sums := func(belongs func(string) bool) string {
		var out strings.Builder
		for _, name := range sorted(all) {
			if belongs(name) {
				fmt.Fprintf(&out, "%s  %s\n", evidence.Digest([]byte(all[name])), name)
			}
		}
		return out.String()
	}
	for name, content := range all {
		if strings.HasPrefix(name, "data/") {
			count, size = count+1, size+len(content)
		}
	}
	var info strings.Builder
	for l := range strings.Lines(all["bag-info.txt"]) {
		if strings.HasPrefix(l, "Payload-Oxum: ") {
			l = fmt.Sprintf("Payload-Oxum: %d.%d\n", size, count)
		}
		info.WriteString(l)
	}
	all["bag-info.txt"] = info.String()
	all["manifest-sha256.txt"] = sums(func(n string) bool { return strings.HasPrefix(n, "data/") })
	all[tagFile] = sums(func(n string) bool { return !strings.Contains(n, "/") && n != tagFile })
	all["attest/"+tagFile+".sig"] = sign(all[tagFile], bundle.Namespace(domain), key)
	return d.besideSealed(all, key)
}

func (d *damager) besideSealed(all map[string]string, key ssh.Signer) map[string]string {
	var out strings.Builder
	for _, name := range sorted(all) {
		if strings.HasPrefix(name, "attest/") && !strings.HasPrefix(name, besideFile) {
			fmt.Fprintf(&out, "%s  %s\n", evidence.Digest([]byte(all[name])), name)
		}
	}
	all[besideFile] = out.String()
	all[besideFile+".sig"] = sign(out.String(), bundle.AttestNamespace(domain), key)
	return all
}

// make damages the bundle in the nth way.
func (d *damager) make(n int) damaged {
	for try := uint64(0); ; try++ {
		random := rand.New(rand.NewPCG(uint64(n), 20261120+try))
		one := d.one(n%kinds, random)
		if one.raw != nil || one.link != "" || !maps.Equal(one.files, d.base) {
			return one
		}
	}
}

const kinds = 20

func (d *damager) one(kind int, random *rand.Rand) damaged {
	all := maps.Clone(d.base)
	name := d.names[random.IntN(len(d.names))]
	data := all[name]
	at := random.IntN(len(data))
	second := d.names[random.IntN(len(d.names))]
	lines := strings.SplitAfter(all[custodyFile], "\n")
	lines = lines[:len(lines)-1]
	is := func(kind, format string, args ...any) damaged {
		return damaged{kind: kind, what: fmt.Sprintf(format, args...), files: all}
	}
	switch kind {
	case 0, 1:
		bit := random.IntN(8)
		changed := []byte(data)
		changed[at] ^= 1 << bit
		all[name] = string(changed)
		return is("flip", "bit %d of byte %d of %s", bit, at, name)
	case 2:
		all[name] = data[:at]
		return is("truncate", "%s to %d bytes", name, at)
	case 3:
		all[name] = data + string(rune(random.IntN(128)))
		return is("append", "a byte to %s", name)
	case 4:
		all[name] = data[:at] + string(rune(random.IntN(128))) + data[at:]
		return is("insert", "a byte at %d of %s", at, name)
	case 5:
		rows := strings.SplitAfter(data, "\n")
		a, b := random.IntN(len(rows)), random.IntN(len(rows))
		rows[a], rows[b] = rows[b], rows[a]
		all[name] = strings.Join(rows, "")
		return is("reorder", "lines %d and %d of %s", a, b, name)
	case 6:
		delete(all, name)
		to := path.Join(path.Dir(name), fmt.Sprintf("renamed-%d", random.IntN(1000)))
		all[to] = data
		return is("rename", "%s to %s", name, to)
	case 7:
		added := path.Join(path.Dir(name), fmt.Sprintf("added-%d", random.IntN(1000)))
		all[added] = strings.Repeat("x", random.IntN(3))
		return is("add", "%s", added)
	case 8:
		gone := map[string]bool{}
		for range 1 + random.IntN(4) {
			one := d.names[random.IntN(len(d.names))]
			gone[one] = true
			delete(all, one)
		}
		return is("remove", "%q", sorted(gone))
	case 9:
		all[name] = d.other[name]
		return is("swap between bundles", "%s", name)
	case 10:
		all[name], all[second] = all[second], all[name]
		return is("swap within", "%s and %s", name, second)
	case 11:
		i := random.IntN(len(lines))
		lines[i] = strings.Replace(lines[i], "analyst:a1", fmt.Sprintf("analyst:b%d", random.IntN(1000)), 1)
		all[custodyFile] = strings.Join(lines, "")
		return is("edit custody", "line %d", i+1)
	case 12: // by a holder of the key, who leaves the chain broken
		i := random.IntN(len(lines))
		all[custodyFile] = strings.Join(slices.Delete(lines, i, i+1), "")
		all["README.txt"] += strings.Repeat("\n", random.IntN(5000)) // one of many
		d.resealed(all, d.key)
		return is("cut custody, resealed", "line %d", i+1)
	case 13: // by a holder of the key, who makes the chain anew: only the proof can tell
		all[custodyFile] = rechained(lines, random.IntN(len(lines)), fmt.Sprintf("analyst:b%d", random.IntN(1000)), all)
		d.resealed(all, d.key)
		one := is("edit custody, chained and resealed", "%s", "one line")
		one.custody = true
		return one
	case 14: // likewise: a checkpoint from before the last lines
		all["data/custody/checkpoint"] = string(d.old.Checkpoint)
		if random.IntN(2) == 0 {
			all["data/custody/inclusion-proof.txt"] = d.oldProof
		}
		all["README.txt"] += strings.Repeat("\n", random.IntN(5000)) // one of many
		d.resealed(all, d.key)
		one := is("replay an old checkpoint, resealed", "with %d lines more", random.IntN(100))
		one.custody = true
		return one
	case 15:
		sig := []string{"attest/" + tagFile + ".sig", besideFile + ".sig"}[random.IntN(2)]
		of := strings.TrimSuffix(sig, ".sig")
		if of != besideFile {
			of = tagFile
		}
		namespace := []string{bundle.Namespace(domain), bundle.AttestNamespace(domain), "custody-head@" + domain}[random.IntN(3)]
		key := []ssh.Signer{d.key, d.forger}[random.IntN(2)]
		content := []string{all[of], d.other[of], all[of] + strings.Repeat("x", 1+random.IntN(50))}[random.IntN(3)]
		all[sig] = sign(content, namespace, key)
		if random.IntN(2) == 0 && sig != besideFile+".sig" {
			d.besideSealed(all, d.key)
		}
		return is("swap signature", "%s in %s", sig, namespace)
	case 16:
		maps.Copy(all, d.expired)
		all["attest/NOTE.txt"] += strings.Repeat("\n", random.IntN(5000)) // one of many
		d.besideSealed(all, d.key)
		return is("expired authority", "a stamp after its certificate's end, resealed beside the bag")
	case 17:
		all["README.txt"] += strings.Repeat("\n", random.IntN(100)*random.IntN(2))
		one := is("symbolic link", "%s", name)
		one.link = name
		return one
	case 18:
		hostile := []string{"/../../x", "/..", "//x", "/data/./x", "/.hidden", "/-x", "/data/a\nb", "/data/\x1b[2J", "/data/\xff"}[random.IntN(9)]
		p := packed{name: d.top + hostile + strconv.Itoa(random.IntN(1000)), data: "x"}
		if random.IntN(3) == 0 {
			p.name = []string{"/etc/x", "../x", `C:\x`, "other/x"}[random.IntN(4)] + strconv.Itoa(random.IntN(1000))
		}
		one := is("hostile archive path", "%q", p.name)
		one.raw = archiveOf(append(pack(d.top, d.base), p), random.IntN(2) == 0)
		return one
	default:
		target := []string{"/etc/passwd", "../../x", "bagit.txt"}[random.IntN(3)] + strconv.Itoa(random.IntN(1000))
		i := random.IntN(len(d.names))
		entries := pack(d.top, d.base)
		entries[i] = packed{name: entries[i].name, data: target, mode: fs.ModeSymlink}
		one := is("symbolic link in an archive", "%s to %s", entries[i].name, target)
		one.raw = archiveOf(entries, random.IntN(2) == 0)
		return one
	}
}

// rechained edits a line and makes every digest after it right, and the head.
func rechained(lines []string, edited int, actor string, all map[string]string) string {
	prev := evidence.Genesis
	var out strings.Builder
	for i, l := range lines {
		e, err := evidence.ParseEntry([]byte(l))
		if err != nil {
			panic(err)
		}
		if i == edited {
			e.Actor = actor
			theirs, err := e.LogLine()
			if err != nil {
				panic(err)
			}
			e.LogSHA = evidence.Digest(theirs)
		}
		e.Prev = prev
		line, err := e.Line()
		if err != nil {
			panic(err)
		}
		out.Write(line)
		prev = evidence.Digest(line)
	}
	_, rest, _ := strings.Cut(all["bag-info.txt"], "Evidence-Ledger-Head: ")
	all["bag-info.txt"] = strings.Replace(all["bag-info.txt"], rest[:64], prev, 1)
	return out.String()
}

type panicking struct{ testing.TB }

func (panicking) Helper()           {}
func (panicking) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func archiveOf(all []packed, asZip bool) []byte {
	if asZip {
		return zipOf(panicking{}, all)
	}
	return tarOf(panicking{}, all)
}

// archive is the damaged bundle as Verify reads it.
func (d *damager) archive(one damaged) []byte {
	if one.raw != nil {
		return one.raw
	}
	entries := pack(d.top, one.files)
	for i := range entries {
		if one.link != "" && entries[i].name == d.top+"/"+one.link {
			entries[i] = packed{name: entries[i].name, data: "../elsewhere", mode: fs.ModeSymlink}
		}
	}
	return tarOf(panicking{}, entries)
}

// put makes the damaged bundle a folder: what did not change is a hard link to
// the whole one.
func (d *damager) put(one damaged, whole, dir string) error {
	for name, content := range one.files {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		var err error
		switch base, same := d.base[name]; {
		case name == one.link:
			err = os.Symlink(filepath.Join(whole, filepath.FromSlash(name)), to)
		case same && base == content:
			err = os.Link(filepath.Join(whole, filepath.FromSlash(name)), to)
		default:
			err = os.WriteFile(to, []byte(content), 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Ten thousand damaged bundles. Our verifier finds every one. verify.sh finds
// every one that a folder can be and that is not within the custody proofs; a
// run of it takes some hundred milliseconds, so that it checks a sample here,
// and all of them with 'make mutate' (MUTATE=10000).
func TestTenThousandDamagedBundlesAreFound(t *testing.T) {
	const total = 10_000
	shell := 400
	if s := os.Getenv("MUTATE"); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		shell = n
	}
	if testing.Short() {
		t.Skip("SKIPPED with -short: ten thousand damaged bundles")
	}
	t.Parallel()
	d, dir := newDamager(t)
	if _, err := verifyBytes(t, d.archive(damaged{files: d.base}), bundle.Options{}); err != nil {
		t.Fatalf("the whole bundle: %v", err)
	}
	fast, err := os.MkdirTemp(cmp.Or(memoryFolder(), t.TempDir()), "damage-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(fast)) })
	whole := filepath.Join(fast, d.top)
	must(t, os.CopyFS(whole, os.DirFS(dir)))
	sh := filepath.Join(fast, "verify.sh")
	must(t, os.WriteFile(sh, []byte(d.base["verify.sh"]), 0o600))
	if out, code := run(t, "/", "", "sh", sh, whole); code != 0 {
		t.Fatalf("the whole bundle: verify.sh exits %d\n%s", code, out)
	}

	var next, found, shellRuns, archives, proofs atomic.Int64
	var mu sync.Mutex
	byKind, distinct := map[string]int{}, map[string]bool{}
	every := max(1, total/max(1, shell))
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= total || t.Context().Err() != nil {
					return
				}
				one := d.make(n)
				data := d.archive(one)
				report, err := bundle.VerifyArchive(t.Context(), "archive", bytes.NewReader(data), int64(len(data)), bundle.Options{})
				if errors.Is(err, bundle.ErrBroken) && len(report.Problems()) > 0 {
					found.Add(1)
				} else {
					t.Errorf("damage %d not found by Verify: %s: %s: %v", n, one.kind, one.what, err)
				}
				mu.Lock()
				byKind[one.kind]++
				distinct[evidence.Digest(data)] = true
				mu.Unlock()
				switch {
				case one.raw != nil:
					archives.Add(1)
				case one.custody:
					proofs.Add(1)
				case (n/kinds)%every == 0:
					at := filepath.Join(fast, fmt.Sprintf("n%d", n))
					if err := d.put(one, whole, at); err != nil {
						t.Errorf("damage %d: %v", n, err)
						return
					}
					out, err := exec.CommandContext(t.Context(), "sh", sh, at).CombinedOutput()
					var exit *exec.ExitError
					if !errors.As(err, &exit) || exit.ExitCode() != 1 {
						t.Errorf("damage %d not found by verify.sh: %s: %s: %v\n%s", n, one.kind, one.what, err, out)
					}
					shellRuns.Add(1)
					if err := os.RemoveAll(at); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	t.Logf("%d of %d damaged bundles found by Verify, %d of them unlike all others: %v", found.Load(), total, len(distinct), byKind)
	t.Logf("%d of them shown to verify.sh; %d are archives that no folder can be, %d within the custody proofs, where only Verify can tell",
		shellRuns.Load(), archives.Load(), proofs.Load())
	if rest := total - int(shellRuns.Load()+archives.Load()+proofs.Load()); rest > 0 {
		t.Logf("SKIPPED: verify.sh on %d of the damaged bundles; 'make mutate' runs it on all", rest)
	}
	if shellRuns.Load() == 0 || found.Load() != total {
		t.Error("not every damage was made and found")
	}
}

// memoryFolder is a folder in memory, "" where there is none.
func memoryFolder() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}
