package store_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"prahari/evidence"
	"prahari/store"
)

// What is said of a backup beforehand is what it has.
func TestBackupSize(t *testing.T) {
	db, _ := withMarked(t, 300)
	n, err := db.BackupSize(t.Context())
	if os.Getenv(onPostgres) != "" {
		if !errors.Is(err, store.ErrServer) {
			t.Errorf("got %v", err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := errors.Join(err, db.Backup(t.Context(), path, func(int, int) {})); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != n {
		t.Errorf("said %d bytes: %v, %v", n, info.Size(), err)
	}
}

// A backup is one moment of the database, whole and checked, though others write
// all the while; it opens as a workspace's database does.
func TestBackupWhileOthersWrite(t *testing.T) {
	if os.Getenv(onPostgres) != "" {
		if err := open(t, t.TempDir()).Backup(t.Context(), filepath.Join(t.TempDir(), "x"), nil); !errors.Is(err, store.ErrServer) {
			t.Errorf("got %v", err)
		}
		return
	}
	db, _ := withMarked(t, 300)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	began := make(chan bool)
	go func() {
		for n := 1000; ; n++ {
			_, err := db.Commit(context.WithoutCancel(ctx), evidence.Batch{Actor: "analyst:a1", Evidence: []evidence.Evidence{marked(n)}})
			if n == 1000 {
				close(began)
			}
			if err != nil || ctx.Err() != nil {
				stopped <- err
				return
			}
		}
	}()
	<-began
	path := filepath.Join(t.TempDir(), "copy.db")
	last := 0
	err := db.Backup(t.Context(), path, func(done, total int) {
		if done < last || done > total {
			t.Errorf("%d of %d pages after %d", done, total, last)
		}
		last = done
	})
	stop()
	if err := errors.Join(err, <-stopped); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || last == 0 {
		t.Fatalf("%v, %v, %d pages", info, err, last)
	}
	copied, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = copied.Close() }()
	was, _, err := copied.VerifyCustody(t.Context())
	if err != nil {
		t.Error(err)
	}
	is, _, err := db.VerifyCustody(t.Context())
	if err != nil || was < 600 || was > is {
		t.Errorf("the copy has %d entries, the database %d (%v)", was, is, err)
	}
	if data, err := copied.Sealed(t.Context(), "ev-0300"); err != nil || string(data[:11]) != "SEALED-0300" {
		t.Errorf("%v", err)
	}
	if err := db.Backup(t.Context(), path, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a backup is replaced: %v", err)
	}
}

func TestBackupThatIsNotWholeIsNotKept(t *testing.T) {
	sqliteOnly(t, "a server has its own backups")
	db, dir := withMarked(t, 50)
	out := t.TempDir()
	gone, stop := context.WithCancel(t.Context())
	stop()
	if err := db.Backup(gone, filepath.Join(out, "a.db"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	withoutGuard(t, dir, "custody", `UPDATE custody SET line = replace(line, 'collect', 'discard') WHERE seq = 9`)
	if err := db.Backup(t.Context(), filepath.Join(out, "b.db"), nil); !errors.Is(err, store.ErrBroken) {
		t.Errorf("a broken log is backed up: %v", err)
	}
	if err := db.Backup(t.Context(), filepath.Join(out, "none", "c.db"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if left, err := os.ReadDir(out); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
