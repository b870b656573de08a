package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"prahari/evidence"
	"prahari/matcher"
	"prahari/store"
)

// The ratio of the speed of an export, by the program from database to durable
// bundle, to that of sha256sum and age over the same bytes: every file of the
// bundle digested by one sha256sum per some thousand names, and the same bytes
// sealed to two recipients by one age. It is exported as one tar and as a folder,
// and the folder is copied by 'cp -r' beside it, which is what the file system takes
// for so many files alone. BENCH_BUNDLE is the number of items; 'make bench-vault'
// sets it. Nothing is asserted but that the bundle is whole.
func TestSpeedOfBundle(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("BENCH_BUNDLE"))
	if err != nil || n < 1 {
		t.Skip("SKIPPED: a benchmark; 'make bench-vault' runs it")
	}
	if _, err := exec.LookPath("age"); err != nil {
		t.Skip("SKIPPED: no age on this machine to compare with")
	}
	dir := t.TempDir()
	prahari := filepath.Join(dir, "prahari")
	shell := func(script string, args ...string) spent {
		t.Helper()
		return spend(t, exec.CommandContext(t.Context(), "sh", append([]string{"-c", script, "sh"}, args...)...))
	}
	shell(`go build -o "$1" .`, prahari)
	workspace := filepath.Join(dir, "workspace")
	recipients := fillCase(t, prahari, workspace, n)

	tarAt, alone := exporting(t, prahari, workspace, filepath.Join(dir, "tar"), "--no-folder")
	found, ours := exporting(t, prahari, workspace, filepath.Join(dir, "out"))
	sums := shell(`cd "$1" && find . -type f -print0 | xargs -0 sha256sum >/dev/null`, found)
	sealing := shell(`cd "$1" && find . -type f -print0 | xargs -0 cat | age -r "$2" -r "$3" >/dev/null`, found, recipients[0], recipients[1])
	single := shell(`sha256sum "$1" >/dev/null && age -r "$2" -r "$3" "$1" >/dev/null`, tarAt, recipients[0], recipients[1])
	copied := shell(`cp -r "$1" "$2" && sync "$2"`, found, filepath.Join(dir, "copy"))
	bytes, files := sizeOf(t, found)
	verified := verifying(t, prahari, found)
	verifying(t, prahari, tarAt)
	mb := float64(bytes) / 1e6
	t.Logf("%d items, %d files, %.0f MB", n, files, mb)
	t.Logf("exported as one tar:   %v, %.0f MB/s, %.0f MB of memory at most", alone, mb/alone.clock.Seconds(), float64(alone.memory)/1e6)
	t.Logf("exported as a folder:  %v, %.0f MB/s, %.0f MB of memory at most", ours, mb/ours.clock.Seconds(), float64(ours.memory)/1e6)
	t.Logf("cp -r of the folder:   %v", copied)
	t.Logf("sha256sum of the files %v", sums)
	t.Logf("age of the files:      %v", sealing)
	t.Logf("both of the tar:       %v", single)
	t.Logf("verified in %.1f s, %.0f MB/s", verified.Seconds(), mb/verified.Seconds())
	both := spent{clock: sums.clock + sealing.clock, processor: sums.processor + sealing.processor}
	ratio := func(to spent) (clock, processor float64) {
		return both.clock.Seconds() / to.clock.Seconds(), both.processor.Seconds() / to.processor.Seconds()
	}
	clock, processor := ratio(alone)
	t.Logf("ratio bundle/coreutils %.2f (one tar; %.2f in processor time)", clock, processor)
	clock, processor = ratio(ours)
	t.Logf("ratio folder/coreutils %.2f (%.2f in processor time)", clock, processor)
	clock, processor = ratio(copied)
	t.Logf("ratio cp/coreutils %.2f (cp -r of the folder; %.2f in processor time)", clock, processor)

	// Verifying scales with bytes: the time for one in this bundle and in one of a
	// quarter of the items.
	quarter := filepath.Join(dir, "quarter")
	fillCase(t, prahari, quarter, max(1, n/4))
	found, _ = exporting(t, prahari, quarter, filepath.Join(dir, "small"))
	fewer, _ := sizeOf(t, found)
	took := verifying(t, prahari, found)
	t.Logf("verified %.0f MB in %.1f s", float64(fewer)/1e6, took.Seconds())
	t.Logf("ratio verify growth %.2f", verified.Seconds()/float64(bytes)/(took.Seconds()/float64(fewer)))
}

// A spent is what a command took of time and memory.
type spent struct {
	clock, processor time.Duration
	memory           int64 // bytes at most
}

func (s spent) String() string {
	return fmt.Sprintf("%.1f s, %.1f s of processor time", s.clock.Seconds(), s.processor.Seconds())
}

// spend runs a command, on a disk that has nothing else to write.
func spend(t *testing.T, cmd *exec.Cmd) spent {
	t.Helper()
	cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
	syscall.Sync()
	began := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	took := spent{clock: time.Since(began), processor: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		took.memory = usage.Maxrss << 10 // it counts in KiB
	}
	return took
}

