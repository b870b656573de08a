package bundle_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"prahari/bundle"
	"prahari/evidence"
)

const (
	planted      = "2345 6789 0124"
	plantedPAN   = "ABCPE1234F"
	plantedEmail = "victim.name@example.in"
)

// patterns is a gate as crude as one can be: every number of ten or twelve
// digits and every address is a hit.
func patterns(_ string, content []byte) []bundle.Hit {
	var hits []bundle.Hit
	for kind, re := range map[string]*regexp.Regexp{
		"aadhaar": regexp.MustCompile(`[2-9][0-9]{3} ?[0-9]{4} ?[0-9]{4}`),
		"mobile":  regexp.MustCompile(`[6-9][0-9]{9}`),
		"pan":     regexp.MustCompile(`[A-WYZ][A-Z]{4}[0-9]{4}[A-Z]`),
		"email":   regexp.MustCompile(`[a-z.]+@[a-z.]+\.[a-z]+`),
	} {
		for _, at := range re.FindAllIndex(content, -1) {
			hits = append(hits, bundle.Hit{Kind: kind, Start: at[0], End: at[1]})
		}
	}
	return hits
}

// Digests, ids and the organisation's own lines trouble no gate, however crude.
func TestGateExcusesWhatTheBundleMustHold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.in.Gate = patterns
	r.in.Allow = append(r.in.Allow, bundle.Allowed{Text: "abuse@telegram.org", Reason: "a public address", Approver: "lead:l1"})
	if _, err := bundle.Build(t.Context(), t.TempDir(), r.in); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"x" + "desk@example.org", "desk@example.organic"} {
		r.items[0].Masked = text
		var leak *bundle.LeakError
		if _, err := bundle.Build(t.Context(), t.TempDir(), r.in); !errors.As(err, &leak) {
			t.Errorf("%q is no allowed text, and got %v", text, err)
		}
	}
}

// Every open file and every name passes the gate: a hit in any refuses the
// export and names file, kind and place, never the value.
func TestGateSeesEveryOpenFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := files(t, r.build(t))
	for _, name := range sorted(all) {
		open := !strings.HasPrefix(name, "data/sealed/raw-") && !strings.HasPrefix(name, "attest/")
		at := 2
		if strings.HasSuffix(name, "manifest-sha256.txt") {
			at = 70 // a path: the digest before it is excused
		}
		if name == "data/custody/inclusion-proof.txt" {
			at = 63 // across two lines: it holds nothing but digests
		}
		if name == "data/custody/checkpoint" {
			at = strings.Index(all[name], "\n") // after the log's name, which is excused
		}
		r.in.Gate = func(file string, content []byte) []bundle.Hit {
			if file == name && string(content) != name {
				return []bundle.Hit{{Kind: "marker", Start: at, End: at + 3}}
			}
			return nil
		}
		out := t.TempDir()
		_, err := bundle.Build(t.Context(), out, r.in)
		var leak *bundle.LeakError
		if open != errors.As(err, &leak) || open != errors.Is(err, bundle.ErrLeak) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !open {
			continue
		}
		if leak.Leaks[0] != (bundle.Leak{File: name, Part: "content", Kind: "marker", Offset: int64(at)}) || !strings.Contains(err.Error(), fmt.Sprintf("marker in %s (content) at byte %d", name, at)) {
			t.Errorf("%s: %v", name, err)
		}
		if left := leftovers(t, out); left != nil {
			t.Errorf("%s: left %q", name, left)
		}
	}
	r.in.Gate = func(at string, content []byte) []bundle.Hit {
		if string(content) == at && strings.HasPrefix(at, "data/sealed/raw-ev-item0") {
			return []bundle.Hit{{Kind: "marker", Start: 0, End: 4}}
		}
		return nil
	}
	if _, err := bundle.Build(t.Context(), t.TempDir(), r.in); !errors.Is(err, bundle.ErrLeak) || !strings.Contains(err.Error(), "marker in the name of a file in data/sealed/") {
		t.Errorf("a sealed file's name: %v", err)
	}
}

