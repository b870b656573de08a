package matcher

import "golang.org/x/sys/cpu"

//nolint:gochecknoglobals // a property of the machine
var hasAVX2 = cpu.X86.HasAVX2

// classifyAVX2 is classifyGo for machines with AVX2.
//
//go:noescape
func classifyAVX2(p *byte, blocks int, f *fingerprints, out *block)

func classify(p *byte, blocks int, f *fingerprints, out *block) {
	if hasAVX2 {
		classifyAVX2(p, blocks, f, out)
		return
	}
	classifyGo(p, blocks, f, out)
}
