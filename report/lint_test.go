package report_test

import (
	"archive/zip"
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"prahari/evidence"
	"prahari/report"
)

// ready is a case whose draft nothing keeps from being approved.
func ready() report.Facts {
	f := facts()
	f.Bundle = report.Bundle{ID: "EB-CASE0001-0001-20261123T100000Z", TagManifestSHA256: strings.Repeat("a1", 32), ExportedAt: now.Add(-time.Hour), StampedAt: now.Add(-time.Hour)}
	for i := range f.Targets {
		f.Targets[i].Status, f.Targets[i].CheckedAt = "live", now.Add(-time.Hour)
	}
	f.Answers.Complainant.Capacity = "member of the public"
	f.Answers.JournalistCheck = "no: the channel sells records"
	f.Answers.WhatItDoes = "The channel posts rows of personal data. The bot returns a person's record for a telephone number."
	f.Answers.EU.Nexus = "two persons with addresses in France"
	f.Answers.Withdrawal.Notice = "N-0001"
	f.Answers.Recipient.Email = "ciso@example.com"
	return f
}

// numbers finds twelve digits in a row, as the real finder does, and more.
func numbers(text string) []evidence.Match {
	var out []evidence.Match
	for _, at := range regexp.MustCompile(`\b[0-9]{12}\b`).FindAllStringIndex(text, -1) {
		out = append(out, evidence.Match{Kind: evidence.Aadhaar, Start: at[0], End: at[1]})
	}
	return out
}

func checkOf(d report.Draft, f report.Facts) report.LintInput {
	files := map[string][]byte{}
	for ending, content := range d.Forms {
		files[d.Notice.ID+"-"+d.Notice.Kind+ending] = content
	}
	return report.LintInput{
		Notice: d.Notice, Facts: f, Files: files, Find: numbers, Now: now, FactsSHA256: d.Notice.FactsSHA256, RouteAccepted: true, Approver: "analyst:b2",
	}
}

