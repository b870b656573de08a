package main

import (
	"math"
	"runtime/debug"
	"testing"
)

// An export's memory is bounded by its items, a zip's with its list of them, and
// the bounds of before come back.
func TestBoundMemory(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	for _, c := range []struct {
		items int
		zip   bool
		limit int64
	}{
		{999, true, math.MaxInt64},
		{10_000, false, 56<<20 + 4_000_000},
		{10_000, true, 56<<20 + 25_000_000},
	} {
		end := boundMemory(c.items, c.zip)
		if got := debug.SetMemoryLimit(-1); got != c.limit {
			t.Errorf("%d items, zip %v: a limit of %d, not %d", c.items, c.zip, got, c.limit)
		}
		if end(); debug.SetMemoryLimit(-1) != math.MaxInt64 {
			t.Errorf("%d items, zip %v: the limit stays", c.items, c.zip)
		}
	}
}
