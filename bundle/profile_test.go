package bundle_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"prahari/bundle"
	"prahari/evidence"
)

// markedRig is a case of seven items in which every kind of fact is marked.
func markedRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	for i := len(r.items); i < 7; i++ {
		e := r.items[0]
		e.ID, e.MessageID, e.PostedAt = fmt.Sprintf("ev-item%d", i), int64(100+i), e.PostedAt.Add(time.Duration(i)*time.Hour)
		e.URL = evidence.MessageURL(e.Source, e.MessageID)
		r.items = append(r.items, e)
	}
	for i := range r.items {
		e := &r.items[i]
		c := &e.Collection
		e.Masked += fmt.Sprintf(" text-%d", i)
		e.Source.About, c.Context.PostAuthor = "about-the-source", "author-of-post"
		c.Operator, c.Account, c.Tool.Commit = "analyst:collecting-operator", "account-label", "c0ffee1"
		c.Tool.BinarySHA256 = strings.Repeat("b1", 32)
		c.Media = []evidence.Media{{ID: "m1", MIME: "application/x-marked", Size: 1}}
		e.Findings = slices.Clone(e.Findings)
		records := slices.Clone(e.Findings[0].Records)
		records[0].Identifiers = slices.Clone(records[0].Identifiers)
		records[0].Identifiers[0].Masked = "XXXX XXXX 7777"
		e.Findings[0].Records = records
	}
	r.in.Items = bundle.Each(r.items)
	r.in.Operator = "analyst:exporting-operator"
	r.in.Notices = append(r.in.Notices, evidence.Notice{ID: "N-0002", Kind: "certin-incident", Subject: "for-certin", Markdown: "for-certin"})
	r.in.Further = []bundle.Further{
		{Path: "data/machine/xarf.json", Data: []byte("{\"xarf\":1}\n")},
		{Path: "data/machine/stix.json", Data: []byte("{\"stix\":1}\n"), Least: bundle.ForRegulator},
		{Path: "data/custody/custody.case.jsonld", Data: []byte("{\"case-uco\":1}\n"), Least: bundle.ForRegulator},
	}
	r.relog()
	return r
}

