package bundle_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"prahari/bundle"
	"prahari/evidence"
)

// An archive alone is the archive that stands beside a folder, byte for byte; it
// unpacks to that folder, which its own script accepts.
func TestArchiveAloneIsTheBundle(t *testing.T) {
	t.Parallel()
	for kind, unpack := range map[bundle.ArchiveKind][]string{bundle.Tar: {"tar", "xf"}, bundle.Zip: {"unzip", "-q"}} {
		for _, profile := range bundle.Profiles() {
			t.Run(string(kind)+" for a "+string(profile), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				r.in.Profile, r.in.Archive = profile, kind
				both, err := bundle.Build(t.Context(), t.TempDir(), r.in)
				must(t, err)
				r.in.NoFolder = true
				out := t.TempDir()
				alone, err := bundle.Build(t.Context(), out, r.in)
				must(t, err)
				if left := leftovers(t, out); !slices.Equal(left, []string{both.Name + "." + string(kind)}) || alone.Dir != "" {
					t.Errorf("the export left %q, and says it made the folder %q", left, alone.Dir)
				}
				data, err := os.ReadFile(alone.Archive)
				must(t, err)
				beside, err := os.ReadFile(both.Archive)
				must(t, err)
				if string(data) != string(beside) || alone.ArchiveSHA256 != evidence.Digest(data) || both.ArchiveSHA256 != alone.ArchiveSHA256 {
					t.Error("alone it is another than beside a folder, or than its digest")
				}
				whole, err := bundle.Verify(t.Context(), both.Dir, bundle.Options{})
				must(t, err)
				report, err := bundle.Verify(t.Context(), alone.Archive, bundle.Options{SignerFingerprint: alone.SignerFingerprint})
				if err != nil || report.Items != len(r.items) || report.Files != whole.Files || report.Bytes != whole.Bytes {
					t.Errorf("%v %+v", err, report.Problems())
				}
				to := t.TempDir()
				if said, code := run(t, to, "", unpack[0], append(unpack[1:], alone.Archive)...); code != 0 || said != "" {
					t.Fatalf("%s: exit %d\n%s", unpack[0], code, said)
				}
				dir := filepath.Join(to, alone.Name)
				if !maps.Equal(files(t, dir), files(t, both.Dir)) {
					t.Errorf("it unpacks to %q", sorted(files(t, dir)))
				}
				if said, code := run(t, dir, "", "sh", "verify.sh", "--signer-fingerprint", alone.SignerFingerprint); code != 0 {
					t.Errorf("verify.sh: exit %d\n%s", code, said)
				}
				info, err := os.Stat(filepath.Join(dir, "data/items/ev-item0/record.json"))
				must(t, err)
				if info.Mode().Perm() != 0o600 || info.ModTime().Unix() != exported.Unix() {
					t.Errorf("a file unpacks with mode %s and time %s", info.Mode(), info.ModTime())
				}
			})
		}
	}
}

// What stands under the archive's name is never touched, and of a refused export
// there is no archive either.
func TestArchiveAloneReplacesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.in.Archive, r.in.NoFolder = bundle.Tar, true
	out := t.TempDir()
	first, err := bundle.Build(t.Context(), out, r.in)
	must(t, err)
	if _, err := bundle.Build(t.Context(), out, r.in); !errors.Is(err, bundle.ErrExists) {
		t.Errorf("a second time: %v", err)
	}
	data, err := os.ReadFile(first.Archive)
	must(t, err)
	if left := leftovers(t, out); len(left) != 1 || evidence.Digest(data) != first.ArchiveSHA256 {
		t.Errorf("after a second time: %q", left)
	}
	out = t.TempDir()
	both := r.in
	var second error
	both.Progress = func(items int) {
		if items == 1 {
			_, second = bundle.Build(t.Context(), out, r.in)
		}
	}
	first, err = bundle.Build(t.Context(), out, both)
	must(t, err)
	data, err = os.ReadFile(first.Archive)
	must(t, err)
	if left := leftovers(t, out); !errors.Is(second, bundle.ErrExists) || len(left) != 1 || evidence.Digest(data) != first.ArchiveSHA256 {
		t.Errorf("at the same time: %v, left %q", second, left)
	}
	out = t.TempDir()
	r.in.Gate = func(name string, _ []byte) []bundle.Hit {
		if strings.HasSuffix(name, "ev-item2/record.json") {
			return []bundle.Hit{{Kind: "aadhaar", Start: 0, End: 4}}
		}
		return nil
	}
	if _, err := bundle.Build(t.Context(), out, r.in); !errors.Is(err, bundle.ErrLeak) || leftovers(t, out) != nil {
		t.Errorf("with a leak: %v, left %q", err, leftovers(t, out))
	}
}

func TestSealedItemsAreFoundInFoldersAndArchives(t *testing.T) {
	t.Parallel()
	for _, kind := range []bundle.ArchiveKind{bundle.Tar, bundle.Zip} {
		r := newRig(t)
		r.in.Archive = kind
		result, err := bundle.Build(t.Context(), t.TempDir(), r.in)
		must(t, err)
		for _, at := range []string{result.Dir, result.Archive} {
			items, err := bundle.SealedItems(t.Context(), at)
			slices.Sort(items)
			if err != nil || !slices.Equal(items, []string{"ev-item0", "ev-item1", "ev-item2", "ev-item3"}) {
				t.Errorf("%s: %q, %v", at, items, err)
			}
		}
	}
}

// Our short way of indenting gives what package json gives.
func TestJSONIsIndentedAsPackageJSONDoes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.items[0].Masked = `a "quoted" \" and \\ {"x": [1, 2], ` + "\"}]\n\t<b>&\u2028 ,: ਅ"
	r.in.Case.Title = `\`
	seen := 0
	for name, content := range files(t, r.build(t)) {
		if !strings.HasSuffix(name, ".json") || name == "data/sbom.cdx.json" {
			continue
		}
		var compact, want bytes.Buffer
		must(t, json.Compact(&compact, []byte(content)))
		must(t, json.Indent(&want, compact.Bytes(), "", "  "))
		if content != want.String()+"\n" {
			t.Errorf("%s is\n%s\nwant\n%s", name, content, want.String())
		}
		seen++
	}
	if seen < 2*len(r.items) {
		t.Errorf("only %d files of JSON were seen", seen)
	}
}