// Identifiers planted where people and foreign texts write: the export is
// refused, or the value was masked on the way. Neither file nor error has it.
func TestPlantedIdentifiersNeverGetOut(t *testing.T) {
	t.Parallel()
	all := planted + " " + plantedPAN + " " + plantedEmail
	mail := func(body, encoding, subject string) []byte {
		return []byte("From: desk@example.org\r\nTo: abuse@telegram.org\r\nSubject: " + subject + "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
			"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: " + encoding + "\r\n\r\n" + body + "\r\n--b--\r\n")
	}
	for name, tc := range map[string]struct {
		plant   func(*rig)
		refused bool
	}{
		"message":            {func(r *rig) { r.items[0].Masked += all }, true},
		"notice":             {func(r *rig) { r.in.Notices[0].Markdown += all }, true},
		"mail, as it stands": {func(r *rig) { r.in.Notices[0].EML = mail(all, "8bit", "x") }, true},
		"mail, quoted-printable with soft breaks": {func(r *rig) {
			r.in.Notices[0].EML = mail("2345 =\r\n67=389 0124", "quoted-printable", "x")
		}, true},
		"mail, base64": {func(r *rig) {
			r.in.Notices[0].EML = mail(base64.StdEncoding.EncodeToString([]byte(all)), "base64", "x")
		}, true},
		"mail, encoded subject": {func(r *rig) {
			r.in.Notices[0].EML = mail("x", "8bit", "=?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte(planted))+"?=")
		}, true},
		"operator":          {func(r *rig) { r.in.Operator = plantedEmail }, true},
		"host":              {func(r *rig) { r.in.Host.Hostname = plantedPAN }, true},
		"request":           {func(r *rig) { r.items[0].Collection.Request = planted }, true},
		"user name":         {func(r *rig) { r.items[0].Source.Username = plantedPAN }, true},
		"masked identifier": {func(r *rig) { r.items[0].Findings[0].Records[0].Identifiers[0].Masked = planted }, true},
		"custody object":    {func(r *rig) { r.relog(func(e *evidence.Entry) { e.Actor = planted }) }, true},
		"name of a file":    {func(r *rig) { r.in.Notices[0].Kind = "x-234567890124" }, true},
		"case title":        {func(r *rig) { r.in.Case.Title = all }, false},
		"source title":      {func(r *rig) { r.items[0].Source.Title = all; r.in.Sources[0].Title = all }, false},
		"about":             {func(r *rig) { r.items[0].Source.About = all }, false},
		"post author":       {func(r *rig) { r.items[0].Collection.Context.PostAuthor = all }, false},
		"media type":        {func(r *rig) { r.items[0].Collection.Media = []evidence.Media{{ID: "1", MIME: all}} }, false},
		"finding":           {func(r *rig) { r.items[0].Findings[0].Reasons = []string{all}; r.items[0].Findings[0].Title = all }, false},
		"custody reason":    {func(r *rig) { r.relog(func(e *evidence.Entry) { e.Reason = all }) }, false},
		"authorisation":     {func(r *rig) { r.in.Authorisations[0].Reason = all }, false},
		"gap":               {func(r *rig) { r.in.Gaps[0].Reason = all }, false},
		"notice subject":    {func(r *rig) { r.in.Notices[0].Subject = all }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.in.Gate = patterns
			r.in.Allow = append(r.in.Allow, bundle.Allowed{Text: "abuse@telegram.org", Reason: "a public address", Approver: "lead:l1"})
			tc.plant(r)
			result, err := bundle.Build(t.Context(), t.TempDir(), r.in)
			if tc.refused != errors.Is(err, bundle.ErrLeak) {
				t.Fatalf("got %v", err)
			}
			texts := map[string]string{"error": fmt.Sprint(err)}
			if err == nil {
				texts = files(t, result.Dir)
			}
			for file, content := range texts {
				for _, value := range []string{planted, strings.ReplaceAll(planted, " ", ""), plantedPAN, plantedEmail} {
					if strings.Contains(content, value) {
						t.Errorf("%s has %s", file, value)
					}
				}
			}
		})
	}
}

// Long files reach the gate in windows: nothing on an edge is missed, and the
// offset is that in the file.
func TestGateMissesNothingBetweenWindows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, at := range []int{0, 1<<20 - 5, 1 << 20, 2<<20 - 4096, 3<<20 - 20} {
		var text strings.Builder
		for text.Len() < at {
			text.WriteString(strings.Repeat("x", min(79, at-text.Len())))
			if text.Len() < at {
				text.WriteByte('\n')
			}
		}
		text.WriteString("\n" + planted[:9] + "\n" + planted[10:] + "\n" + strings.Repeat("y\n", 100))
		r.in.Notices[0].Markdown = text.String()
		r.in.Gate = func(_ string, content []byte) []bundle.Hit {
			if i := strings.Index(string(content), "2345 6789\n0124"); i >= 0 {
				return []bundle.Hit{{Kind: "aadhaar", Start: i, End: i + 14}}
			}
			return nil
		}
		var leak *bundle.LeakError
		if _, err := bundle.Build(t.Context(), t.TempDir(), r.in); !errors.As(err, &leak) {
			t.Errorf("at %d: %v", at, err)
		} else if len(leak.Leaks) != 1 || leak.Leaks[0].Offset != int64(at)+1 {
			t.Errorf("at %d: %+v", at, leak.Leaks)
		}
	}
}