// Each profile holds what its row of the matrix says, in any file, and nothing
// else (G16); and each verifies with both verifiers.
func TestProfilesHoldWhatTheMatrixSays(t *testing.T) {
	t.Parallel()
	const p, rg, c = bundle.ForPlatform, bundle.ForRegulator, bundle.ForCourt
	all, most, court := []bundle.Profile{p, rg, c}, []bundle.Profile{rg, c}, []bundle.Profile{c}
	base := markedRig(t)
	matrix := []struct {
		field, marker string // in the name or content of an open file
		in            []bundle.Profile
	}{
		{"address", "https://t.me/example_leaks/100", all},
		{"address of the last item", "https://t.me/example_leaks/106", all},
		{"source's id", "channel-1234567890", all},
		{"title", "Example leaks", all},
		{"time of posting", "2026-11-19T20:00:00Z", all},
		{"signature", "list-of-people", all},
		{"severity", `"severity": "high"`, all},
		{"signature's hash", strings.Repeat("ab", 32), all},
		{"organisation's contact", "desk@example.org", all},
		{"first masked text", "text-0", all},
		{"fifth masked text", "text-4", all},
		{"sixth masked text", "text-5", most},
		{"masks of identifiers", "XXXX XXXX 7777", most},
		{"reasons", "two identifiers of one person", most},
		{"distinct values", "Distinct values", most},
		{"source's description", "about-the-source", most},
		{"author", "author-of-post", most},
		{"attachments", "application/x-marked", most},
		{"later looks", "state_checks", most},
		{"collecting operator", "collecting-operator", most},
		{"exporting operator", "exporting-operator", most},
		{"collecting program", "c0ffee1", most},
		{"program's digest", strings.Repeat("b1", 32), most},
		{"request", "messages.getHistory", most},
		{"clock's offset", "offset_ms", most},
		{"server's time of capture", "captured_at_server_utc", most},
		{"commitment", base.items[0].Commitment, most},
		{"custody log", `"action":"collect"`, most},
		{"inclusion proof", "custody/inclusion-proof.txt:", most},
		{"gaps", "flood wait past the cap", most},
		{"authorisation", "public interest", most},
		{"environment", "generated_by", most},
		{"notice to the platform", "N-0001-telegram-abuse-mail", all},
		{"notice to an authority", "for-certin", most},
		{"machine format for all", "data/machine/xarf.json", all},
		{"machine format for some", `{"stix":1}`, most},
		{"custody as CASE", "custody.case.jsonld", most},
		{"tokens", strings.Repeat("0a", 16), court},
		{"account", "account-label", court},
		{"account's Telegram id", "777000111", court},
		{"collecting host", "collector-1", court},
		{"exporting host", "export-1", court},
		{"sealed originals", "raw-ev-item0.tar.age:", court}, // as a file of its own
		{"certificate", "solemnly affirm", court},
	}
	for _, profile := range bundle.Profiles() {
		t.Run(string(profile), func(t *testing.T) {
			t.Parallel()
			dir := base.buildAs(t, profile)
			content := files(t, dir)
			var open strings.Builder
			for name, text := range content {
				open.WriteString(name + ":\n")
				if !strings.HasSuffix(name, ".age") {
					open.WriteString(text)
				}
			}
			for _, row := range matrix {
				want := slices.Contains(row.in, profile)
				if got := strings.Contains(open.String(), row.marker); got != want {
					t.Errorf("%s: in the bundle %v, want %v", row.field, got, want)
				}
			}
			if want := "Evidence-Profile: " + string(profile) + "\n"; !strings.Contains(content["bag-info.txt"], want) {
				t.Errorf("bag-info.txt does not say %q", want)
			}
			report, err := bundle.Verify(t.Context(), dir, bundle.Options{})
			if err != nil || report.Profile != profile || report.Items != 7 {
				t.Errorf("Verify: %v, %+v", err, report)
			}
			if out, code := run(t, dir, "", "sh", "verify.sh"); code != 0 {
				t.Errorf("verify.sh: exit %d\n%s", code, out)
			}
		})
	}
}

func (r *rig) buildAs(t testing.TB, profile bundle.Profile) string {
	t.Helper()
	in := r.in
	in.Profile = profile
	result, err := bundle.Build(t.Context(), t.TempDir(), in)
	if err != nil {
		t.Fatal(err)
	}
	return result.Dir
}

// Whoever relabels a bundle, or takes a part out and reseals it, is found.
func TestProfilesCannotBeExchanged(t *testing.T) {
	t.Parallel()
	r := markedRig(t)
	for _, tc := range []struct{ from, to bundle.Profile }{
		{bundle.ForCourt, bundle.ForRegulator}, {bundle.ForCourt, bundle.ForPlatform}, {bundle.ForRegulator, bundle.ForCourt},
		{bundle.ForRegulator, bundle.ForPlatform}, {bundle.ForPlatform, bundle.ForRegulator}, {bundle.ForPlatform, bundle.ForCourt}, {bundle.ForCourt, "press"},
	} {
		dir := r.buildAs(t, tc.from)
		sh := script(t, dir)
		replace(t, dir, "bag-info.txt", "Evidence-Profile: "+string(tc.from), "Evidence-Profile: "+string(tc.to))
		reseal(t, dir, r.keyFile, "")
		if report, err := bundle.Verify(t.Context(), dir, bundle.Options{}); err == nil {
			t.Errorf("%s as %s: %+v", tc.from, tc.to, report)
		}
		if out, code := run(t, "/", "", "sh", sh, dir); code != 1 {
			t.Errorf("%s as %s: verify.sh exits %d\n%s", tc.from, tc.to, code, out)
		}
	}
}
