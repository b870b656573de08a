package bundle_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"prahari/bundle"
)

// A killed export leaves nothing under the final name, and the next one removes
// what it left; a living one's work is left alone.
func TestKilledExportIsCleanedUpByTheNext(t *testing.T) {
	if dir := os.Getenv("EXPORT_UNTIL_KILLED"); dir != "" {
		r := newRig(t)
		r.in.Archive = bundle.Tar
		r.in.Progress = func(int) {
			os.Stdout.WriteString("\nWORKING\n")
			select {}
		}
		_, err := bundle.Build(t.Context(), dir, r.in)
		t.Fatalf("the export ended: %v", err)
	}
	t.Parallel()
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestKilledExportIsCleanedUpByTheNext$")
	cmd.Env = append(os.Environ(), "EXPORT_UNTIL_KILLED="+out)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	for lines := bufio.NewScanner(stdout); lines.Scan() && lines.Text() != "WORKING"; {
	}
	partial := func() []string { // its folder and its archive
		found, err := filepath.Glob(filepath.Join(out, ".EB-*.partial-*"))
		must(t, err)
		return found
	}
	first := partial()
	if len(first) != 2 {
		t.Fatalf("the export at work has %q", first)
	}
	r := newRig(t)
	r.in.Seq = 4
	result, err := bundle.Build(t.Context(), out, r.in)
	must(t, err)
	if left := partial(); !slices.Equal(left, first) {
		t.Errorf("another export removed what a living one works on: %q", left)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	for _, name := range leftovers(t, out) {
		if !strings.HasPrefix(name, ".") && name != result.Name {
			t.Errorf("the killed export left %s", name)
		}
	}
	r.in.Seq = 3
	if result, err = bundle.Build(t.Context(), out, r.in); err != nil {
		t.Fatalf("the same export again: %v", err)
	}
	if left := partial(); left != nil {
		t.Errorf("left of the killed export: %q", left)
	}
	if _, err := bundle.Verify(t.Context(), result.Dir, bundle.Options{}); err != nil {
		t.Error(err)
	}
}
