package bundle_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"prahari/bundle"
)

// packed is a bundle's files under their folder, ready to be put in an archive.
type packed struct {
	name string
	data string
	mode fs.FileMode // 0: a plain file
}

func pack(top string, content map[string]string) []packed {
	var all []packed
	for _, name := range slices.Sorted(maps.Keys(content)) {
		all = append(all, packed{name: top + "/" + name, data: content[name]})
	}
	return all
}

func tarOf(t testing.TB, all []packed) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, p := range all {
		h := &tar.Header{Name: p.name, Mode: 0o600, Size: int64(len(p.data)), Typeflag: tar.TypeReg}
		switch {
		case p.mode&fs.ModeSymlink != 0:
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, p.data, 0
		case p.mode&fs.ModeIrregular != 0:
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, p.data, 0
		case p.mode&fs.ModeNamedPipe != 0:
			h.Typeflag, h.Size = tar.TypeFifo, 0
		case p.mode.IsDir():
			h.Typeflag, h.Size = tar.TypeDir, 0
		}
		must(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := w.Write([]byte(p.data))
			must(t, err)
		}
	}
	must(t, w.Close())
	return out.Bytes()
}

func zipOf(t testing.TB, all []packed) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, p := range all {
		h := &zip.FileHeader{Name: p.name, Method: zip.Deflate}
		h.SetMode(p.mode | 0o600)
		f, err := w.CreateHeader(h)
		must(t, err)
		_, err = f.Write([]byte(p.data))
		must(t, err)
	}
	must(t, w.Close())
	return out.Bytes()
}

func verifyBytes(t testing.TB, data []byte, opts bundle.Options) (bundle.Report, error) {
	t.Helper()
	return bundle.VerifyArchive(t.Context(), "archive", bytes.NewReader(data), int64(len(data)), opts)
}

func TestArchivesOfOtherProgramsVerify(t *testing.T) {
	t.Parallel()
	dir := newRig(t).build(t)
	parent, name := filepath.Split(dir)
	for tool, args := range map[string][]string{
		"tar": {"cf", "out.tar", name}, "zip": {"-q", "-r", "out.zip", name}, "busybox": {"tar", "cf", "out2.tar", name},
	} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("NOT TESTED: this machine has no %s", tool)
			continue
		}
		if out, code := run(t, parent, "", tool, args...); code != 0 {
			t.Fatalf("%s: %s", tool, out)
		}
	}
	archives, err := filepath.Glob(filepath.Join(parent, "out*"))
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archive was made: %v", err)
	}
	whole, err := bundle.Verify(t.Context(), dir, bundle.Options{})
	must(t, err)
	for _, at := range archives {
		report, err := bundle.Verify(t.Context(), at, bundle.Options{})
		if err != nil || report.Files != whole.Files || report.Bytes != whole.Bytes || report.TagManifestSHA256 != whole.TagManifestSHA256 {
			t.Errorf("%s: %v %+v", at, err, report.Problems())
		}
	}
}

