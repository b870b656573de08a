package bundle

import (
	"bytes"
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"prahari/evidence"
)

const sbomPath = "data/sbom.cdx.json"

// sbom lists the modules that the exporting program was built of (CycloneDX 1.6),
// as the Go linker recorded them in it. It has no serial number and no other
// time than the bundle's, so that the same build gives the same bytes.
func sbom(build *debug.BuildInfo, tool evidence.Tool, at string) ([]byte, error) {
	ref := "pkg:golang/" + purl(build.Main.Path, tool.Version)
	program := cdx.Component{
		BOMRef: ref, Type: cdx.ComponentTypeApplication, Name: line(tool.Name), Version: line(tool.Version), PackageURL: ref,
		Properties: &[]cdx.Property{
			{Name: "build:go", Value: line(build.GoVersion)}, {Name: "build:commit", Value: line(tool.Commit)},
		},
	}
	if tool.BinarySHA256 != "" {
		program.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: line(tool.BinarySHA256)}}
	}
	components, uses := []cdx.Component{}, []string{}
	for _, m := range build.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := cdx.Component{
			BOMRef: "pkg:golang/" + purl(m.Path, m.Version), Type: cdx.ComponentTypeLibrary, Scope: cdx.ScopeRequired,
			Name: line(m.Path), Version: line(m.Version), PackageURL: "pkg:golang/" + purl(m.Path, m.Version),
		}
		if m.Sum != "" {
			c.Properties = &[]cdx.Property{{Name: "go.sum", Value: line(m.Sum)}}
		}
		components, uses = append(components, c), append(uses, c.BOMRef)
	}
	slices.SortFunc(components, func(x, y cdx.Component) int { return cmp.Compare(x.BOMRef, y.BOMRef) })
	slices.Sort(uses)
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Timestamp: at, Component: &program}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: ref, Dependencies: &uses}}
	var out bytes.Buffer
	encoder := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON)
	if err := encoder.SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("encoding the SBOM: %w", err)
	}
	return out.Bytes(), nil
}

func purl(path, version string) string {
	if version = line(version); version == "" || version == "(devel)" {
		return line(path)
	}
	return line(path) + "@" + version
}
