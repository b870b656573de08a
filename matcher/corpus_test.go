package matcher_test

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/fixtures"
	"prahari/matcher"
)

// corpusClasses reads the class of each message of the corpus: l and e are leaks.
func corpusClasses(t testing.TB, dir string) []string {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(dir, "messages.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var classes []string
	for line := range strings.Lines(string(list)) {
		classes = append(classes, strings.Fields(line)[2])
	}
	return classes
}

// TestConfidenceOnACorpus prints, for each tenth of confidence, how many messages
// have a finding of it at best, and how many of them are leaks.
func TestConfidenceOnACorpus(t *testing.T) {
	dir, messages, _ := corpusMessages(t)
	classes := corpusClasses(t, dir)
	m := newMatcher(t)
	var all, leaks [10]int
	for i, text := range messages {
		best := -1.0
		for _, f := range m.Find(text, evidence.Channel).Findings {
			best = max(best, f.Confidence)
		}
		if best < 0 {
			continue
		}
		k := min(int(best*10), 9)
		all[k]++
		if strings.Contains("le", classes[i]) {
			leaks[k]++
		}
	}
	for k := range all {
		if all[k] > 0 {
			t.Logf("confidence 0.%d to %.1f: %d of %d are leaks, %.4f", k, float64(k+1)/10, leaks[k], all[k], float64(leaks[k])/float64(all[k]))
		}
	}
}

// TestConfusionOnACorpus prints a line for each kind and form of the labels: how
// many there are, how many were found, missed, and taken for another kind.
func TestConfusionOnACorpus(t *testing.T) {
	dir, messages, offsets := corpusMessages(t)
	labels, err := os.ReadFile(filepath.Join(dir, "labels.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	type hit struct {
		start, end int
		kind       string
	}
	m := newMatcher(t)
	found := make([][]hit, len(messages))
	for i, text := range messages {
		for _, x := range m.Find(text, evidence.Channel).Matches {
			found[i] = append(found[i], hit{offsets[i] + x.Start, offsets[i] + x.End, string(x.Kind)})
		}
	}
	type row struct {
		all, right, missed int
		as                 map[string]int
	}
	rows := map[string]*row{}
	for line := range strings.Lines(string(labels)) {
		var start, n, message int
		var kind, form string
		if _, err := fmt.Sscan(line, &start, &n, &kind, &form, &message); err != nil {
			t.Fatal(err)
		}
		kind, masked := strings.CutSuffix(kind, "_masked")
		if masked && form != "masked" {
			form = "masked, " + form
		}
		r := rows[kind+" | "+form]
		if r == nil {
			r = &row{as: map[string]int{}}
			rows[kind+" | "+form] = r
		}
		r.all++
		other := ""
		for _, h := range found[message] {
			if h.start >= start+n || h.end <= start {
				continue
			}
			if other = h.kind; other == kind {
				break
			}
		}
		switch other {
		case kind:
			r.right++
		case "":
			r.missed++
		default:
			r.as[other]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		r, as := rows[name], ""
		for _, kind := range slices.Sorted(maps.Keys(r.as)) {
			as += fmt.Sprintf(" %s %d", kind, r.as[kind])
		}
		t.Logf("confusion | %s | %d | %d | %d |%s", name, r.all, r.right, r.missed, as)
	}
}

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
		"talk": strings.Repeat(talk(), 16), "at signs": strings.Repeat("a@", 1<<19),
	} {
		slow := average / speed(m, []string{text})
		worst = max(worst, slow)
		t.Logf("worst-case %s %.2f", name, slow)
	}
	t.Logf("worst-case %.2f", worst)
}

// talk is a chat's worth of messages, a record in every hundred, as one text.
func talk() string {
	var b strings.Builder
	for n := 1; b.Len() < 64<<10; n++ {
		if n%100 == 0 {
			who := fixtures.MakePerson(n)
			fmt.Fprintf(&b, "Name: %s\nMobile: %s\nAadhaar: %s\n\n", who.Name, who.Mobile, who.Aadhaar)
		}
		fmt.Fprintf(&b, "kal ka match %d baje hai, ground number %d par milte hain dost\n", n%12, n%7)
	}
	return b.String()
}

// BenchmarkSize: the time per byte does not grow with the text. The first size
// holds nothing, so the gate alone looks at it.
func BenchmarkSize(b *testing.B) {
	m := newMatcher(b)
	talk := talk()
	for _, size := range []int{1 << 10, 32 << 10, 1 << 20, 32 << 20, 1 << 30} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			text := strings.Repeat(talk, size/len(talk)+1)[:size]
			b.SetBytes(int64(size))
			for b.Loop() {
				m.Find(text, evidence.File)
			}
		})
	}
}

// A text without findings costs no memory.
func TestFindAllocatesNothing(t *testing.T) {
	m := newMatcher(t)
	for _, text := range []string{
		"kal ka match 6 baje hai", "Order 404-9812345-6789012 shipped, AWB 1234567890123", "घर चलो ❤️ 20:45", "https://t.me/x/123456789012",
	} {
		m.Find(text, evidence.Channel)
		if n := testing.AllocsPerRun(100, func() { m.Find(text, evidence.Channel) }); n > 0.1 {
			t.Errorf("%q: %.0f allocations", text, n)
		}
	}
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
