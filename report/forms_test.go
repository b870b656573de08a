package report_test

import (
	"bytes"
	"encoding/csv"
	"mime"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"prahari/document"
	"prahari/fixtures"
	"prahari/report"
)

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// The forms as programs of other makers read them: every sentence of the plain
// text is in the PDF and in the DOCX, Hindi too.
func TestFormsReadInOtherPrograms(t *testing.T) {
	readers := map[string]struct {
		program string
		args    []string
	}{
		".pdf":  {"pdftotext", []string{"-enc", "UTF-8", "FILE", "-"}},
		".docx": {"pandoc", []string{"-f", "docx", "-t", "plain", "--wrap=none", "FILE"}},
	}
	for _, k := range [][2]string{{"telegram-abuse-mail", "en"}, {"dpdp-principal", "hi"}, {"ncrp", "hi"}, {"certin-incident", "en"}} {
		d := draftIn(t, k[0], k[1], ready())
		for ending, r := range readers {
			t.Run(k[0]+ending, func(t *testing.T) {
				if _, err := exec.LookPath(r.program); err != nil {
					t.Skipf("SKIPPED: no %s on this machine, so it did not read the draft", r.program)
				}
				path := filepath.Join(t.TempDir(), "draft"+ending)
				if err := os.WriteFile(path, d.Forms[ending], 0o600); err != nil {
					t.Fatal(err)
				}
				var args []string
				for _, a := range r.args {
					args = append(args, strings.ReplaceAll(a, "FILE", path))
				}
				out, err := exec.CommandContext(t.Context(), r.program, args...).Output()
				if err != nil {
					t.Fatal(err)
				}
				// A page ends where it likes: what stands at its head and foot is no part of the text.
				text := regexp.MustCompile(`TLP:AMBER\+STRICT N-0001, case CASE0001|DRAFT until a person reviews, signs and sends it\. Facts SHA-256 [0-9a-f]{64}|\d / \d`).ReplaceAllString(squeeze(string(out)), "")
				text, checked := squeeze(text), 0
				for line := range strings.Lines(string(d.Forms[".txt"])) {
					line = squeeze(strings.TrimLeft(line, "•! "))
					if len(line) < 20 || strings.Trim(line, "=-") == "" || strings.Contains(line, ": ") { // cells of a table are apart
						continue
					}
					checked++
					if !strings.Contains(text, line) {
						t.Errorf("%s does not read %q in\n%s", r.program, line, text)
					}
				}
				if checked < 5 {
					t.Errorf("only %d lines were compared", checked)
				}
			})
		}
	}
}