// Hostile archives: each is refused or told as broken, and nothing is unpacked.
func TestHostileArchivesAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := r.build(t)
	top := filepath.Base(dir)
	content := files(t, dir)
	whole := func() []packed { return pack(top, content) }
	for name, add := range map[string]packed{
		"climbing":                      {name: top + "/../../etc/passwd", data: "x"},
		"climbing from the top":         {name: "../x", data: "x"},
		"absolute":                      {name: "/etc/passwd", data: "x"},
		"drive letter":                  {name: `C:\x`, data: "x"},
		"backslashes":                   {name: top + `\data\x`, data: "x"},
		"outside the folder":            {name: "other/x", data: "x"},
		"beside the folder":             {name: "x", data: "x"},
		"file twice":                    {name: top + "/bagit.txt", data: content["bagit.txt"]},
		"extra file":                    {name: top + "/data/extra", data: "x"},
		"hidden file":                   {name: top + "/.x", data: "x"},
		"newline":                       {name: top + "/data/a\nb", data: "x"},
		"escape sequence":               {name: top + "/data/\x1b[2J", data: "x"},
		"link out":                      {name: top + "/data/link", data: "/etc/passwd", mode: fs.ModeSymlink},
		"folder link before its file":   {name: top + "/data", data: "/tmp", mode: fs.ModeSymlink},
		"hard link (tar) or odd (zip)":  {name: top + "/data/hard", data: top + "/bagit.txt", mode: fs.ModeIrregular},
		"pipe":                          {name: top + "/data/pipe", mode: fs.ModeNamedPipe},
		"very long name":                {name: top + "/data/" + strings.Repeat("a/", 3000) + "x", data: "x"},
		"a bomb":                        {name: top + "/data/bomb", data: strings.Repeat("\x00", 8<<20)},
		"invalid UTF-8":                 {name: top + "/data/\xff", data: "x"},
		"trailing dot-dot in a segment": {name: top + "/data/..", data: "x"},
	} {
		for kind, make := range map[string]func(testing.TB, []packed) []byte{"tar": tarOf, "zip": zipOf} {
			for _, first := range []bool{true, false} {
				all := whole()
				if first {
					all = append([]packed{add}, all...)
				} else {
					all = append(all, add)
				}
				report, err := verifyBytes(t, make(t, all), bundle.Options{})
				if !errors.Is(err, bundle.ErrBroken) {
					t.Errorf("%s in a %s, first %v: %v", name, kind, first, err)
				}
				for _, p := range report.Problems() {
					if s := p.String(); strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(s) > 400 {
						t.Errorf("%s: a problem acts on the terminal: %q", name, s)
					}
				}
			}
		}
	}
	plain := tarOf(t, whole())
	if _, err := verifyBytes(t, plain, bundle.Options{}); err != nil {
		t.Fatalf("the whole tar: %v", err)
	}
	zipped := zipOf(t, whole())
	if _, err := verifyBytes(t, zipped, bundle.Options{}); err != nil {
		t.Fatalf("the whole zip: %v", err)
	}
	huge := bytes.Clone(plain)
	copy(huge[124:136], "77777777777\x00") // the first header says 8 GiB
	for name, data := range map[string][]byte{
		"tar without its end":    plain[:len(plain)-1024],
		"tar cut in a file":      plain[:len(plain)/2],
		"tar with a tail":        append(bytes.Clone(plain), "hidden"...),
		"tar with a second tar":  append(bytes.Clone(plain), plain...),
		"tar with an odd header": append(bytes.Clone(plain[:len(plain)-1024]), bytes.Repeat([]byte("x"), 1024)...),
		"tar with a huge size":   huge,
		"zip cut":                zipped[:len(zipped)-30],
		"zip with a tail":        append(bytes.Clone(zipped), "hidden"...),
		"zip with a comment":     commented(zipped),
		"zip behind another":     append(localOnly(t, top), zipped...),
		"zip with two names":     bytes.Replace(zipped, []byte(top+"/bagit.txt"), []byte(top+"/bagit.TXT"), 1),
	} {
		if _, err := verifyBytes(t, data, bundle.Options{}); !errors.Is(err, bundle.ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "gzip": []byte("\x1f\x8b\x08rest"), "tar of something else": tarOf(t, []packed{{name: "a/b", data: "x"}}),
		"zip of something else": zipOf(t, []packed{{name: "a/b", data: "x"}}),
	} {
		if _, err := verifyBytes(t, data, bundle.Options{}); !errors.Is(err, bundle.ErrNotBundle) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Lstat("/tmp/bagit.txt"); err == nil {
		t.Error("something was unpacked")
	}
}

// localOnly is a zip's file without the list of files: only programs that unpack
// from the front see it.
func localOnly(t *testing.T, top string) []byte {
	t.Helper()
	all := zipOf(t, []packed{{name: top + "/data/hidden", data: "x"}})
	return all[:bytes.Index(all, []byte("PK\x01\x02"))]
}

func commented(zipped []byte) []byte {
	c := bytes.Clone(zipped)
	c[len(c)-2] = 3
	return append(c, "abc"...)
}

// Whatever an archive's bytes are: an error or a report, no panic, no endless
// work.
func FuzzVerifyArchive(f *testing.F) {
	top := "EB-CASE0001-0001-20261120T062200Z"
	small := []packed{{name: top + "/", mode: fs.ModeDir}, {name: top + "/bagit.txt", data: "BagIt-Version: 1.0\n"}, {name: top + "/data/x", data: "x"}}
	f.Add(tarOf(f, small))
	f.Add(zipOf(f, small))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		report, err := verifyBytes(t, data, bundle.Options{})
		if err == nil || report.OK {
			t.Errorf("it verifies: %+v", report)
		}
	})
}
