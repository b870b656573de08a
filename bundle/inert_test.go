package bundle_test

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"prahari/bundle"
	"prahari/evidence"
)

// Foreign text renders inert: no escape, no formula, no script, no line of its
// own in a table, a log or bag-info.txt.
func TestHostileTextIsInert(t *testing.T) {
	t.Parallel()
	const hostile = "=cmd|'/c calc'!A1\x1b[2J\x1b]0;x\a\r\nPayload-Oxum: 1.1\n<script>alert(1)</script>\u202egnp.exe\u2028\x00\"},{\xff"
	r := newRig(t)
	e := &r.items[0]
	e.Masked, e.URL, e.Source.Username, e.Source.Title, e.Source.About = hostile, hostile, hostile, hostile, hostile
	e.Collection.Account, e.Collection.Request, e.Collection.Operator = hostile, hostile, hostile
	e.Collection.Context.PostAuthor, e.Collection.Media = hostile, []evidence.Media{{ID: hostile, MIME: hostile}}
	e.Findings[0].Rule, e.Findings[0].Title = "+rule", hostile
	r.in.Case.Title, r.in.Case.OpenedBy, r.in.Operator = hostile, hostile, hostile
	r.in.Organisation.Name, r.in.Organisation.Contact = hostile, "@contact"
	r.in.Notices[0].Subject, r.in.Notices[0].Markdown = hostile, hostile
	r.in.Authorisations[0].Reason, r.in.Gaps[0].Reason, r.in.Tool.Version = hostile, hostile, hostile
	r.in.Sightings[0].State = "-1+1"
	r.relog(func(c *evidence.Entry) { c.Reason, c.Actor, c.Object = hostile, hostile, hostile })
	dir := r.build(t)
	if _, err := bundle.Verify(t.Context(), dir, bundle.Options{}); err != nil {
		t.Fatal(err)
	}
	if out, code := run(t, dir, "", "sh", "verify.sh"); code != 0 {
		t.Errorf("verify.sh: exit %d\n%s", code, out)
	}
	for name, content := range files(t, dir) {
		if strings.HasPrefix(name, "data/sealed/raw") || strings.HasSuffix(name, ".pdf") { // package document tests what PDFs hold
			continue
		}
		for i, c := range content {
			if c < ' ' && c != '\n' && c != '\t' && !(c == '\r' && strings.HasSuffix(name, ".eml")) || c == 0x7f || c == '\u202e' || c == '\u2028' {
				t.Errorf("%s has %U at %d", name, c, i)
				break
			}
		}
		switch {
		case strings.HasSuffix(name, ".csv"):
			rows, err := csv.NewReader(strings.NewReader(content)).ReadAll()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, row := range rows {
				for _, cell := range row {
					if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
						t.Errorf("%s: cell %q is a formula", name, cell)
					}
				}
			}
		case strings.HasSuffix(name, ".json"):
			if !json.Valid([]byte(content)) || strings.Contains(content, "<script") {
				t.Errorf("%s is not JSON, or has a tag", name)
			}
		case strings.HasSuffix(name, ".html"):
			if strings.Contains(content, "<script") || !strings.Contains(content, "&lt;script&gt;") || !strings.Contains(content, `content="default-src 'none';`) {
				t.Errorf("%s: a script, or no policy", name)
			}
		}
	}
	if strings.Count(read(t, dir, "bag-info.txt"), "\nPayload-Oxum: ") != 1 {
		t.Error("bag-info.txt has a line that a value brought in")
	}
	if n := strings.Count(read(t, dir, custodyFile), "\n"); n != 9 {
		t.Errorf("the custody log has %d lines", n)
	}
}

// The drafts hold what a machine may say and nothing that a person must.
func TestCertificatesAreDrafts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := files(t, r.build(t))
	const mark = "DRAFT — not a certificate until affirmed and signed"
	for name, content := range all {
		if !strings.HasPrefix(name, "data/certificate/") || strings.HasSuffix(name, ".pdf") { // TestDraftsOnPaper reads those
			continue
		}
		// Every page starts and ends with the mark, and none is long.
		since := 0
		for i, l := range strings.Split(strings.TrimSpace(content), "\n") {
			if strings.Contains(l, mark) {
				since = 0
			} else if since++; since > 60 || i == 0 {
				t.Errorf("%s: line %d is on a page without the mark", name, i+1)
				break
			}
		}
		if !strings.HasSuffix(strings.TrimSpace(content), "=== "+mark+" ===") {
			t.Errorf("%s does not end with the mark", name)
		}
	}
	a, b := all["data/certificate/s63-part-A.DRAFT.txt"], all["data/certificate/s63-part-B.BLANK.txt"]
	if strings.Count(a, "[X]") != 1 || !strings.Contains(a, "[X] SHA256") || !strings.Contains(a, evidence.Digest([]byte(all["data/hash-report.csv"]))) {
		t.Errorf("part A ticks more or less than SHA256, or has not the hash report's digest:\n%s", a)
	}
	for _, fact := range []string{"[X]", "EB-", "CASE", "analyst", "Example", "prahari", "2026", "hash-report", "collector"} {
		if strings.Contains(b, fact) {
			t.Errorf("part B is filled in with %q", fact)
		}
	}
	for _, fact := range []string{"analyst", "Example", "export-1", "collector-1", "A. Desk", "linux"} {
		if strings.Contains(a, fact) {
			t.Errorf("part A is filled in with %q", fact)
		}
	}
	for name, content := range all {
		for _, claim := range []string{"court-admissible", "legally valid", "BSA-compliant", "certified evidence", "tamper-proof", "forensically sound"} {
			if strings.Contains(strings.ToLower(content), strings.ToLower(claim)) {
				t.Errorf("%s claims %q", name, claim)
			}
		}
	}
	if !strings.Contains(strings.ToLower(all["attest/NOTE.txt"]), "not time-stamped") {
		t.Error("the note does not say that the bundle is not time-stamped")
	}
	for _, name := range []string{"VERIFY.txt", "README.txt", "EVIDENCE-GUIDE.md", "data/report/summary.txt", "data/report/summary.json", "data/environment.json"} {
		if !strings.Contains(all[name], "attest/NOTE.txt") {
			t.Errorf("%s does not say where to find whether the bundle is time-stamped", name)
		}
	}
}

// Each line of a bundle's log is bound to its line in the workspace's log.
func TestCustodyNamesTheWorkspacesLines(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	theirs, _ := custodyOf(r.items)
	lines := strings.Split(strings.TrimSpace(read(t, r.build(t), custodyFile)), "\n")
	if len(lines) != len(theirs) {
		t.Fatalf("%d lines of %d", len(lines), len(theirs))
	}
	for i, l := range lines {
		e, err := evidence.ParseEntry([]byte(l))
		must(t, err)
		line, err := theirs[i].Line()
		must(t, err)
		if e.Seq != int64(i) || *e.LogSeq != theirs[i].Seq || e.LogSHA != evidence.Digest(line) || e.LogPrev != theirs[i].Prev || e.LogLeaf != "" || e.Object != theirs[i].Object || !e.At.Equal(theirs[i].At) {
			t.Errorf("line %d: %s", i, l)
		}
	}
}
