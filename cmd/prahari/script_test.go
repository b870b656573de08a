package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"prahari/fixtures"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"prahari": main})
}

// Each testdata/script/*.txtar drives the real program from outside. Files in
// them may say {{mobile 1}} and the like: the first of fixtures' people, so that
// no identifier is written in this repository.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts found: %v", err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PRAHARI_OPERATOR", "tester")
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// exits CODE COMMAND…: the exact exit code of prahari.
			"exits": exits,
			// people FILE…: fill in {{field n}}.
			"people": people,
			// nosecrets FILE|DIR…: none of the people's identifiers is in there, nor in stdout or stderr.
			"nosecrets": noSecrets,
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE prahari…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		var code interface{ ExitCode() int }
		if !asExit(err, &code) {
			ts.Fatalf("%v", err)
		}
		got = code.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func asExit(err error, into *interface{ ExitCode() int }) bool {
	e, ok := err.(interface{ ExitCode() int }) //nolint:errorlint // testscript returns it bare
	*into = e
	return ok
}

func fields(n int) map[string]string {
	p := fixtures.MakePerson(n)
	return map[string]string{
		"name": p.Name, "gender": p.Gender, "dob": p.DateOfBirth, "mobile": p.Mobile, "aadhaar": p.Aadhaar, "vid": p.VID,
		"pan": p.PAN, "email": p.Email, "address": p.Address, "vaccine": p.Vaccine, "centre": p.Centre,
	}
}

func people(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		text := ts.ReadFile(name)
		for n := range 50 {
			for field, value := range fields(n) {
				text = strings.ReplaceAll(text, fmt.Sprintf("{{%s %d}}", field, n), value)
			}
		}
		if i := strings.Index(text, "{{"); i >= 0 {
			ts.Fatalf("%s: nobody fills in %.20q", name, text[i:])
		}
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

func noSecrets(ts *testscript.TestScript, neg bool, args []string) {
	look := map[string][]byte{"stdout": []byte(ts.ReadFile("stdout")), "stderr": []byte(ts.ReadFile("stderr"))}
	for _, arg := range args {
		ts.Check(filepath.WalkDir(ts.MkAbs(arg), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			look[path] = data
			return err
		}))
	}
	for n := range 50 {
		p := fixtures.MakePerson(n)
		for _, secret := range []string{p.Name, p.Mobile, p.Aadhaar, p.VID, p.PAN, p.Email, p.DateOfBirth, p.Address} {
			for where, data := range look {
				if bytes.Contains(data, []byte(secret)) {
					ts.Fatalf("%s holds an identifier of person %d", where, n)
				}
			}
		}
	}
}

// Every error class ends in its documented code.
func TestOutcome(t *testing.T) {
	for _, tc := range outcomes() {
		if code, say := outcome(context.Background(), tc.err); code != tc.code || (say == "") != tc.silent {
			t.Errorf("%v: code %d (%q), want %d", tc.err, code, say, tc.code)
		}
	}
}
