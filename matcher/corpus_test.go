package matcher_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/matcher"
)

// corpusMessages reads the corpus that CORPUS names: its messages one by one,
// with their offsets.
func corpusMessages(t testing.TB) (dir string, messages []string, offsets []int) {
	t.Helper()
	dir = os.Getenv("CORPUS")
	if dir == "" {
		t.Skip("SKIPPED: CORPUS names no generated corpus; 'make bench-matcher' makes one")
	}
	data, err := os.ReadFile(filepath.Join(dir, "corpus.txt"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(dir, "messages.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for line := range strings.Lines(string(list)) {
		var at, n int
		if _, err := fmt.Sscan(line, &at, &n); err != nil {
			t.Fatal(err)
		}
		messages, offsets = append(messages, text[at:at+n]), append(offsets, at)
	}
	return dir, messages, offsets
}

// TestHitsOfACorpus writes hits.tsv beside the corpus, for its scoring.
func TestHitsOfACorpus(t *testing.T) {
	dir, messages, offsets := corpusMessages(t)
	m := newMatcher(t)
	out, err := os.Create(filepath.Join(dir, "hits.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(out)
	for i, text := range messages {
		for _, x := range m.Find(text, evidence.Channel).Matches {
			kind := string(x.Kind)
			if x.Form == evidence.Masked && (x.Kind == evidence.Mobile || x.Kind == evidence.Aadhaar) {
				kind += "_masked" // as the patterns name them
			}
			fmt.Fprintf(w, "%d\t%d\t%s\t%s\n", offsets[i]+x.Start, x.End-x.Start, kind, x.Form)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSpeedOnACorpus prints the matcher's speed, message by message on one core,
// median of five: "matcher 345.6", in MB/s of 1e6 bytes. It asserts nothing:
// compare it with the yardsticks of the same run.
func TestSpeedOnACorpus(t *testing.T) {
	_, messages, _ := corpusMessages(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	m := newMatcher(t)
	t.Logf("matcher %.1f", speed(m, messages))
	worst := 0.0
	average := speed(m, messages)
	for name, text := range map[string]string{
		"digits": strings.Repeat("9", 1<<20), "masks": strings.Repeat("X", 1<<20), "spaced digits": strings.Repeat("9 ", 1<<19),
		"braces": strings.Repeat("{", 1<<20), "keys": strings.Repeat("mobile: ", 1<<17), "numbers": strings.Repeat("9812345678 ", 1<<17/11*8),
		"at signs": strings.Repeat("a@", 1<<19),
	} {
		slow := average / speed(m, []string{text})
		worst = max(worst, slow)
		t.Logf("worst-case %s %.2f", name, slow)
	}
	t.Logf("worst-case %.2f", worst)
}

func speed(m *matcher.Matcher, texts []string) float64 {
	n := 0
	for _, text := range texts {
		n += len(text)
	}
	var all []float64
	for range 5 {
		began := time.Now()
		for _, text := range texts {
			m.Find(text, evidence.Channel)
		}
		all = append(all, float64(n)/1e6/time.Since(began).Seconds())
	}
	slices.Sort(all)
	return all[2]
}
