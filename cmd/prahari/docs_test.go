package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A block is a fenced block of a page of the docs.
type block struct {
	page, language, text string
}

func blocks(t *testing.T) []block {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no docs found: %v", err)
	}
	fence := regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")
	var all []block
	for _, page := range append(pages, "../../README.md") {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllStringSubmatch(string(data), -1) {
			all = append(all, block{filepath.Base(page), m[1], m[2]})
		}
	}
	return all
}

// words splits a line of shell as far as the docs use it: quotes, and a comment.
func words(line string) []string {
	var out []string
	var word strings.Builder
	quoted, open := rune(0), false
	flush := func() {
		if open {
			out = append(out, word.String())
		}
		word.Reset()
		open = false
	}
	for _, r := range line {
		switch {
		case quoted != 0 && r == quoted:
			quoted = 0
		case quoted == 0 && (r == '\'' || r == '"'):
			quoted, open = r, true
		case quoted == 0 && r == ' ':
			flush()
		case quoted == 0 && (r == '#' && !open || r == '|' || r == '>'):
			flush()
			return out
		default:
			word.WriteRune(r)
			open = true
		}
	}
	flush()
	return out
}

// runDocs runs every `sh` block over the demo's workspace, in order, and parses
// every prahari line of the `console` blocks, which need Telegram or your files.
func runDocs(t *testing.T, home string, pages []block) {
	t.Chdir(home)
	ran := 0
	for _, b := range pages {
		if b.language != "sh" && b.language != "console" {
			continue
		}
		environ := map[string]string{}
		for _, line := range strings.Split(b.text, "\n") {
			args := words(strings.TrimPrefix(strings.TrimSpace(line), "$ "))
			switch {
			case len(args) == 2 && args[0] == "export":
				name, value, _ := strings.Cut(args[1], "=")
				environ[name] = value
				continue
			case len(args) == 0 || strings.TrimPrefix(args[0], "bin/") != "prahari":
				continue
			}
			var out, errs bytes.Buffer
			e := env{in: strings.NewReader(""), out: &out, err: &errs, getenv: func(n string) string { return environ[n] }}
			if b.language == "console" {
				e.global = &globals{}
				cmd, rest, err := newRoot(e).Find(args[1:])
				if err != nil || cmd.ParseFlags(rest) != nil || !cmd.Runnable() {
					t.Errorf("%s: %q is no command: %v", b.page, line, err)
				}
				continue
			}
			if environ["PRAHARI_WORKSPACE"] == "" { // a page that says so once says it for all its blocks
				environ["PRAHARI_WORKSPACE"] = "prahari-demo/workspace"
			}
			ran++
			if code := run(t.Context(), e, args[1:]); code != exitFine {
				t.Errorf("%s: %q ended with exit code %d\n%s", b.page, line, code, errs.String())
			}
		}
	}
	if ran < 15 {
		t.Errorf("only %d commands of the docs were run", ran)
	}
}
