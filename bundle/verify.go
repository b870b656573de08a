package bundle

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/mod/sumdb/tlog"
)

// Options say what Verify compares the bundle with.
type Options struct {
	// SignerFingerprint is the signing key's fingerprint ("SHA256:…") as known
	// from outside the bundle. Without it, Verify tells only that the bundle is
	// whole, not who signed it.
	SignerFingerprint string

	// TSARoots are the root certificates (PEM) of time-stamp authorities as known
	// from outside the bundle. Without them, those inside the bundle are used.
	TSARoots []byte

	// LogKey is the public key of the workspace's custody log as known from
	// outside the bundle, "name+hash+key".
	LogKey string
}

// A Status is the outcome of a check.
type Status string

// Outcomes. A skipped check says why in its Detail.
const (
	Pass Status = "pass"
	Fail Status = "fail"
	Skip Status = "skip"
)

// A Report is what Verify found, check by check.
type Report struct {
	Bundle            string       `json:"bundle"` // as bag-info.txt names it
	Dir               string       `json:"dir"`
	Profile           Profile      `json:"profile,omitempty"`
	OK                bool         `json:"ok"`
	TagManifestSHA256 string       `json:"tagmanifest_sha256,omitempty"`
	CustodyHead       string       `json:"custody_head,omitempty"`
	LogKey            string       `json:"log_key,omitempty"`            // public key of the workspace's custody log
	LogSize           int64        `json:"log_size,omitempty"`           // entries of that log, as its checkpoint says
	LogCompared       bool         `json:"log_compared"`                 // with a key from outside
	SignerFingerprint string       `json:"signer_fingerprint,omitempty"` // of the key that made the signature
	SignerCompared    bool         `json:"signer_compared"`              // with a value from outside
	Stamps            []Stamped    `json:"stamps"`
	TSACompared       bool         `json:"tsa_compared"` // with roots from outside
	LogStamps         []LogStamped `json:"log_stamps"`   // made while evidence was collected
	Items             int          `json:"items"`
	Files             int          `json:"files"`
	Bytes             int64        `json:"bytes"`
	Checks            []Check      `json:"checks"`
}

