package bundle_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"prahari/bundle"
	"prahari/evidence"
)

func TestBundleVerifies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	out := t.TempDir()
	result, err := bundle.Build(t.Context(), out, r.in)
	if err != nil {
		t.Fatal(err)
	}
	if want := "EB-CASE0007-0003-20261120T062200Z"; result.Name != want || result.Dir != filepath.Join(out, want) {
		t.Errorf("made %s in %s, want %s", result.Name, result.Dir, want)
	}
	report, err := bundle.Verify(t.Context(), result.Dir, bundle.Options{SignerFingerprint: r.in.Signer.Fingerprint()})
	if err != nil {
		t.Fatalf("%v\n%+v", err, report)
	}
	if !report.OK || !report.SignerCompared || report.Bundle != result.Name || report.TagManifestSHA256 != result.TagManifestSHA256 ||
		report.CustodyHead != result.CustodyHead || report.SignerFingerprint != result.SignerFingerprint || report.Items != 4 || report.Files != result.Files {
		t.Errorf("report %+v\nresult %+v", report, result)
	}
	for _, c := range report.Checks {
		if want := map[bool]bundle.Status{true: bundle.Skip, false: bundle.Pass}[c.Name == "time stamp" || c.Name == stampsStep]; c.Status != want {
			t.Errorf("%s: %s %s", c.Name, c.Status, c.Detail)
		}
	}
	if _, err := bundle.Build(t.Context(), out, r.in); !errors.Is(err, bundle.ErrExists) {
		t.Errorf("building it again: %v", err)
	}
}

func TestBundleHasTheDocumentedLayout(t *testing.T) {
	t.Parallel()
	dir := newRig(t).build(t)
	want := []string{
		"EVIDENCE-GUIDE.md", "README.txt", "VERIFY.txt", "attest/NOTE.txt", "attest/allowed_signers", "attest/manifest-sha256.txt", "attest/manifest-sha256.txt.sig", "attest/tagmanifest-sha256.txt.sig",
		"bag-info.txt", "bagit.txt", "data/authorization/authorization.json",
		"data/certificate/annex-I-particulars.txt", "data/certificate/annex-II-verification.txt",
		"data/certificate/annex-II-verification.pdf", "data/certificate/s63-part-A.DRAFT.pdf", "data/certificate/s63-part-A.DRAFT.txt", "data/certificate/s63-part-B.BLANK.pdf", "data/certificate/s63-part-B.BLANK.txt",
		"data/coverage.json", "data/custody/checkpoint", "data/custody/custody.jsonl", "data/custody/custody.txt", "data/custody/inclusion-proof.txt", "data/environment.json", "data/hash-report.csv", "data/items.csv",
		"data/notices/N-0001-telegram-abuse-mail.eml", "data/notices/N-0001-telegram-abuse-mail.md", "data/notices/N-0001-telegram-abuse-mail.pdf",
		"data/report/summary.html", "data/report/summary.json", "data/report/summary.txt", "data/sealed/commitments.csv",
		"index.html", "manifest-sha256.txt", "tagmanifest-sha256.txt", "verify.sh",
	}
	for _, id := range []string{"ev-item0", "ev-item1", "ev-item2", "ev-item3"} {
		want = append(want, "data/items/"+id+"/record.json", "data/items/"+id+"/message.redacted.json", "data/sealed/raw-"+id+".tar.age")
	}
	slices.Sort(want)
	if got := sorted(files(t, dir)); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, walking error) error {
		info, err := d.Info()
		if err = errors.Join(walking, err); err == nil && (info.Mode().Perm()&0o077 != 0 || !info.ModTime().Equal(exported.Truncate(time.Second))) {
			t.Errorf("%s: mode %s, time %s", path, info.Mode(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An ed25519 signature is the same for the same bytes: so is the whole bundle.
func TestSameInputGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.in.Archive = bundle.Tar
	first, err := bundle.Build(t.Context(), t.TempDir(), r.in)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(r.in.Observed)
	slices.Reverse(r.in.Sources)
	second, err := bundle.Build(t.Context(), t.TempDir(), r.in)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := files(t, first.Dir), files(t, second.Dir); !maps.Equal(a, b) {
		for name := range a {
			if a[name] != b[name] {
				t.Errorf("%s differs", name)
			}
		}
	}
	if first.ArchiveSHA256 == "" || first.ArchiveSHA256 != second.ArchiveSHA256 {
		t.Errorf("archives %s and %s", first.ArchiveSHA256, second.ArchiveSHA256)
	}
}

func TestArchiveUnpacksToTheBundle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.in.Archive = bundle.Tar
	result, err := bundle.Build(t.Context(), t.TempDir(), r.in)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(result.Archive)
	if err != nil {
		t.Fatal(err)
	}
	if evidence.Digest(data) != result.ArchiveSHA256 {
		t.Error("the archive's digest is another")
	}
	for in := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(h.Name, result.Name+"/") || h.Uid != 0 || h.Uname != "" {
			t.Errorf("entry %+v", h)
		}
	}
	to := t.TempDir()
	if out, code := run(t, to, "", "tar", "xf", result.Archive); code != 0 {
		t.Fatalf("tar: %s", out)
	}
	if _, err := bundle.Verify(t.Context(), filepath.Join(to, result.Name), bundle.Options{}); err != nil {
		t.Error(err)
	}
	if report, err := bundle.Verify(t.Context(), result.Archive, bundle.Options{}); err != nil || report.Items != len(r.items) {
		t.Errorf("verifying the tar itself: %v", err)
	}
}

// leftovers lists what a failed Build left behind.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestInterruptedBuildLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{false, true} {
		interrupt(t, alone)
	}
}

