package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"prahari/bundle"
	"prahari/evidence"
	"prahari/matcher"
	"prahari/scanner"
	"prahari/store"
)

// A workspace is the folder of one team, opened.
type workspace struct {
	dir    string
	config config
	db     *store.DB
	env    env
}

// Names inside a workspace.
const (
	databaseName = "prahari.db"
	tokenKeyName = "keys/token.key"
	signerName   = "keys/signing.key"
	logKeyName   = "keys/custody.key"
)

// dir returns the workspace's folder as flag, environment or default say.
func (e env) workspaceDir() string {
	for _, dir := range []string{e.global.workspace, e.getenv("PRAHARI_WORKSPACE")} {
		if dir != "" {
			return dir
		}
	}
	return "prahari-workspace"
}

// errNoWorkspace says that the folder is not one.
var errNoWorkspace = errors.New("no workspace")

// openWorkspace opens the workspace that the user named. Close it.
func (e env) openWorkspace(ctx context.Context) (*workspace, error) {
	dir := e.workspaceDir()
	c, err := readConfig(filepath.Join(dir, configName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s: run 'prahari init' there, or name another with --workspace", errNoWorkspace, dir)
	}
	if err != nil {
		return nil, err
	}
	where, err := e.database(dir, c)
	if err != nil {
		return nil, err
	}
	var mode []store.Mode
	if e.global.dryRun {
		mode = append(mode, store.AsIs)
	}
	db, err := store.Open(ctx, where, mode...)
	if err != nil {
		return nil, fmt.Errorf("opening workspace %s: %w", dir, err)
	}
	if e.global.rehearse {
		db.Rehearse()
	}
	return &workspace{dir: dir, config: c, db: db, env: e}, nil
}

// inWorkspace opens the workspace that the user named, does one thing in it, and
// closes it.
func (e env) inWorkspace(ctx context.Context, do func(*workspace) error) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	return do(w)
}

func (w *workspace) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

// close ends the use of the workspace; its error joins the command's.
func (w *workspace) close(err *error) {
	if closing := w.db.Close(); closing != nil && *err == nil {
		*err = fmt.Errorf("closing the workspace: %w", closing)
	}
}

// secretFile reads a key and refuses one that others can read.
func secretFile(path, what string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the %s: %w; restore it from your backup", what, err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the %s %s is open to others (mode %04o): run 'chmod 600 %s'", what, path, info.Mode().Perm(), path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the %s: %w; check who owns the file", what, err)
	}
	return data, nil
}

func (w *workspace) tokenKey(ctx context.Context) (evidence.TokenKey, error) {
	path := w.path(tokenKeyName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := w.tokenKeyDestroyed(ctx); err != nil {
			return evidence.TokenKey{}, err
		}
	}
	data, err := secretFile(path, "token key")
	if err != nil {
		return evidence.TokenKey{}, err
	}
	key, err := evidence.ParseTokenKey(string(data))
	if err != nil {
		return key, fmt.Errorf("token key %s: %w; restore it from your backup", path, err)
	}
	return key, nil
}

// maker makes evidence with this workspace's keys.
func (w *workspace) maker(ctx context.Context, finder *matcher.Matcher, layer int) (*evidence.Maker, error) {
	sealer, err := evidence.NewSealer(w.config.Recipients)
	if err != nil {
		return nil, fmt.Errorf("%s: recipients: %w", w.path(configName), err)
	}
	key, err := w.tokenKey(ctx)
	if err != nil {
		return nil, err
	}
	tool, err := hashedTool()
	if err != nil {
		return nil, err
	}
	tool.Layer = layer
	return &evidence.Maker{
		Sealer: sealer, Key: key, Tokenless: w.tokenless(), Canonical: matcher.Canonical, Weigh: finder.Weigh, Operator: w.env.operator(),
		Host: thisHost(), Tool: tool,
	}, nil
}

// tokenless are the kinds of which the workspace makes no tokens.
func (w *workspace) tokenless() []evidence.Kind {
	if w.config.Tokens.NoAadhaar {
		return []evidence.Kind{evidence.Aadhaar, evidence.VID}
	}
	return nil
}

// logKey is the key that signs checkpoints of the custody log. A workspace of an
// earlier version gets one; a lost one is not replaced in silence.
func (w *workspace) logKey(ctx context.Context) (evidence.LogKey, error) {
	path := w.path(logKeyName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		signed, err := w.db.Checkpoints(ctx)
		if err != nil {
			return evidence.LogKey{}, err
		}
		if len(signed) > 0 {
			return evidence.LogKey{}, fmt.Errorf("the custody key %s is not there, and it signed checkpoints: restore it from your backup", path)
		}
		if err := newLogKey(path, w.config.Organisation.Domain); err != nil {
			return evidence.LogKey{}, err
		}
	}
	data, err := secretFile(path, "custody key")
	if err != nil {
		return evidence.LogKey{}, err
	}
	key, err := evidence.ParseLogKey(string(data))
	if err != nil {
		return key, fmt.Errorf("custody key %s: %w; restore it from your backup", path, err)
	}
	return key, nil
}

// newLogKey makes the key and never replaces one.
func newLogKey(path, domain string) error {
	key, err := evidence.NewLogKey(domain)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) { // another prahari was faster
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing the custody key: %w", err)
	}
	_, err = f.WriteString(key.Encode() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the custody key: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

func (w *workspace) signer() (*bundle.Signer, error) {
	return bundle.LoadSigner(w.path(signerName))
}

func thisHost() evidence.Host {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	h := evidence.Host{Hostname: name, OS: runtime.GOOS, Arch: runtime.GOARCH}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		h.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	// The id itself must not leave the machine (machine-id(5)): a digest keyed
	// with it tells machines apart as well.
	if id, err := os.ReadFile("/etc/machine-id"); err == nil && len(bytes.TrimSpace(id)) > 0 {
		mac := hmac.New(sha256.New, bytes.TrimSpace(id))
		mac.Write([]byte("prahari"))
		h.MachineID = hex.EncodeToString(mac.Sum(nil)[:16])
	}
	return h
}

// hashedTool is thisTool with the digest of the program's file, for records.
func hashedTool() (evidence.Tool, error) {
	t := thisTool()
	f, err := os.Open("/proc/self/exe") // the file that runs, even when it was replaced since
	if errors.Is(err, fs.ErrNotExist) {
		var path string
		if path, err = os.Executable(); err == nil {
			f, err = os.Open(path)
		}
	}
	if err != nil {
		return t, fmt.Errorf("reading the program's own file, whose digest records carry: %w", err)
	}
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return t, fmt.Errorf("reading the program's own file, whose digest records carry: %w", err)
	}
	t.BinarySHA256 = hex.EncodeToString(sum.Sum(nil))
	return t, nil
}

// version is set by the Makefile's linker flags from git.
var version = "dev"

// thisTool names the running build, as collection records must.
func thisTool() evidence.Tool {
	t := evidence.Tool{Name: "prahari", Version: version, Commit: "unknown", GoVersion: runtime.Version(), Library: scanner.Library()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				t.Commit = s.Value
			}
		}
	}
	if _, commit, ok := strings.Cut(version, "+"); ok {
		t.Commit = commit
	}
	return t
}
