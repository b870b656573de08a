package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Imports point one way, as the README's rooms say.
func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "prahari/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string][]string{
		"prahari/evidence": nil, "prahari/matcher": {"prahari/evidence"}, "prahari/store": {"prahari/evidence"}, "prahari/chart": nil, "prahari/report": {"prahari/chart", "prahari/document", "prahari/evidence"}, "prahari/document": nil,
		"prahari/triage": {"prahari/evidence"}, "prahari/alert": {"prahari/evidence"}, "prahari/exchange": {"prahari/evidence"},
		"prahari/bundle": {"prahari/chart", "prahari/document", "prahari/evidence", "prahari/tsa"}, "prahari/tsa": nil, "prahari/fixtures/demotsa": {"prahari/tsa"}, "prahari/scanner": {"prahari/evidence", "prahari/matcher"},
		"prahari/scanner/file": {"prahari/evidence"}, "prahari/fixtures": nil, "prahari/fixtures/postgres": nil, "prahari/fixtures/powercut": nil,
		"prahari/fixtures/telegram": {"prahari/fixtures"},
		"prahari/fixtures/sealing":  {"prahari/evidence", "prahari/matcher"},
		"prahari/fixtures/expect":   {"prahari/evidence", "prahari/fixtures/telegram", "prahari/matcher", "prahari/store"},
		"prahari/cmd/prahari": {
			"prahari/alert", "prahari/bundle", "prahari/document", "prahari/evidence", "prahari/exchange", "prahari/fixtures/demotsa", "prahari/fixtures/telegram", "prahari/matcher", "prahari/report", "prahari/scanner",
			"prahari/scanner/file", "prahari/store", "prahari/triage", "prahari/tsa",
		},
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		may, known := allowed[fields[0]]
		if !known {
			t.Errorf("%s is a package that this test does not know", fields[0])
		}
		for _, imported := range fields[1:] {
			if strings.HasPrefix(imported, "prahari/") {
				seen++
				if !slices.Contains(may, imported) {
					t.Errorf("%s may not import %s", fields[0], imported)
				}
			}
			if strings.HasPrefix(imported, "github.com/gotd/") && !strings.HasPrefix(fields[0], "prahari/scanner") && !strings.HasPrefix(fields[0], "prahari/fixtures/telegram") {
				t.Errorf("%s imports %s: MTProto stays behind scanner and fixtures/telegram", fields[0], imported)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d imports were looked at", seen)
	}
}
