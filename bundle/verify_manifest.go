package bundle

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const maxManifestLine = 4 << 10

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// manifest reads a manifest in the one form that Build writes: lower-case hex,
// two spaces, a plain path, a newline. Other spellings that sha256sum would
// take are problems.
func (v *verifier) manifest(name string, into map[string]string, belongs func(string) bool) error {
	return v.lines(name, maxManifestLine, func(n int, line []byte) {
		sum, file, ok := strings.Cut(string(line), "  ")
		if !ok || !hexSHA256.MatchString(sum) {
			v.problem(name, n, "is not a SHA-256, two spaces and a path")
			return
		}
		if err := checkPath(file); err != nil {
			v.problem(name, n, "%v: %s", err, strconv.QuoteToASCII(shorten(file)))
			return
		}
		if !belongs(file) {
			v.problem(name, n, "%s does not belong in this manifest", file)
			return
		}
		if _, twice := into[file]; twice {
			v.problem(name, n, "%s is listed twice", file)
			return
		}
		into[file] = sum
	})
}

func shorten(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// compare hashes every file that a manifest lists.
func (v *verifier) compare(manifest string, listed map[string]string) error {
	names := sortedKeys(listed)
	bad := make([]string, len(names))
	err := spread(v.ctx, len(names), func(ctx context.Context, i int) error {
		var sum string
		if sum, bad[i] = v.hash(ctx, names[i]); bad[i] == "" && sum != listed[names[i]] {
			bad[i] = "was changed: its SHA-256 is not the one in " + manifest
		}
		return nil
	})
	if err := cmp.Or(err, v.ctx.Err()); err != nil {
		return err
	}
	for i, name := range names {
		if bad[i] != "" {
			v.problem(name, 0, "%s", bad[i])
		}
	}
	return nil
}

func (v *verifier) tagFiles() error {
	err := v.manifest(tagManifest, v.tag, func(name string) bool { return slices.Contains(tagFiles(), name) })
	if err != nil {
		return err
	}
	for _, name := range tagFiles() {
		if _, ok := v.tag[name]; !ok {
			v.problem(tagManifest, 0, "does not list %s", name)
		}
	}
	if sum, ok := v.digest(tagManifest); ok {
		v.report.TagManifestSHA256 = sum
	}
	return v.compare(tagManifest, v.tag)
}

func (v *verifier) payloadFiles() error {
	if err := v.manifest(payloadManifest, v.payload, payload); err != nil {
		return err
	}
	if len(v.payload) == 0 {
		v.problem(payloadManifest, 0, "lists no file")
	}
	v.detail("%d files", len(v.payload))
	return v.compare(payloadManifest, v.payload)
}

// besideFiles reads the manifest of attest/.
func (v *verifier) besideFiles() error {
	return v.manifest(attestManifest, v.beside, func(name string) bool {
		return strings.HasPrefix(name, attestDir) && name != attestManifest && name != attestSignature
	})
}

// infoLabels are the lines that a verifier needs in bag-info.txt.
func infoLabels() []string {
	return []string{
		"External-Identifier", "Evidence-Profile", "Payload-Oxum", "Evidence-Ledger-Head", "Evidence-Prev-Bundle", "Evidence-Signer",
		"Evidence-Signer-Fingerprint", "Evidence-Signature-Namespace",
	}
}

// readInfo reads bag-info.txt once.
func (v *verifier) readInfo() error {
	if len(v.info) > 0 {
		return nil
	}
	return v.lines(bagInfo, maxManifestLine, func(n int, line []byte) {
		label, value, ok := strings.Cut(string(line), ": ")
		if !ok || label == "" || value == "" || strings.ContainsFunc(label, func(r rune) bool { return r > 'z' || !isWord(byte(r)) }) {
			v.problem(bagInfo, n, "is not a label, a colon and a value")
			return
		}
		if _, twice := v.info[label]; twice {
			v.problem(bagInfo, n, "%s stands twice", label)
			return
		}
		v.info[label] = value
	})
}

func (v *verifier) oxum() error {
	if err := v.readInfo(); err != nil {
		return err
	}
	var size int64
	count := 0
	for name, n := range v.files {
		if payload(name) {
			count++
			size += n
		}
	}
	got := strconv.FormatInt(size, 10) + "." + strconv.Itoa(count)
	if want := v.info["Payload-Oxum"]; want != got {
		v.problem(bagInfo, 0, "Payload-Oxum is %s, and data/ has %s", strconv.QuoteToASCII(shorten(want)), got)
	}
	v.detail("%d bytes in %d files", size, count)
	return nil
}

func (v *verifier) bagInfo() error {
	if data, ok := v.small("bagit.txt", maxManifestLine); ok && string(data) != bagitText {
		v.problem("bagit.txt", 0, "is not that of a BagIt 1.0 bag in UTF-8")
	}
	for _, label := range infoLabels() {
		if v.info[label] == "" {
			v.problem(bagInfo, 0, "has no %s", label)
		}
	}
	if name := v.info["External-Identifier"]; bundleName.MatchString(name) {
		v.report.Bundle = name
		v.detail("%s", name)
	} else if name != "" {
		v.problem(bagInfo, 0, "External-Identifier is not a bundle's name")
	}
	if _, err := ParseProfile(v.info["Evidence-Profile"]); err != nil && v.info["Evidence-Profile"] != "" {
		v.problem(bagInfo, 0, "Evidence-Profile is not one")
	}
	v.report.Profile = v.profile()
	if prev := v.info["Evidence-Prev-Bundle"]; prev != "" && prev != "none" && !hexSHA256.MatchString(prev) {
		v.problem(bagInfo, 0, "Evidence-Prev-Bundle is neither a SHA-256 nor none")
	}
	return nil
}

var bundleName = regexp.MustCompile(`^EB-[A-Za-z0-9_][A-Za-z0-9._-]*-[0-9]{4}-[0-9]{8}T[0-9]{6}Z$`)

// profile returns whom the bundle is for. One that does not say is held to all
// that a court's must have.
func (v *verifier) profile() Profile {
	p, err := ParseProfile(v.info["Evidence-Profile"])
	if err != nil {
		return ForCourt
	}
	return p
}