// exporting exports the case of a workspace and returns the bundle's path.
func exporting(t *testing.T, prahari, workspace, out string, how ...string) (string, spent) {
	t.Helper()
	args := append([]string{"bundle", "export", "CASE0001", "--workspace", workspace, "--out", out, "--quiet"}, how...)
	took := spend(t, exec.CommandContext(t.Context(), prahari, args...))
	found, err := filepath.Glob(filepath.Join(out, "EB-*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("bundles %v, %v", found, err)
	}
	return found[0], took
}

// sizeOf counts a folder's bytes and files.
func sizeOf(t *testing.T, dir string) (bytes int64, files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			info, statting := d.Info()
			if statting != nil {
				return statting
			}
			bytes, files = bytes+info.Size(), files+1
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes, files
}

// verifying is how long a bundle takes to verify, the best of two.
func verifying(t *testing.T, prahari, bundle string) time.Duration {
	t.Helper()
	best := time.Hour
	for range 2 {
		verify := exec.CommandContext(t.Context(), prahari, "bundle", "verify", bundle)
		verify.Stdout, verify.Stderr = io.Discard, io.Discard
		began := time.Now()
		if err := verify.Run(); err != nil {
			t.Errorf("the bundle does not verify: %v", err)
		}
		best = min(best, time.Since(began))
	}
	return best
}

// fillCase makes a workspace with a case of n items, sealed to two recipients.
func fillCase(t *testing.T, prahari, workspace string, n int) (recipients []string) {
	t.Helper()
	for range 2 {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		recipients = append(recipients, identity.Recipient().String())
	}
	init := exec.CommandContext(t.Context(), prahari, "init", "--workspace", workspace, "--organisation", "Example Trust", "--domain", "example.org",
		"--contact", "A. Desk", "--email", "desk@example.org", "--recipient", recipients[0], "--recipient", recipients[1], "--quiet")
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	db, err := store.Open(t.Context(), filepath.Join(workspace, databaseName))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	source := evidence.Source{ID: "channel-1234567890", Kind: evidence.Channel, Access: evidence.Public, PeerID: 1234567890, Username: "example_leaks", Title: "Example leaks", AddedAt: time.Now()}
	if err := db.AddSource(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	sealer, err := evidence.NewSealer(recipients)
	if err != nil {
		t.Fatal(err)
	}
	finder, err := matcher.New(matcher.Config{})
	if err != nil {
		t.Fatal(err)
	}
	maker := &evidence.Maker{Sealer: sealer, Key: evidence.NewTokenKey(), Canonical: matcher.Canonical, Weigh: finder.Weigh, Operator: "analyst:bench", Host: thisHost(), Tool: thisTool()}
	posted := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	batch := evidence.Batch{Actor: "analyst:bench"}
	var findings []string
	for i := range n {
		text := fmt.Sprintf("leaked list, part %d\nName: Person %d\nAadhaar: XXXX XXXX %04d\nMobile: XXXXXX%04d\nAddress: house %d, lane %d\n%s",
			i, i, i%10000, i%10000, i%300, i%70, strings.Repeat("more of the same leak for sale, ask the bot\n", 3+i%20))
		m := evidence.Message{
			Source: source, ID: int64(i + 1), Date: posted.Add(time.Duration(i) * time.Second), CapturedAt: posted.Add(time.Duration(i)*time.Second + time.Hour),
			Text: evidence.Text(text), Origin: evidence.Backfill, Request: "messages.getHistory offset_id=100 limit=100",
			Raw: func() ([]evidence.Raw, error) {
				return []evidence.Raw{{Name: "raw.tl", Data: []byte(text)}, {Name: "raw.json", Data: []byte(strconv.Quote(text))}}, nil
			},
		}
		e, err := maker.Make(m, evidence.Result{Findings: []evidence.Finding{{
			Rule: "bench", RuleVersion: 1, RuleHash: strings.Repeat("ab", 32), Title: "A list", Severity: evidence.High, Confidence: 0.9,
			Words: []string{"leaked"}, Reasons: []string{"two labelled fields of one person"},
		}}}, "main", 7, evidence.Clock{Source: "telegram server time", OffsetMS: 12, Checked: "2026-11-01T00:00:00Z"})
		if err != nil {
			t.Fatal(err)
		}
		batch.Evidence, findings = append(batch.Evidence, e), append(findings, e.Findings[0].ID)
		if len(batch.Evidence) == 500 || i == n-1 {
			if _, err := db.Commit(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			batch.Evidence = nil
		}
	}
	if _, err := db.OpenCase(t.Context(), evidence.Case{Title: "bench", OpenedBy: "analyst:bench", OpenedAt: posted, Findings: findings}); err != nil {
		t.Fatal(err)
	}
	return recipients
}
