package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"prahari/evidence"
)

func newBackup(e env) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Copy the database while it is in use, and check the copy",
		Long: `Copy the database as it stands into a new file, also while 'prahari watch' writes. The copy
is checked as 'prahari doctor' would, custody log and tree too, before it gets its name; a
file of that name is never replaced. The copy is a moment of the database alone: keep the
keys folder and prahari.yaml apart from it, in a safe of their own. What is purged later stays in the copy until you
delete that.`,
		Example: examples("prahari backup /media/safe/prahari-2026-11-25.db", "prahari backup /media/safe/prahari-2026-11-25.db --dry-run"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if dryRun {
				return e.wouldBackup(cmd.Context(), args[0])
			}
			return e.backup(cmd.Context(), args[0])
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say how large the copy would be and whether it can lie there, copy nothing")
	return cmd
}

// wouldBackup says what backup would do.
func (e env) wouldBackup(ctx context.Context, path string) error {
	return e.inWorkspace(ctx, func(w *workspace) error {
		size, err := w.db.BackupSize(ctx)
		if err != nil {
			return err
		}
		if err := mayMake(path); err != nil {
			return backupError(path, err)
		}
		return e.done(map[string]any{"path": path, "bytes": size, "dry_run": true}, "%s would have %d bytes; nothing was copied\n", path, size)
	})
}

// backupError says what to do where something has the backup's name.
func backupError(path string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: a backup replaces nothing, name another file", path)
	}
	return err
}

// mayMake reports whether a new file can be made.
func mayMake(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "make", Path: path, Err: fs.ErrExist}
	}
	// The dot at the end: it can only be in a folder.
	if err := unix.Access(filepath.Dir(path)+"/.", unix.W_OK|unix.X_OK); err != nil {
		return &fs.PathError{Op: "make", Path: path, Err: err}
	}
	return nil
}

// backedUp is a backup as printed.
type backedUp struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func (e env) backup(ctx context.Context, path string) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	bar := e.bar(1, "copying", false)
	err = w.db.Backup(ctx, path, func(done, total int) {
		bar.ChangeMax(total)
		_ = bar.Set(done)
	})
	_ = bar.Finish()
	if err != nil {
		return backupError(path, err)
	}
	b := backedUp{Path: path}
	if b.SHA256, b.Bytes, err = digestFile(path); err != nil {
		return err
	}
	err = w.db.Append(context.WithoutCancel(ctx), evidence.Entry{
		Action: "backup", Object: "workspace", Actor: e.operator(), At: time.Now(), SHA256: b.SHA256, Reason: evidence.Caption(filepath.Base(path), 80),
	})
	if err != nil {
		return err
	}
	return e.done(b, "%s: %d bytes, checked, sha256 %s\n", b.Path, b.Bytes, b.SHA256)
}

func digestFile(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("reading the backup: %w", err)
	}
	h := sha256.New()
	size, err = io.Copy(h, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", 0, fmt.Errorf("reading the backup: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}
