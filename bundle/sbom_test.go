package bundle_test

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"prahari/bundle"
)

// The SBOM fits the schema of CycloneDX, lists every module of the build once,
// and is read back by the library.
func TestSBOMFitsTheSchema(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	build, ok := debug.ReadBuildInfo()
	if !ok || len(build.Deps) < 5 {
		// A test's own build info lists no modules: the list of the module's file does.
		out, code := run(t, ".", "", "go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all")
		if code != 0 {
			t.Fatal(out)
		}
		build = &debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Path: "prahari"}}
		for l := range strings.Lines(out) {
			if path, version, _ := strings.Cut(strings.TrimSpace(l), " "); version != "" {
				build.Deps = append(build.Deps, &debug.Module{Path: path, Version: version, Sum: "h1:x"})
			}
		}
	}
	build.Deps[0] = &debug.Module{Path: "example.org/old", Version: "v1.0.0", Replace: build.Deps[0]}
	r.in.Build, r.in.Tool.BinarySHA256 = build, strings.Repeat("b1", 32)
	dir := r.build(t)
	text := read(t, dir, "data/sbom.cdx.json")

	where, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	must(t, err)
	c := jsonschema.NewCompiler()
	c.UseLoader(schemas(filepath.Join(strings.TrimSpace(string(where)), "schema")))
	compiled, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	must(t, err)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	must(t, err)
	if err := compiled.Validate(doc); err != nil {
		t.Errorf("the SBOM does not fit the schema: %v", err)
	}
	broken, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(text, `"type": "application"`, `"type": "thing"`, 1)))
	must(t, err)
	if compiled.Validate(broken) == nil {
		t.Error("the schema takes anything")
	}
	var bom cdx.BOM
	must(t, cdx.NewBOMDecoder(strings.NewReader(text), cdx.BOMFileFormatJSON).Decode(&bom))
	seen := map[string]bool{}
	for _, m := range *bom.Components {
		if seen[m.PackageURL] || !strings.HasPrefix(m.PackageURL, "pkg:golang/") {
			t.Errorf("%q stands twice, or is no package", m.PackageURL)
		}
		seen[m.PackageURL] = true
	}
	if len(seen) != len(build.Deps) || len(*(*bom.Dependencies)[0].Dependencies) != len(seen) || seen["pkg:golang/example.org/old@v1.0.0"] {
		t.Errorf("%d modules of %d", len(seen), len(build.Deps))
	}
	if (*bom.Metadata.Component.Hashes)[0].Value != r.in.Tool.BinarySHA256 || !strings.Contains(read(t, dir, "data/environment.json"), `"sbom": "data/sbom.cdx.json"`) {
		t.Error("the program's digest or the environment's reference is missing")
	}
	if _, err := bundle.Verify(t.Context(), dir, bundle.Options{}); err != nil {
		t.Error(err)
	}
}

// schemas is a folder with the schemas that come with CycloneDX's library.
type schemas string

// Load implements jsonschema.URLLoader without a network.
func (s schemas) Load(url string) (any, error) {
	name := strings.TrimSuffix(path.Base(url), ".schema.json")
	found, err := filepath.Glob(filepath.Join(string(s), name+".schema*.json"))
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("no schema %s: %w", url, err)
	}
	f, err := os.Open(found[0])
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return jsonschema.UnmarshalJSON(f)
}