// Titles, names and answers full of attacks: no form of a notice acts.
func TestNoAttackActsInANotice(t *testing.T) {
	blanks := strings.Count(draftIn(t, "telegram-abuse-mail", "en", ready()).Notice.Markdown, "[[TO FILL: ")
	for _, a := range fixtures.Attacks() {
		t.Run(a.Name, func(t *testing.T) {
			f := ready()
			f.Case.Title, f.Targets[0].Title, f.Targets[0].Username, f.Answers.WhatItDoes, f.Samples = a.Text, a.Text, a.Text, a.Text, []string{a.Text}
			f.Answers.Complainant.Organisation, f.Answers.Complainant.Role = a.Text, a.Text
			d := draftIn(t, "telegram-abuse-mail", "en", f)
			shown := squeeze(document.Inert(a.Text))
			if n := strings.Count(squeeze(string(d.Forms[".txt"])), shown); n < 5 {
				t.Errorf("the text shows it %d times:\n%s", n, d.Forms[".txt"])
			}
			for ending, form := range d.Forms {
				if ending != ".pdf" && ending != ".docx" && strings.ContainsFunc(strings.ReplaceAll(string(form), "\r\n", "\n"), func(r rune) bool {
					return r != '\n' && r != '\t' && unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
				}) {
					t.Errorf("%s has control characters", ending)
				}
			}
			m, err := mail.ReadMessage(bytes.NewReader(d.Notice.EML))
			if err != nil {
				t.Fatal(err)
			}
			allowed := map[string]bool{"Mime-Version": true, "Content-Type": true, "X-Tlp": true, "X-Unsent": true, "Message-Id": true, "To": true, "From": true, "Subject": true, "Date": true}
			for name := range m.Header {
				if !allowed[name] {
					t.Errorf("a header %s was smuggled in", name)
				}
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			if err != nil || strings.ContainsAny(subject, "\r\n") {
				t.Errorf("the subject is %q: %v", subject, err)
			}
			if list, err := m.Header.AddressList("To"); err != nil || len(list) != 1 {
				t.Errorf("to %v: %v", list, err)
			}
			if strings.Count(d.Notice.Markdown, "[[TO FILL: ") != blanks-1 {
				t.Error("a blank was made or filled by a title") // one less: the role is filled
			}
			for _, row := range attachedCSV(t, d.Notice.EML) {
				for _, cell := range row {
					if strings.IndexAny(strings.TrimSpace(cell), "=+-@＝＋－＠") == 0 {
						t.Errorf("the cell %q is a formula", cell)
					}
				}
			}
		})
	}
}

func attachedCSV(t *testing.T, eml []byte) [][]string {
	t.Helper()
	for _, p := range parts(t, eml) {
		if strings.HasPrefix(p, "username,") {
			rows, err := csv.NewReader(strings.NewReader(p)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
	}
	t.Fatal("no targets.csv is attached")
	return nil
}

// A letter to a person shows nobody the way to the leak.
func TestLettersShowNoWay(t *testing.T) {
	for _, k := range [][2]string{{"dpdp-principal", "en"}, {"dpdp-principal", "hi"}, {"gdpr-34", "en"}, {"gdpr-34", "hi"}} {
		d := draftIn(t, k[0], k[1], ready())
		for ending, form := range d.Forms {
			if bytes.Contains(form, []byte("t.me")) || bytes.Contains(form, []byte("leaks_demo")) || bytes.Contains(form, []byte("XXXX")) {
				t.Errorf("%s in %s shows the way to the leak, or a value, in %s", k[0], k[1], ending)
			}
		}
		if n := len(parts(t, d.Notice.EML)); n != 1 {
			t.Errorf("%s has %d parts", k[0], n)
		}
	}
}

// What a user's template gets wrong is told with its place, and nothing is made.
func TestTemplatesOfUsers(t *testing.T) {
	for name, tc := range map[string]struct{ file, text, want string }{
		"a field that is not there": {"uidai.md", "{{template \"head\" .}}\n\n{{.Facts.Aadhar}}", "templates/uidai.md, line 3: .Facts.Aadhar: can't evaluate field Aadhar"},
		"a field in a branch":       {"ncrp.hi.md", "{{if .Facts.Targets}}\n{{range .Facts.Targets}}{{.Tittle}}{{end}}{{end}}", "templates/ncrp.hi.md, line 2: .Tittle: can't evaluate field Tittle"},
		"a part of all":             {"parts.md", strings.Repeat("\n", 4) + "{{.Nothing}}{{define \"head\"}}", "templates/parts.md, line 5"},
		"an unknown function":       {"withdrawal.md", "a\nb {{shout .Subject}}", "templates/withdrawal.md, line 2: function \"shout\" not defined"},
	} {
		b, err := report.Open(nil, fstest.MapFS{tc.file: {Data: []byte(tc.text)}})
		if err == nil {
			var all []string
			for _, fault := range b.CheckTemplates(report.Example()) {
				all = append(all, fault.Error())
			}
			if len(all) == 0 {
				t.Errorf("%s: nothing was found", name)
				continue
			}
			if !strings.Contains(strings.Join(all, "\n"), tc.want) {
				t.Errorf("%s: got %v, want %s", name, all, tc.want)
			}
		} else if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %s", name, err, tc.want)
		}
	}
	own, err := report.Open(nil, fstest.MapFS{"uidai.md": {Data: []byte("{{.Frame.TLP}}\n\nOur words on {{(index .Facts.Targets 0).Title}}")}})
	if err != nil {
		t.Fatal(err)
	}
	f := ready()
	f.Targets[0].Title = "# [x](javascript:1)"
	d, err := own.Draft("uidai", f, report.DraftOptions{NoticeID: "N-0001", Now: now, DraftedBy: "analyst:a1"})
	if err != nil || !strings.Contains(d.Notice.Markdown, `Our words on \# \[x\](javascript:1)`) {
		t.Errorf("a user's template does not escape: %v\n%s", err, d.Notice.Markdown)
	}
	if faults := book(t, nil).CheckTemplates(report.Example()); len(faults) > 0 {
		t.Errorf("our own templates: %v", faults)
	}
}
