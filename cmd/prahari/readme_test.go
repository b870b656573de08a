package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Who reads on from the README finds every room and every page.
func TestReadmeNamesEveryRoomAndPage(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("../../*/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no packages found: %v", err)
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no docs found: %v", err)
	}
	wanted := map[string]bool{}
	for _, file := range sources {
		wanted["\n"+filepath.Base(filepath.Dir(file))+"/ "] = true
	}
	for _, page := range pages {
		wanted["](docs/"+filepath.Base(page)+")"] = true
	}
	for name := range wanted {
		if !bytes.Contains(text, []byte(name)) {
			t.Errorf("the README does not name %q", strings.TrimSpace(name))
		}
	}
}

// A decision is cited by its number, so that no two have one and none is missing.
func TestDecisionsAreNumberedWithoutGaps(t *testing.T) {
	files, err := filepath.Glob("../../docs/decisions/[0-9]*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no decisions found: %v", err)
	}
	heading := regexp.MustCompile(`\A# (\d+)\. \S`)
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		number := fmt.Sprint(i + 1)
		name := filepath.Base(file)
		if want := fmt.Sprintf("%04d-", i+1); !strings.HasPrefix(name, want) {
			t.Fatalf("%s: its number is taken or leaves a gap, want %s…", name, want)
		}
		if m := heading.FindSubmatch(text); m == nil || string(m[1]) != number {
			t.Errorf("%s: its heading does not begin with '# %s. '", name, number)
		}
	}
}
