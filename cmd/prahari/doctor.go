package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
)

func newDoctor(e env) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check the workspace: keys, modes, database, custody log, tools",
		Long: `Check the workspace and say, for each part, whether it is well and what to do if not.
Exit code 1 when something needs a person, 5 when the custody log or the database is broken.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return e.doctor(cmd.Context()) },
	}
}

// A check is one line of the doctor's report.
type check struct {
	Check  string `json:"check"`
	State  string `json:"state"` // "ok", "warn", "bad"
	Detail string `json:"detail"`
}

func (e env) doctor(ctx context.Context) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	var checks []check
	var broken error
	add := func(name string, err error, fine string) {
		c := check{name, "ok", fine}
		if err != nil {
			c.State, c.Detail = "bad", err.Error()
			broken = errors.Join(broken, err)
		}
		checks = append(checks, c)
	}
	_, err = evidence.NewSealer(w.config.Recipients)
	add("recipients", err, fmt.Sprintf("evidence is sealed to %d keys", len(w.config.Recipients)))
	if _, err = w.tokenKey(ctx); errors.Is(err, errKeyDestroyed) {
		checks = append(checks, check{"token key", "warn", err.Error()})
	} else {
		add("token key", err, "readable, and by its owner only")
	}
	signer, err := w.signer()
	detail := ""
	if err == nil {
		detail = "bundles are signed by " + signer.Fingerprint()
	}
	add("signing key", err, detail)
	add("modes", w.modes(), "nothing in the workspace is open to others")
	proxy, err := w.proxy()
	detail = "none: connections are direct"
	if err == nil && proxy.String() != "" {
		detail = "all connections go through " + proxy.String()
	}
	add("proxy", err, detail)
	add("database", w.db.Integrity(ctx), "sound")
	entries, head, err := w.db.VerifyCustody(ctx)
	add("custody log", err, fmt.Sprintf("%d entries, unbroken, head %.12s…", entries, head))
	key, err := w.logKey(ctx)
	add("custody key", err, "readable, and by its owner only")
	if err == nil {
		signed, err := w.db.VerifyCheckpoints(ctx, key.Public())
		add("checkpoints", err, fmt.Sprintf("%s of the custody log, each a prefix of it", count(signed, "signed checkpoint")))
	}
	checks = append(checks, w.stampCheck(ctx, add))
	tombstones, err := w.db.VerifyTombstones(ctx)
	add("purged", err, fmt.Sprintf("%s; everything else has its sealed original", count(tombstones, "tombstone")))
	checks = append(checks, w.retentionCheck(ctx, add))
	if id := w.identityInside(); id != "" {
		checks = append(checks, check{"identities", "warn", id + " opens sealed evidence: move it to legal's machine"})
	} else {
		checks = append(checks, check{"identities", "ok", "no secret key that opens evidence is in the workspace"})
	}
	for _, tool := range []string{"sha256sum", "ssh-keygen", "openssl", "age"} {
		c := check{"tool " + tool, "ok", "found"}
		if _, err := exec.LookPath(tool); err != nil {
			c.State, c.Detail = "warn", "not on this machine; legal needs it to verify or open a bundle, prahari does not"
		}
		checks = append(checks, c)
	}
	if err := printList(e, checks, "", column[check]{"check", func(c check) string { return c.Check }, 0},
		column[check]{"state", func(c check) string { return c.State }, 0},
		column[check]{"detail", func(c check) string { return c.Detail }, 90}); err != nil {
		return err
	}
	if broken != nil {
		return fmt.Errorf("the workspace needs attention: %w", broken)
	}
	return nil
}

// stampCheck verifies the time stamps, and warns of those that wait.
func (w *workspace) stampCheck(ctx context.Context, add func(string, error, string)) check {
	kept, waiting, err := w.verifyStamps(ctx)
	if err == nil {
		_, err = w.stamper(ctx)
	}
	add("time stamps", err, fmt.Sprintf("%s, each verified as of its own time", count(kept, "time stamp")))
	c := check{"time stamp queue", "ok", "nothing waits"}
	switch {
	case waiting > 0:
		c.State, c.Detail = "warn", fmt.Sprintf("%d wait for their authority: 'prahari custody timestamp --list' says why", waiting)
	case len(w.config.Timestamp.Authorities) == 0:
		c.State, c.Detail = "warn", "no authority is named under timestamp.authorities in prahari.yaml: nothing proves when evidence was collected"
	}
	return c
}

// retentionCheck warns of what should have been purged.
func (w *workspace) retentionCheck(ctx context.Context, add func(string, error, string)) check {
	c := check{"retention", "ok", "nothing is past its retention"}
	all, err := w.db.Expired(ctx, w.expiry(time.Now()))
	if err != nil {
		add("retention data", err, "")
	}
	due := 0
	for _, x := range all {
		if x.Hold == "" && x.OpenCase == "" {
			due++
		}
	}
	if due > 0 {
		c.State, c.Detail = "warn", fmt.Sprintf("%s past retention: 'prahari purge --dry-run' lists what is due", count(due, "item"))
	} else if len(all) > 0 {
		c.Detail = fmt.Sprintf("%d past retention, kept by holds and open cases", len(all))
	}
	return c
}

// modes finds a file or folder of the workspace that others may read.
func (w *workspace) modes() error {
	return filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, os.ErrNotExist) { // the database's own files come and go
			return nil
		}
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".pub") { // a public key
			return nil
		}
		if info.Mode().Perm()&0o077 != 0 && d.Type()&os.ModeSymlink == 0 && (!d.IsDir() || path == w.dir) {
			return fmt.Errorf("%s has mode %04o: run 'chmod go= %s'", path, info.Mode().Perm(), path)
		}
		return nil
	})
}

// identityInside looks for an age identity where none may be.
func (w *workspace) identityInside() string {
	found := ""
	_ = filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && found == "" && path != w.sessionKeyPath() { // that one opens sessions
			if info, err := d.Info(); err == nil && info.Size() < 64<<10 {
				if data, err := os.ReadFile(path); err == nil && containsIdentity(data) {
					found = path
				}
			}
		}
		return nil
	})
	return found
}

func containsIdentity(data []byte) bool { return bytes.Contains(data, []byte("AGE-SECRET-KEY-1")) }
