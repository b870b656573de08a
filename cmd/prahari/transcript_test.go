package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

const readme = "../../README.md"

// The README's transcript is what the demo prints, but for what differs from run
// to run and for lists that are cut.
func checkTranscript(t *testing.T, printed string) {
	t.Helper()
	page, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	begin, rest, ok := strings.Cut(string(page), "<!-- transcript: begin -->\n")
	old, end, ok2 := strings.Cut(rest, "<!-- transcript: end -->")
	if !ok || !ok2 {
		t.Fatal("the README has no place for the transcript")
	}
	fresh := "```text\n" + transcript(printed) + "```\n"
	if *update {
		if err := os.WriteFile(readme, []byte(begin+"<!-- transcript: begin -->\n"+fresh+"<!-- transcript: end -->"+end), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	shape := func(s string) []string {
		var titles []string
		for line := range strings.Lines(s) {
			if strings.HasPrefix(line, "──") && !strings.Contains(line, "Done in") || strings.HasPrefix(line, "$ prahari") {
				titles = append(titles, volatile(line))
			}
		}
		return titles
	}
	want, got := shape(old), shape(fresh)
	if strings.Join(want, "") != strings.Join(got, "") {
		t.Errorf("the README's transcript is not the demo's: run 'go test ./cmd/prahari -run Demo -update'\nREADME: %q\ndemo: %q", want, got)
	}
}

var changing = regexp.MustCompile(`(EB-CASE0001-0001-)\d{8}T\d{6}Z|SHA256:[A-Za-z0-9+/]{43}|(f|ev)-[a-z2-7]{16}|127\.0\.0\.1:\d+`)

func volatile(line string) string { return changing.ReplaceAllString(line, "…") }

// transcript cuts long lists.
func transcript(printed string) string {
	var out strings.Builder
	run, last := 0, ""
	for line := range strings.Lines(printed) {
		kind, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if i := strings.IndexAny(kind, "-\t"); i > 0 {
			kind = kind[:i]
		}
		if kind == last && kind != "" && kind != "$" {
			run++
		} else {
			if run > 4 {
				out.WriteString("…\n")
			}
			run, last = 0, kind
		}
		if run <= 4 {
			if r := []rune(strings.TrimRight(line, "\n")); len(r) > 150 {
				line = string(r[:149]) + "…\n"
			}
			out.WriteString(line)
		}
	}
	return out.String()
}