func rules(problems []report.Problem) []string {
	var ids []string
	for _, p := range problems {
		if id := string(p.Level) + " " + p.Rule; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Every kind can be approved once a person answered; only blanks are left.
func TestEveryKindPassesTheLint(t *testing.T) {
	b := book(t, nil)
	for name, k := range kinds(t) {
		f := ready()
		d := draftIn(t, k[0], k[1], f)
		if got := rules(b.Lint(checkOf(d, f))); len(got) > 2 || slices.ContainsFunc(got, func(r string) bool {
			return r != "warn blanks" && r != "warn L03" && (r != "warn L09" || k[0] != "telegram-grievance-in")
		}) {
			t.Errorf("%s has problems: %v", name, b.Lint(checkOf(d, f)))
		}
	}
}

// Each rule fails for what it is there for; the draft passes without the change.
func TestEachRuleFails(t *testing.T) {
	b := book(t, nil)
	edit := func(from, to string) func(*report.LintInput) {
		return func(c *report.LintInput) {
			if !strings.Contains(c.Notice.Markdown, from) {
				panic("the draft does not hold " + from)
			}
			c.Notice.Markdown = strings.ReplaceAll(c.Notice.Markdown, from, to)
		}
	}
	what := func(s string) func(*report.Facts) { return func(f *report.Facts) { f.Answers.WhatItDoes = s } }
	for name, tc := range map[string]struct {
		kind   string // "": telegram-abuse-mail
		facts  func(*report.Facts)
		change func(*report.LintInput)
		want   string
	}{
		"L01 in the answers":       {facts: what("It answers 999941057058."), want: "error L01"},
		"L01 in a title":           {facts: func(f *report.Facts) { f.Targets[0].Title = "999941057058" }, want: "error L01"},
		"L01 in a file's name":     {change: func(c *report.LintInput) { c.Files["999941057058 list.csv"] = nil }, want: "error L01"},
		"L01 in an edited DOCX":    {change: func(c *report.LintInput) { editDOCX(c, "Who asks", "999941057058") }, want: "error L01"},
		"L01 in an encoded header": {change: editMail("X-Tlp:", "X-Note: =?utf-8?b?OTk5OTQxMDU3MDU4?=\r\nX-Tlp:"), want: "error L01"},
		"L01 in base64":            {change: editMail("\r\n--prahari", "\r\n--prahari", "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nOTk5OTQxMDU3MDU4\r\n"), want: "error L01"},
		"L01 in an attached table": {change: editMail("\r\n--prahari", "", "Content-Type: application/vnd.ms-excel\r\nContent-Disposition: attachment; filename=rows.xls\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n"), want: "error L01"},
		"L01 in an attached mail":  {change: editMail("\r\n--prahari", "", "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0K\r\n"), want: "error L01"},
		"L01 in escaped JSON":      {change: editMail("\r\n--prahari", "", "Content-Type: application/json\r\nContent-Disposition: attachment; filename=a.json\r\n\r\n\"\\u003999941057058\"\r\n"), want: "error L01"},
		"L01 split by tags":        {change: editMail("\r\n--prahari", "", "Content-Type: text/html\r\n\r\n9999<b></b>41057058\r\n"), want: "error L01"},
		"L01 beside a picture":     {change: func(c *report.LintInput) { editDOCX(c, "<w:body>", `<w:body><x descr="999941057058"/>`) }, want: "error L01"},
		"L02 another target": {change: func(c *report.LintInput) {
			c.Files["N-0001-telegram-abuse-mail.txt"] = []byte("To: abuse@telegram.org, see https://t.me/other")
		}, want: "error L02"},
		"L04 in Hindi":             {facts: what("तीन घंटे में हटाएँ।"), want: "error L04"},
		"L04 in short":             {facts: what("Act within 3 hrs."), want: "error L04"},
		"L04 a space of its own":   {facts: what("Act within 3\u00a0hours."), want: "error L04"},
		"L05 in minutes":           {facts: what("Act within 120 minutes."), want: "error L05"},
		"L12 another hyphen":       {facts: what("It is tamper\u2011proof."), want: "error L12"},
		"L12 without a hyphen":     {facts: what("It is tamper proof."), want: "error L12"},
		"L16 more than consistent": {facts: what("Not only consistent with, it is CoWIN data."), want: "error L16"},
		"L16 sourced from":         {facts: what("It was sourced from CoWIN."), want: "error L16"},
		"L02 no target":            {facts: func(f *report.Facts) { f.Targets = nil }, want: "error L02"},
		"L02 no name in the PDF":   {change: func(c *report.LintInput) { c.Files["N-0001-telegram-abuse-mail.txt"] = []byte("remove it") }, want: "error L02"},
		"L03 no row":               {change: edit("row IN-ITR-3-2-a-ack, ", ""), want: "error L03"},
		"L03 a row of before":      {change: edit("IN-ITR-3-2-a-resolve.2", "IN-ITR-3-2-a-resolve.1"), want: "error L03"},
		"L03 an unknown row":       {change: edit("IN-ITR-3-2-a-resolve.2", "IN-NOTHING"), want: "error L03"},
		"L04 three hours":          {facts: what("Act within 3 hours."), want: "error L04"},
		"L05 two hours":            {facts: what("Act within two hours."), want: "error L05"},
		"L06 no Aadhaar":           {facts: func(f *report.Facts) { f.Counts = f.Counts[1:]; f.Answers.WhatItDoes = "It breaks the Aadhaar Act." }, want: "error L06"},
		"L06 no link with the EU":  {kind: "telegram-dsa", facts: func(f *report.Facts) { f.Answers.EU.Nexus = "" }, want: "error L06"},
		"L06 an agency's basis":    {facts: what("Remove it under section 79(3)(b) of the IT Act."), want: "error L06"},
		"L06 blocking":             {facts: what("Block it under section 69A."), want: "error L06"},
		"L06 a threat":             {facts: what("The penalty is ₹250 crore."), want: "error L06"},
		"L06 no Aadhaar for UIDAI": {kind: "uidai", facts: func(f *report.Facts) { f.Counts = f.Counts[1:] }, want: "error L06"},
		"L07 no capacity":          {facts: func(f *report.Facts) { f.Answers.Complainant.Capacity = "" }, want: "error L07"},
		"L07 no authority":         {facts: func(f *report.Facts) { f.Answers.Complainant.Capacity = "authorised agent" }, want: "error L07"},
		"L07 an expired authority": {facts: func(f *report.Facts) { f.Answers.Complainant.AuthorityExpires = "2026-11-24" }, want: "error L07"},
		"L09 not verified":         {kind: "uidai", change: func(c *report.LintInput) { c.RouteAccepted = false }, want: "error L09"},
		"L09 no banner":            {kind: "uidai", change: edit("Verify it before first use.", ""), want: "error L09"},
		"L09 the sole route":       {kind: "telegram-grievance-in", want: "warn L09"},
		"L10 gone already":         {facts: func(f *report.Facts) { f.Targets[0].Status = string(evidence.SeenRemoved) }, want: "warn L10"},
		"L10 a day ago":            {change: func(c *report.LintInput) { c.Now = now.Add(30 * time.Hour) }, want: "warn L10"},
		"L10 three days ago":       {change: func(c *report.LintInput) { c.Now = now.Add(80 * time.Hour) }, want: "error L10"},
		"L11 twice":                {change: func(c *report.LintInput) { c.Others = []evidence.Notice{sent(c.Notice)} }, want: "error L11"},
		"L11 withdraws nothing":    {kind: "withdrawal", facts: func(f *report.Facts) { f.Answers.Withdrawal.Notice = "" }, want: "error L11"},
		"L12 a banned word":        {facts: what("Their server was hacked."), want: "error L12"},
		"L12 in an edited DOCX":    {change: func(c *report.LintInput) { editDOCX(c, "Who asks", "tamper-proof") }, want: "error L12"},
		"L13 too many samples":     {facts: func(f *report.Facts) { f.Samples = make([]string, 6) }, want: "error L13"},
		"L13 an open sample":       {facts: func(f *report.Facts) { f.Samples = []string{"aadhaar 999941057058"} }, want: "error L13"},
		"L13 no method":            {change: edit("distinct keyed digests", "things"), want: "error L13"},
		"L14 no label":             {change: edit("TLP:AMBER+STRICT\n\n", "\n"), want: "error L14"},
		"L14 a weaker label":       {facts: what("It is TLP:GREEN."), want: "error L14"},
		"L15 no bundle":            {facts: func(f *report.Facts) { f.Bundle = report.Bundle{} }, want: "error L15"},
		"L15 another bundle":       {change: func(c *report.LintInput) { c.Facts.Bundle.ID = "EB-CASE0001-0002-20261123T110000Z" }, want: "error L15"},
		"L15 no time-stamp":        {facts: func(f *report.Facts) { f.Bundle.StampedAt = time.Time{} }, want: "warn L15"},
		"L16 this is CoWIN data":   {facts: what("This is CoWIN data."), want: "error L16"},
		"L16 leaked from":          {facts: what("It was leaked from the ICMR."), want: "error L16"},
		"L16 was breached":         {facts: what("DigiLocker was breached."), want: "error L16"},
		"L17 a private target":     {facts: func(f *report.Facts) { f.Targets[1].Username, f.Targets[1].URL = "", "" }, want: "warn L17"},
		"L18 signed by a program":  {change: edit("[[TO FILL: by the person who signs]]", "A. Analyst"), want: "error L18"},
		"L18 a complainant's data": {kind: "ncrp", change: edit("Parent or spouse: [[TO FILL: complainant]]", "Parent or spouse: R"), want: "error L18"},
		"L19 no UTC":               {change: edit(" (2026-11-24 04:30 UTC)", ""), want: "error L19"},
		"L19 CERT-In's form":       {kind: "certin-incident", change: edit("20/11/2026 15:33 IST", "20 November"), want: "error L19"},
		"L20 children":             {change: func(c *report.LintInput) { c.Facts.Answers.CSAM = true }, want: "error L20"},
		"L21 no sender":            {facts: func(f *report.Facts) { f.Answers.Complainant.Email = "" }, want: "error L21"},
		"L21 no recipient":         {kind: "data-fiduciary", facts: func(f *report.Facts) { f.Answers.Recipient.Email = "" }, want: "error L21"},
		"L21 a second recipient":   {change: editMail("X-Tlp:", "Cc: b@example.org\r\nX-Tlp:"), want: "error L21"},
		"L21 no mail":              {change: func(c *report.LintInput) { c.Files["N-0001-telegram-abuse-mail.eml"] = []byte("\x00") }, want: "error L21"},
		"L22 no banner":            {kind: "dpdp-principal", change: edit("not yet in force", "in force"), want: "error L22"},
		"L23 no evidence":          {facts: func(f *report.Facts) { f.EvidenceIDs = nil }, want: "error L23"},
		"L24 other facts":          {change: func(c *report.LintInput) { c.FactsSHA256 = strings.Repeat("0", 64) }, want: "error L24"},
		"L24 no hash": {change: func(c *report.LintInput) {
			c.Notice.Markdown = strings.ReplaceAll(c.Notice.Markdown, c.Notice.FactsSHA256, "")
		}, want: "error L24"},
		"L25 an expired allowance":     {change: func(c *report.LintInput) { c.Authorisations = []string{"authorisation A-0001 expired on 2026-11-01"} }, want: "error L25"},
		"L26 the drafter":              {change: func(c *report.LintInput) { c.Approver = "Analyst:A1" }, want: "error L26"},
		"G25 a journalist":             {facts: func(f *report.Facts) { f.Answers.JournalistCheck = "" }, want: "error G25"},
		"forms, no DOCX":               {change: func(c *report.LintInput) { c.Files["N-0001-telegram-abuse-mail.docx"] = []byte("x") }, want: "error forms"},
		"forms, a PDF of another hand": {change: func(c *report.LintInput) { c.Files["N-0001-telegram-abuse-mail.pdf"] = []byte("%PDF-1.4") }, want: "error forms"},
	} {
		t.Run(name, func(t *testing.T) {
			f := ready()
			if tc.facts != nil {
				tc.facts(&f)
			}
			kind := tc.kind
			if kind == "" {
				kind = "telegram-abuse-mail"
			}
			c := checkOf(draftIn(t, kind, "en", f), f)
			if tc.change != nil {
				tc.change(&c)
			}
			problems := b.Lint(c)
			if !slices.Contains(rules(problems), tc.want) {
				t.Errorf("got %v, want %s", problems, tc.want)
			}
			for _, p := range problems {
				if strings.Contains(p.Text, "999941057058") && p.Rule == "L01" && !strings.Contains(name, "name") {
					t.Errorf("the problem shows the value: %s", p.Text)
				}
			}
		})
	}
}

// What a rule lets through.
func TestRulesLetPass(t *testing.T) {
	b := book(t, nil)
	for name, change := range map[string]func(*report.Facts){
		"a field set that is consistent": func(f *report.Facts) { f.Answers.WhatItDoes = "The fields are consistent with CoWIN data." },
		"a source with its basis": func(f *report.Facts) {
			f.Answers.WhatItDoes, f.Answers.SourceBasis = "This is CoWIN data.", "press release of the Ministry, 1 November 2026"
		},
		"three hours by a court's order": func(f *report.Facts) {
			f.Answers.WhatItDoes = "Act within 3 hours."
			f.Answers.CourtOrder = report.CourtOrder{What: "order of 20 November 2026", SHA256: strings.Repeat("b", 64)}
		},
		"two hours for one's own images": func(f *report.Facts) {
			f.Answers.WhatItDoes, f.Answers.PrivateImages, f.Answers.Complainant.Capacity = "Act within 2 hours.", true, "affected individual"
		},
		"an agent whose authority holds": func(f *report.Facts) {
			f.Answers.Complainant.Capacity, f.Answers.Complainant.Authority, f.Answers.Complainant.AuthorityExpires = "authorised agent", "letter of 1 November", "2026-11-25"
		},
	} {
		f := ready()
		change(&f)
		if got := rules(b.Lint(checkOf(draftIn(t, "telegram-abuse-mail", "en", f), f))); !slices.Equal(got, []string{"warn blanks"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	f := ready()
	c := checkOf(draftIn(t, "telegram-abuse-mail", "en", f), f)
	c.Others, c.Notice.FollowUp = []evidence.Notice{sent(c.Notice)}, true
	if got := rules(b.Lint(c)); !slices.Equal(got, []string{"warn blanks"}) {
		t.Errorf("a follow-up: %v", got)
	}
	corrected := book(t, fstest.MapFS{"grounds.yaml": {Data: []byte("grounds: [{id: X, citation: IT Rules 2021, says: x, source: s, confidence: unconfirmed}]")}})
	if got := rules(corrected.Lint(checkOf(draftIn(t, "telegram-abuse-mail", "en", f), f))); !slices.Contains(got, "error L08") {
		t.Errorf("an unconfirmed ground in the draft: %v", got)
	}
}

func TestNothingIsDraftedOfChildren(t *testing.T) {
	f := ready()
	f.Answers.CSAM = true
	for _, r := range book(t, nil).Routes {
		if _, err := book(t, nil).Draft(r.Kind, f, report.DraftOptions{NoticeID: "N-0001", Now: now}); err == nil || !strings.Contains(err.Error(), "stopCA@telegram.org") {
			t.Errorf("%s: got %v", r.Kind, err)
		}
	}
}

func sent(n evidence.Notice) evidence.Notice {
	n.ID, n.Events = "N-0009", []evidence.NoticeEvent{{Step: evidence.NoticeApproved}, {Step: evidence.NoticeSent}}
	return n
}

// editMail changes the mail; more is a part to put before the last boundary.
func editMail(from, to string, more ...string) func(*report.LintInput) {
	return func(c *report.LintInput) {
		name := "N-0001-telegram-abuse-mail.eml"
		text := string(c.Files[name])
		if len(more) > 0 {
			at := strings.LastIndex(text, from)
			boundary := strings.TrimSuffix(strings.TrimSpace(text[at:]), "--")
			text = text[:at] + "\r\n" + boundary + "\r\n" + more[0] + text[at:]
		} else {
			text = strings.Replace(text, from, to, 1)
		}
		c.Files[name] = []byte(text)
	}
}

// editDOCX changes a text in a DOCX as a word processor would.
func editDOCX(c *report.LintInput, from, to string) {
	name := "N-0001-telegram-abuse-mail.docx"
	r, err := zip.NewReader(bytes.NewReader(c.Files[name]), int64(len(c.Files[name])))
	if err != nil {
		panic(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		in, _ := f.Open()
		content, _ := io.ReadAll(in)
		part, _ := w.Create(f.Name)
		_, _ = part.Write(bytes.ReplaceAll(content, []byte(from), []byte(to)))
	}
	_ = w.Close()
	c.Files[name] = out.Bytes()
}