// A Check is one step of Verify.
type Check struct {
	Name     string    `json:"name"`
	Status   Status    `json:"status"`
	Detail   string    `json:"detail,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
}

// A Problem names a bad item. Foreign names in it are quoted.
type Problem struct {
	Path string `json:"path,omitempty"`
	Line int    `json:"line,omitempty"` // from 1; 0: the whole file
	What string `json:"what"`
}

// String renders the problem as "path:line: what".
func (p Problem) String() string {
	at := p.Path
	if p.Line > 0 {
		at += ":" + strconv.Itoa(p.Line)
	}
	if at == "" {
		return p.What
	}
	return at + ": " + p.What
}

// Problems lists every bad item in the order of the checks.
func (r Report) Problems() []Problem {
	var all []Problem
	for _, c := range r.Checks {
		all = append(all, c.Problems...)
	}
	return all
}

// verifier walks one bundle.
type verifier struct {
	ctx    context.Context //nolint:containedctx // lives as long as the call it belongs to
	in     container
	opts   Options
	report Report
	check  *Check

	files   map[string]int64 // regular files with plain names, to their size
	dirs    []string
	tag     map[string]string // path to SHA-256, as the tag manifest says
	payload map[string]string
	beside  map[string]string // of attest/, as its own manifest says
	domain  string            // of the signer
	key     ssh.PublicKey     // that signed the tag manifest
	info    map[string]string
	sealed  map[string]string // item's id to its commitment
	places  []int64           // of the custody lines in the workspace's log
	leaves  []tlog.Hash       // and their leaves in its tree
	hidden  int               // of them, those that the bundle shows in part
}

// Verify checks a bundle, a folder or an archive, with no help from outside the
// program. The report is complete whatever is broken, and the error is then
// ErrBroken; ErrNotBundle says that there is no bundle to check. It reads only,
// and unpacks nothing.
func Verify(ctx context.Context, at string, opts Options) (_ Report, err error) {
	c, err := openContainer(at)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return verify(ctx, c, at, opts)
}

// VerifyArchive is Verify for the bytes of a tar or zip; name is for the report.
func VerifyArchive(ctx context.Context, name string, r io.ReaderAt, size int64, opts Options) (Report, error) {
	c, err := openArchive(r, size)
	if err != nil {
		return Report{}, err
	}
	return verify(ctx, c, name, opts)
}

func verify(ctx context.Context, c container, at string, opts Options) (Report, error) {
	if f := opts.SignerFingerprint; f != "" && (!strings.HasPrefix(f, "SHA256:") || len(f) != len("SHA256:")+43) {
		return Report{}, errors.New("the fingerprint to compare with is not one such as 'ssh-keygen -l' prints: SHA256 and 43 characters")
	}
	v := &verifier{
		ctx: ctx, in: c, opts: opts, report: Report{Dir: at, Checks: []Check{}, Stamps: []Stamped{}, LogStamps: []LogStamped{}},
		files: map[string]int64{}, tag: map[string]string{}, payload: map[string]string{}, beside: map[string]string{}, info: map[string]string{}, sealed: map[string]string{},
	}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"plain files", v.walk},
		{"tag manifest", v.tagFiles},
		{"payload manifest", v.payloadFiles},
		{"what stands beside the bag", v.besideFiles},
		{"nothing added", v.extras},
		{"payload size", v.oxum},
		{"bag information", v.bagInfo},
		{"signature", v.signature},
		{"signature of what stands beside the bag", v.attested},
		{"signing key", v.signer},
		{"time stamp", v.timeStamp},
		{"custody log", v.custody},
		{"custody in the workspace's log", v.inclusion},
		{"time stamps of the log", v.logStamps},
		{"sealed originals", v.sealedFiles},
		{"records", v.records},
	} {
		if err := v.step(step.name, step.run); err != nil {
			return v.report, err
		}
		if step.name == "plain files" && !v.isBundle() {
			return Report{}, fmt.Errorf("%w: %s has no bagit.txt and no manifest", ErrNotBundle, at)
		}
	}
	v.report.OK = !slices.ContainsFunc(v.report.Checks, func(c Check) bool { return c.Status == Fail })
	if !v.report.OK {
		all := v.report.Problems()
		more := ""
		if n := len(all) - 1; n > 0 {
			more = fmt.Sprintf(", and %d more", n)
		}
		return v.report, fmt.Errorf("%w: %s%s", ErrBroken, all[0], more)
	}
	return v.report, nil
}

// isBundle reports whether one of a bag's own files is there, or something in
// its place.
func (v *verifier) isBundle() bool {
	for _, name := range []string{"bagit.txt", bagInfo, tagManifest, payloadManifest, signaturePath} {
		if _, ok := v.files[name]; ok {
			return true
		}
	}
	return len(v.check.Problems) > 0
}

// step runs one check. Its error ends Verify; problems do not.
func (v *verifier) step(name string, run func() error) error {
	if err := v.ctx.Err(); err != nil {
		return err
	}
	v.check = &Check{Name: name, Status: Pass}
	err := run()
	if len(v.check.Problems) > 0 {
		v.check.Status = Fail
	}
	v.report.Checks = append(v.report.Checks, *v.check)
	return err
}

func (v *verifier) problem(path string, line int, format string, args ...any) {
	v.check.Problems = append(v.check.Problems, Problem{path, line, fmt.Sprintf(format, args...)})
}

func (v *verifier) detail(format string, args ...any) { v.check.Detail = fmt.Sprintf(format, args...) }

// walk lists the bundle and refuses all that is not a plain file or folder with
// a plain name. What it refuses is never opened.
func (v *verifier) walk() error {
	return v.in.walk(v.ctx, func(e entry) {
		if e.name == "" && e.bad == "" {
			return // the bundle's own folder
		}
		shown := e.name
		bad := checkPath(e.name)
		if bad != nil {
			shown = strconv.QuoteToASCII(shorten(e.name))
		}
		switch {
		case e.name == "":
			v.problem("", 0, "%s", e.bad)
		case bad != nil:
			v.problem(shown, 0, "%v", bad)
		case e.bad != "":
			v.problem(shown, 0, "%s", e.bad)
		case e.dir:
			v.dirs = append(v.dirs, e.name)
		default:
			v.files[e.name] = e.size
			v.report.Files++
			v.report.Bytes += e.size
		}
	})
}

// open opens a file that walk found.
func (v *verifier) open(name string) (io.ReadCloser, bool) {
	if _, ok := v.files[name]; !ok {
		v.problem(name, 0, "is missing")
		return nil, false
	}
	f, err := v.in.open(name)
	if err != nil {
		v.problem(name, 0, "cannot be read")
		return nil, false
	}
	return f, true
}

// small reads a file of at most limit bytes.
func (v *verifier) small(name string, limit int64) ([]byte, bool) {
	if size, ok := v.files[name]; ok && size > limit {
		v.problem(name, 0, "is too long: %d bytes", size)
		return nil, false
	}
	f, ok := v.open(name)
	if !ok {
		return nil, false
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err := errors.Join(err, f.Close()); err != nil {
		v.problem(name, 0, "cannot be read")
		return nil, false
	}
	return data, true
}

// digest hashes a file and stops when the context ends.
func (v *verifier) digest(name string) (string, bool) {
	sum, bad := v.hash(v.ctx, name)
	if bad != "" && v.ctx.Err() == nil {
		v.problem(name, 0, "%s", bad)
	}
	return sum, bad == ""
}

// hash is digest for several goroutines at once: it returns what is wrong with
// the file.
func (v *verifier) hash(ctx context.Context, name string) (sha, bad string) {
	size, ok := v.files[name]
	if !ok {
		return "", "is missing"
	}
	f, err := v.in.open(name)
	if err != nil {
		return "", "cannot be read"
	}
	sum := sha256.New()
	_, err = io.CopyBuffer(sum, contextReader{ctx, f}, make([]byte, min(size+1, 64<<10))) // most files are small
	if err := errors.Join(err, f.Close()); err != nil {
		return "", "cannot be read"
	}
	return hex.EncodeToString(sum.Sum(nil)), ""
}

type contextReader struct {
	ctx context.Context //nolint:containedctx // lives as long as the call it belongs to
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// lines calls each with every line of a file, without its newline. It reports
// a line that is too long and a last line without newline.
func (v *verifier) lines(name string, limit int, each func(n int, line []byte)) error {
	f, ok := v.open(name)
	if !ok {
		return nil
	}
	in := bufio.NewReaderSize(contextReader{v.ctx, f}, limit)
	var failed error
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			v.problem(name, n, "is longer than %d bytes", limit)
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			failed = err
			break
		}
		if err != nil {
			if len(line) > 0 {
				v.problem(name, n, "does not end with a newline")
			}
			break
		}
		each(n, line[:len(line)-1])
	}
	if err := v.ctx.Err(); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(failed, f.Close()); err != nil {
		v.problem(name, 0, "cannot be read")
	}
	return nil
}

// extras finds files and folders that no manifest names.
func (v *verifier) extras() error {
	attest := []string{attestManifest, attestSignature}
	for name := range v.beside {
		attest = append(attest, name)
	}
	wanted := map[string]bool{}
	for name := range v.files {
		_, inTag := v.tag[name]
		_, inPayload := v.payload[name]
		switch {
		case inTag, inPayload, name == tagManifest, slices.Contains(attest, name):
			for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
				wanted[dir] = true
			}
		}
	}
	for _, name := range sortedKeys(v.files) {
		_, inTag := v.tag[name]
		_, inPayload := v.payload[name]
		if !inTag && !inPayload && name != tagManifest && !slices.Contains(attest, name) {
			v.problem(name, 0, "is in no manifest")
		}
	}
	for _, dir := range v.dirs {
		if !wanted[dir] {
			v.problem(dir+"/", 0, "holds nothing that a manifest names")
		}
	}
	return nil
}