func interrupt(t *testing.T, alone bool) {
	t.Helper()
	r := newRig(t)
	r.in.Archive, r.in.NoFolder = bundle.Tar, alone
	for stop := range len(r.items) {
		ctx, cancel := context.WithCancel(t.Context())
		in := r.in
		in.Progress = func(n int) {
			if n == stop+1 {
				cancel()
			}
		}
		out := t.TempDir()
		if _, err := bundle.Build(ctx, out, in); !errors.Is(err, context.Canceled) {
			t.Errorf("stopped after item %d: %v", stop, err)
		}
		if left := leftovers(t, out); left != nil {
			t.Errorf("stopped after item %d: left %q", stop, left)
		}
		cancel()
	}
	// At the last moment: the gate runs when all is written.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, out := r.in, t.TempDir()
	in.Gate = func(string, []byte) []bundle.Hit { cancel(); return nil }
	if _, err := bundle.Build(ctx, out, in); !errors.Is(err, context.Canceled) || leftovers(t, out) != nil {
		t.Errorf("stopped at the gate: %v, left %q", err, leftovers(t, out))
	}
}

func TestBuildRefusesWhatItCannotVouchFor(t *testing.T) {
	t.Parallel()
	broken := errors.New("the store is broken")
	for name, tc := range map[string]struct {
		damage func(*rig)
		say    string
	}{
		"no items":            {func(r *rig) { r.in.Items = bundle.Each[evidence.Evidence](nil) }, "no evidence"},
		"no custody":          {func(r *rig) { r.in.Custody = bundle.Each[evidence.Entry](nil) }, "no entry"},
		"no gate":             {func(r *rig) { r.in.Gate = nil }, "Gate is required"},
		"no signer":           {func(r *rig) { r.in.Signer = nil }, "Signer is required"},
		"no organisation":     {func(r *rig) { r.in.Organisation.Name = " " }, "no name"},
		"hostile domain":      {func(r *rig) { r.in.Organisation.Domain = "x\ny" }, "domain"},
		"hostile case":        {func(r *rig) { r.in.Case.ID = "../x" }, "case's id"},
		"number 0":            {func(r *rig) { r.in.Seq = 0 }, "between 1 and 9999"},
		"odd previous digest": {func(r *rig) { r.in.Prev = "none" }, "64 hex digits"},
		"store fails midway": {func(r *rig) {
			r.in.Items = func(yield func(evidence.Evidence, error) bool) {
				_ = yield(r.items[0], nil) && yield(evidence.Evidence{}, broken)
			}
		}, broken.Error()},
		"changed sealed bytes": {func(r *rig) { r.items[1].Sealed = append([]byte("x"), r.items[1].Sealed[1:]...) }, "not those that were recorded"},
		"not age": {func(r *rig) {
			r.items[1].Sealed = []byte("plaintext")
			r.items[1].SealedSHA, r.items[1].SealedSize = evidence.Digest(r.items[1].Sealed), 9
		}, "not an age file"},
		"no sealed bytes":              {func(r *rig) { r.items[0].Sealed = nil }, "no sealed bytes"},
		"no commitment":                {func(r *rig) { r.items[0].Commitment = "" }, "no commitment"},
		"item twice":                   {func(r *rig) { r.items[1] = r.items[0] }, "twice"},
		"items unordered":              {func(r *rig) { r.items[0], r.items[1] = r.items[1], r.items[0] }, "in the order of posting"},
		"odd profile":                  {func(r *rig) { r.in.Profile = "press" }, "profile"},
		"odd archive":                  {func(r *rig) { r.in.Archive = "rar" }, "tar or a zip"},
		"no folder, no archive":        {func(r *rig) { r.in.NoFolder, r.in.Archive = true, "" }, "has to be a tar or a zip"},
		"item twice, and later":        {func(r *rig) { r.items[2].ID = r.items[0].ID }, "twice"},
		"odd tender":                   {func(r *rig) { r.in.Tender = "all" }, "redacted exhibits or the originals"},
		"further file in an odd place": {func(r *rig) { r.in.Further = []bundle.Further{{Path: "data/sealed/x"}} }, "not a place"},
		"further file that climbs":     {func(r *rig) { r.in.Further = []bundle.Further{{Path: "data/machine/../x"}} }, "cannot be in a bundle"},
		"exception without approver":   {func(r *rig) { r.in.Allow[0].Approver = " " }, "who approved it"},
		"exception without reason":     {func(r *rig) { r.in.Allow[0].Reason = "" }, "a reason"},
		"hostile item id":              {func(r *rig) { r.items[0].ID = "../../x" }, "item's id"},
		"hostile notice":               {func(r *rig) { r.in.Notices[0].Kind = "a/b" }, "notice's id"},
		"mail with escape": {func(r *rig) {
			r.in.Notices[0].EML = []byte("Subject: x\r\n\r\n\x1b[31m")
		}, "control character at byte 14"},
		"custody out of order": {func(r *rig) {
			c, _ := custodyOf(r.items)
			c[0], c[1] = c[1], c[0]
			r.in.Custody = bundle.Each(c)
		}, "must rise"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, alone := range []bool{false, true} {
				r := newRig(t)
				if r.in.NoFolder = alone; alone {
					r.in.Archive = bundle.Zip
				}
				tc.damage(r)
				out := t.TempDir()
				_, err := bundle.Build(t.Context(), out, r.in)
				if err == nil || !strings.Contains(err.Error(), tc.say) {
					t.Errorf("got %v, want %q", err, tc.say)
				}
				if left := leftovers(t, out); left != nil {
					t.Errorf("left %q", left)
				}
			}
		})
	}
}

func TestVerifyTellsWhatIsNoBundle(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for _, dir := range []string{empty, filepath.Join(empty, "missing")} {
		if _, err := bundle.Verify(t.Context(), dir, bundle.Options{}); !errors.Is(err, bundle.ErrNotBundle) || errors.Is(err, bundle.ErrBroken) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if _, err := bundle.Verify(t.Context(), newRig(t).build(t), bundle.Options{SignerFingerprint: "MD5:00"}); err == nil || errors.Is(err, bundle.ErrBroken) {
		t.Errorf("an odd fingerprint: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bundle.Verify(ctx, newRig(t).build(t), bundle.Options{}); !errors.Is(err, context.Canceled) || errors.Is(err, bundle.ErrBroken) {
		t.Errorf("interrupted: %v", err)
	}
}
