package main

import (
	"io"
	"testing"

	"prahari/evidence"
	"prahari/scanner"
)

// Sources of an account that is shut out go on to an account that may look up
// their names, and to one that may not only where it knows them.
func TestSourcesMoveToAccountsThatMayLookThemUp(t *testing.T) {
	out := evidence.Source{ID: "channel-1", Kind: evidence.Channel, Access: evidence.Public, Username: "leaks", Account: "a"}
	seen := map[string][]evidence.Source{"b": {{ID: out.ID, Access: evidence.Public}}}
	for name, tc := range map[string]struct {
		full  map[string]bool
		known map[string][]evidence.Source
		want  string
	}{
		"both may":              {nil, nil, "b"},
		"one may not":           {map[string]bool{"b": true}, nil, "c"},
		"none may":              {map[string]bool{"b": true, "c": true}, nil, ""},
		"none may and one need": {map[string]bool{"b": true, "c": true}, seen, "b"},
	} {
		f := &fleet{
			w: &workspace{env: env{err: io.Discard}}, scanners: map[string]*scanner.Scanner{"a": nil, "b": nil, "c": nil},
			out: map[string]bool{"a": true}, full: tc.full,
		}
		if to, _ := f.reader(out, tc.known, map[string]int{"a": 9, "b": 1, "c": 2}); to != tc.want || (f.unmoved == 1) != (tc.want == "") {
			t.Errorf("%s: it goes to %q, %d unmoved", name, to, f.unmoved)
		}
	}
}
