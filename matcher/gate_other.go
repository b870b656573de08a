//go:build !amd64

package matcher

func classify(p *byte, blocks int, f *fingerprints, out *block) { classifyGo(p, blocks, f, out) }
