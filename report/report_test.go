package report_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"prahari/evidence"
	"prahari/report"
)

var update = flag.Bool("update", false, "rewrite golden files")

var now = time.Date(2026, 11, 24, 4, 30, 0, 0, time.UTC)

func book(t *testing.T, corrections fstest.MapFS) *report.Book {
	t.Helper()
	if corrections == nil {
		corrections = fstest.MapFS{}
	}
	b, err := report.Open(corrections, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func facts() report.Facts {
	channel := evidence.Source{ID: "channel-1", Kind: evidence.Channel, PeerID: 1, Username: "leaks_demo", Title: "=HYPERLINK(\"x\"), Leaks"}
	bot := evidence.Source{ID: "bot-2", Kind: evidence.Bot, PeerID: 2, Username: "lookup_demo_bot", Title: "Lookup"}
	kept := evidence.Kept{Title: "Vaccination record of a person", Records: []evidence.KeptRecord{{
		Identifiers: []evidence.KeptIdentifier{{Kind: evidence.Aadhaar, Masked: "XXXX XXXX 7058"}, {Kind: evidence.Mobile, Masked: "XXXXXX5678"}}, Fields: []string{"name", "vaccine"},
	}}}
	item := func(s evidence.Source, id int64, found ...evidence.Kept) evidence.Evidence {
		at := time.Date(2026, 11, 20, 10, int(id), 0, 0, time.UTC)
		return evidence.Evidence{ID: fmt.Sprintf("ev-%s-%d", s.ID, id), Source: s, MessageID: id, URL: evidence.MessageURL(s, id), PostedAt: at, CapturedAt: at.Add(time.Hour), Findings: found}
	}
	f := report.Gather(evidence.Case{ID: "CASE0001", Title: "Leaks"},
		[]evidence.Evidence{item(channel, 7, kept), item(channel, 9, kept), item(channel, 9), item(bot, 3, kept)},
		map[evidence.Kind]int{evidence.Aadhaar: 12, evidence.Mobile: 9, "upi": 1}, func(e evidence.Evidence) bool { return e.MessageID == 9 })
	f.Answers.Complainant = report.Complainant{Name: "A. Analyst", Organisation: "Example Trust & Safety", Email: "abuse-desk@example.org"}
	return f
}

func draft(t *testing.T, kind string, f report.Facts) report.Draft {
	t.Helper()
	d, err := book(t, nil).Draft(kind, f, report.DraftOptions{NoticeID: "N-0001", Now: now, DraftedBy: "analyst:a1"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// forms of a notice as their texts, for a kind in a language.
func kinds(t *testing.T) map[string][2]string {
	t.Helper()
	all := map[string][2]string{}
	for _, r := range book(t, nil).Routes {
		for _, l := range append([]string{}, r.Languages...) {
			all[r.Kind+"."+l] = [2]string{r.Kind, l}
		}
		if len(r.Languages) == 0 {
			all[r.Kind+".en"] = [2]string{r.Kind, "en"}
		}
	}
	if len(all) < 24 {
		t.Fatalf("only %d kinds and languages", len(all))
	}
	return all
}

func draftIn(t *testing.T, kind, language string, f report.Facts) report.Draft {
	t.Helper()
	d, err := book(t, nil).Draft(kind, f, report.DraftOptions{NoticeID: "N-0001", Language: language, Now: now, DraftedBy: "analyst:a1"})
	if err != nil {
		t.Fatalf("%s in %s: %v", kind, language, err)
	}
	return d
}

// Every kind as it is drafted with what a workspace knows, and the mails of two.
func TestDraftsAreAsKept(t *testing.T) {
	for name, k := range kinds(t) {
		d := draftIn(t, k[0], k[1], facts())
		golden(t, name+".md", []byte(d.Notice.Markdown))
		if k[0] == "telegram-abuse-mail" || k[0] == "dpdp-principal" {
			golden(t, name+".eml", d.Notice.EML)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not as kept: look at the difference, then run with -update", path)
	}
}

// The mail as a mail program reads it.
func TestMailParses(t *testing.T) {
	d := draft(t, "telegram-abuse-mail", facts())
	if bytes.Contains(bytes.ReplaceAll(d.Notice.EML, []byte("\r\n"), nil), []byte("\n")) {
		t.Error("a line does not end in CRLF")
	}
	m, err := mail.ReadMessage(bytes.NewReader(d.Notice.EML))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != d.Notice.Subject {
		t.Errorf("subject %q, %v", subject, err)
	}
	for name, want := range map[string]string{"To": "abuse@telegram.org", "From": "abuse-desk@example.org"} {
		if list, err := m.Header.AddressList(name); err != nil || len(list) != 1 || list[0].Address != want {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
	if m.Header.Get("X-Unsent") != "1" || m.Header.Get("Message-Id") == "" || m.Header.Get("Mime-Version") != "1.0" {
		t.Errorf("headers are %v", m.Header)
	}
	parts := parts(t, d.Notice.EML)
	if len(parts) != 2 || strings.Join(strings.Fields(parts[0]), " ") != strings.Join(strings.Fields(string(d.Forms[".txt"])), " ") {
		t.Fatalf("%d parts", len(parts))
	}
	rows, err := csv.NewReader(strings.NewReader(parts[1])).ReadAll()
	if err != nil || len(rows) != 5 || rows[1][3][0] != '\'' || rows[3][7] != "true" {
		t.Errorf("targets.csv is %v, %v", rows, err)
	}
}

// parts returns the decoded parts of a mail.
func parts(t *testing.T, eml []byte) []string {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(eml))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
}

// And as another language's library reads it.
func TestMailParsesInPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: no python3 on this machine, so its mail parser did not read the draft")
	}
	d := draft(t, "certin-incident", facts())
	path := filepath.Join(t.TempDir(), "draft.eml")
	if err := os.WriteFile(path, d.Notice.EML, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "python3", "-c", `
import email, email.policy, sys
m = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
assert not m.defects and all(not p.defects for p in m.walk()), [p.defects for p in m.walk()]
assert m["To"].addresses[0].addr_spec == "incident@cert-in.org.in", m["To"]
print(m["Subject"]); print([a.get_filename() for a in m.iter_attachments()]); print("12, data leak" in m.get_body().get_content())
`, path).CombinedOutput()
	if want := d.Notice.Subject + "\n['targets.csv']\nTrue\n"; err != nil || string(out) != want {
		t.Errorf("%v: got %s, want %s", err, out, want)
	}
}

func TestCorrectionsAreTaken(t *testing.T) {
	routes := `routes: [{kind: telegram-abuse-mail, title: T, recipient: other@telegram.org, addressee: A, confidence: secondary, source: S, verified_on: 2026-06-01, clocks: [IN-ITR-3-2-a-ack]}]`
	d, err := book(t, fstest.MapFS{"routes.yaml": {Data: []byte(routes)}}).Draft("telegram-abuse-mail", facts(), report.DraftOptions{NoticeID: "N-0001", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"other@telegram.org is secondary. Verify it", "more than 90 days ago"} {
		if !strings.Contains(d.Notice.Markdown, want) {
			t.Errorf("the draft does not warn: %q", want)
		}
	}
	for name, bad := range map[string]string{
		"typo":       "routs: []",
		"duration":   "deadlines: [{id: A, clock: A, duty: D, duty_holder: H, who_may_start: W, starts: complaint, duration: 36h, effective_from: 2026-01-01, citation: C, source: S, verified_on: 2026-01-01, confidence: confirmed}]",
		"confidence": "deadlines: [{id: A, clock: A, duty: D, duty_holder: H, who_may_start: W, starts: complaint, duration: PT36H, effective_from: 2026-01-01, citation: C, source: S, verified_on: 2026-01-01, confidence: sure}]",
		"date":       "deadlines: [{id: A, clock: A, duty: D, duty_holder: H, who_may_start: W, starts: complaint, duration: PT36H, effective_from: 1.1.2026, citation: C, source: S, verified_on: 2026-01-01, confidence: confirmed}]",
		"starter":    "deadlines: [{id: A, clock: A, duty: D, duty_holder: H, who_may_start: W, starts: anybody, duration: PT36H, effective_from: 2026-01-01, citation: C, source: S, verified_on: 2026-01-01, confidence: confirmed}]",
		"no start":   "deadlines: [{id: A, clock: A, duty: D, duty_holder: H, who_may_start: W, starts: complaint, duration: PT36H, citation: C, source: S, verified_on: 2026-01-01, confidence: confirmed}]",
		"backwards":  "deadlines: [{id: A, clock: A, duty: D, duty_holder: H, who_may_start: W, starts: complaint, duration: PT36H, effective_from: 2026-01-01, effective_to: 2025-01-01, citation: C, source: S, verified_on: 2026-01-01, confidence: confirmed}]",
	} {
		if _, err := report.Open(fstest.MapFS{"deadlines.yaml": {Data: []byte(bad)}}, nil); err == nil || !strings.Contains(err.Error(), "deadlines.yaml") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestNoHeaderCanBeSmuggledIn(t *testing.T) {
	for _, change := range []func(*report.Facts){
		func(f *report.Facts) { f.Answers.Complainant.Email = "a@example.org\r\nBcc: b@example.org" },
		func(f *report.Facts) { f.Answers.Complainant.Name = "A\r\nBcc: b@example.org" },
	} {
		f := facts()
		change(&f)
		if _, err := book(t, nil).Draft("telegram-abuse-mail", f, report.DraftOptions{NoticeID: "N-0001", Now: now}); err == nil {
			t.Error("a line break went into a header")
		}
	}
	f := facts()
	f.Targets[0].Username = "x\r\nBcc: b@example.org"
	d := draft(t, "telegram-abuse-mail", f)
	m, err := mail.ReadMessage(bytes.NewReader(d.Notice.EML))
	if err != nil || m.Header.Get("Bcc") != "" {
		t.Errorf("%v, %v", err, m.Header)
	}
}

func TestFactsKeepAPersonsAnswers(t *testing.T) {
	f := facts()
	f.Answers.WhatItDoes = "It answers.\nTo anyone: \"really\"."
	raw, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := report.ReadFacts("facts.yaml", raw)
	if err != nil || read.Answers != f.Answers {
		t.Errorf("got %+v, %v", read.Answers, err)
	}
	if again, err := read.Encode(); err != nil || !bytes.Equal(again, raw) {
		t.Errorf("the facts file is another when it is read and written: %v\n%s", err, again)
	}
	if _, err := report.ReadFacts("facts.yaml", []byte("answers: {complainant: {nickname: x}}")); err == nil || !strings.Contains(err.Error(), "facts.yaml") {
		t.Errorf("a typo passed: %v", err)
	}
	if f.Messages != 3 || f.Findings != 3 || len(f.Samples) != 1 || len(f.Counts) != 3 || f.Targets[0].Messages[1].Deleted != true {
		t.Errorf("gathered %+v", f)
	}
}

// What later looks showed is in the facts, on the draft, and known to the lint.
func TestLooksAreTakenUp(t *testing.T) {
	f := ready()
	f.Look([]evidence.Target{
		{SourceID: "channel-1", State: evidence.SeenLive, LastAt: now.Add(-2 * time.Hour)},
		{SourceID: "channel-1", MessageID: 7, State: evidence.SeenRemoved, LastAt: now.Add(-2 * time.Hour)},
		{SourceID: "bot-2", State: evidence.SeenRemoved, LastAt: now.Add(-time.Hour)},
		{SourceID: "channel-9", State: evidence.SeenRemoved, LastAt: now},
	})
	d := draft(t, "telegram-abuse-mail", f)
	for _, want := range []string{
		"https://t.me/leaks_demo/7 posted 2026-11-20 15:37 IST (2026-11-20 10:07 UTC), deleted at the source since", "live when checked 2026-11-24 08:00 IST (2026-11-24 02:30 UTC)",
		"removed when checked 2026-11-24 09:00 IST (2026-11-24 03:30 UTC)",
	} {
		if !strings.Contains(d.Notice.Markdown, want) {
			t.Errorf("the draft does not say %q", want)
		}
	}
	if got := rules(book(t, nil).Lint(checkOf(d, f))); !slices.Contains(got, "warn L10") {
		t.Errorf("the lint takes a removed bot for a live one: %v", got)
	}
}

// Kinds that get no token are counted, and the notice says how.
func TestCountsWithoutTokens(t *testing.T) {
	c := evidence.Case{ID: "CASE0001"}
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	item := func(id int64, counts ...int) evidence.Evidence {
		e := evidence.Evidence{ID: fmt.Sprint("ev-", id), Source: evidence.Source{ID: "channel-1", Kind: evidence.Channel, Username: "leaks_demo"}, MessageID: id, PostedAt: at, CapturedAt: at}
		for _, n := range counts {
			e.Findings = append(e.Findings, evidence.Kept{Distinct: map[evidence.Kind]int{evidence.Aadhaar: n}})
		}
		return e
	}
	f := report.Gather(c, []evidence.Evidence{item(1, 2, 3), item(2, 4)}, map[evidence.Kind]int{evidence.Mobile: 5}, func(evidence.Evidence) bool { return false })
	if want := []report.Count{{Kind: evidence.Mobile, Distinct: 5}, {Kind: evidence.Aadhaar, Distinct: 7, PerMessage: true}}; !slices.Equal(f.Counts, want) {
		t.Errorf("got %+v, want %+v", f.Counts, want)
	}
	if d := draft(t, "uidai", f); !strings.Contains(d.Notice.Markdown, "told apart within each message only: no token of them is kept") || !strings.Contains(d.Notice.Markdown, "section 29(4)") {
		t.Errorf("the draft does not say how they were counted:\n%s", d.Notice.Markdown)
	}
}

func TestGroundsNeedTheirFindings(t *testing.T) {
	f := facts()
	f.Counts = []report.Count{{Kind: evidence.Mobile, Distinct: 3}}
	if d := draft(t, "telegram-abuse-mail", f); strings.Contains(d.Notice.Markdown, "Aadhaar Act") {
		t.Error("the Aadhaar Act is cited without an Aadhaar finding")
	}
	if d := draft(t, "telegram-abuse-mail", facts()); !strings.Contains(d.Notice.Markdown, "section 29(4)") {
		t.Error("the Aadhaar Act is not cited")
	}
	if _, err := book(t, nil).Draft("nonsense\x1b", facts(), report.DraftOptions{}); !errors.Is(err, report.ErrNoKind) || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("got %v", err)
	}
}
