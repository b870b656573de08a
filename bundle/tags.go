package bundle

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

//go:embed template
var templates embed.FS

// Names of the bag's own files.
const (
	tagManifest     = "tagmanifest-sha256.txt"
	payloadManifest = "manifest-sha256.txt"
	bagInfo         = "bag-info.txt"
)

const bagitText = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

// tagFiles lists what the tag manifest covers. No more and no less.
func tagFiles() []string {
	return []string{pagePath, "EVIDENCE-GUIDE.md", "README.txt", "VERIFY.txt", bagInfo, "bagit.txt", payloadManifest, "verify.sh"}
}

// render fills a template of template/.
func render(name string, facts any) (string, error) {
	source, err := templates.ReadFile("template/" + name)
	if err != nil {
		return "", fmt.Errorf("template %s: %w", name, err)
	}
	t, err := template.New(name).Option("missingkey=error").Parse(string(source))
	if err != nil {
		return "", fmt.Errorf("template %s: %w", name, err)
	}
	var out strings.Builder
	if err := t.Execute(&out, facts); err != nil {
		return "", fmt.Errorf("template %s: %w", name, err)
	}
	return out.String(), nil
}

// oxum counts the payload: bytes and files.
func (b *builder) oxum() (count int, size int64) {
	for _, f := range b.tree.files {
		if payload(f.name) {
			count++
			size += f.size
		}
	}
	return count + b.tree.items.n, size + b.tree.items.bytes
}

// tags writes the bag's own files and, last, the tag manifest.
func (b *builder) tags() error {
	facts := b.tagFacts()
	for _, file := range []struct{ name, template string }{
		{"README.txt", "README.txt"}, {"VERIFY.txt", "VERIFY.txt"}, {"EVIDENCE-GUIDE.md", "EVIDENCE-GUIDE.md"},
	} {
		body, err := render(file.template, facts)
		if err != nil {
			return err
		}
		if err := b.tree.write(file.name, []byte(body)); err != nil {
			return err
		}
	}
	script, err := templates.ReadFile("template/verify.sh")
	if err != nil {
		return err
	}
	if err := b.tree.write("verify.sh", script); err != nil {
		return err
	}
	if err := os.Chmod(b.tree.path("verify.sh"), 0o700); err != nil {
		return fmt.Errorf("writing verify.sh: %w", err)
	}
	if err := b.tree.write("bagit.txt", []byte(bagitText)); err != nil {
		return err
	}
	if err := b.tree.write(bagInfo, b.info()); err != nil {
		return err
	}
	if err := b.tree.manifest(payloadManifest, payload); err != nil {
		return err
	}
	return b.tree.manifest(tagManifest, func(name string) bool { return !payload(name) && name != tagManifest })
}

func (b *builder) tagFacts() map[string]any {
	org := b.in.Organisation
	return map[string]any{
		"Bundle": b.name, "Case": b.in.Case.ID, "Title": caption(b.in.Case.Title), "TLP": b.in.TLP,
		"Organisation": line(org.Name), "Contact": line(org.Contact), "Email": line(org.Email),
		"MadeIST": ist(b.in.At), "MadeUTC": utc(b.in.At), "Items": b.items, "Head": b.head,
		"Identity": Identity(org.Domain), "AttestNamespace": AttestNamespace(org.Domain), "Namespace": Namespace(org.Domain), "Fingerprint": b.in.Signer.Fingerprint(),
		"Stamp": seeNote, "Tool": toolName(b.in.Tool), "Commit": line(b.in.Tool.Commit),
		"Watermark": watermark, "Profile": b.in.Profile, "Has": b.in.Profile.parts(),
		"HasSBOM": b.tree.find(sbomPath).size > 0, "HasMachine": slices.ContainsFunc(b.tree.files, func(w written) bool { return strings.HasPrefix(w.name, "data/machine/") }),
	}
}

// info is bag-info.txt: one "Label: value" a line, nothing folded.
func (b *builder) info() []byte {
	org := b.in.Organisation
	count, size := b.oxum()
	prev := b.in.Prev
	if prev == "" {
		prev = "none"
	}
	var out bytes.Buffer
	for _, f := range [][2]string{
		{"Source-Organization", org.Name},
		{"Contact-Name", org.Contact},
		{"Contact-Email", org.Email},
		{"External-Identifier", b.name},
		{"Bagging-Date", b.in.At.Format("2006-01-02")},
		{"Payload-Oxum", strconv.FormatInt(size, 10) + "." + strconv.Itoa(count)},
		{"Bag-Software-Agent", b.in.Tool.Name + " " + b.in.Tool.Version},
		{"Evidence-TLP", b.in.TLP},
		{"Evidence-Redaction", "masked"},
		{"Evidence-Profile", string(b.in.Profile)},
		{"Evidence-Ledger-Head", b.head},
		{"Evidence-Log-Key", b.in.Log.Key},
		{"Evidence-Prev-Bundle", prev},
		{"Evidence-Signer", Identity(org.Domain)},
		{"Evidence-Signer-Fingerprint", b.in.Signer.Fingerprint()},
		{"Evidence-Signature-Namespace", Namespace(org.Domain)},
		{"Evidence-Time-Stamp", "see " + notePath},
	} {
		if value := line(f[1]); value != "" {
			fmt.Fprintf(&out, "%s: %s\n", f[0], value)
		}
	}
	return out.Bytes()
}
