package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	_ "github.com/mattn/go-sqlite3"
	"github.com/rogpeppe/go-internal/testscript"

	"prahari/fixtures"
	"prahari/fixtures/demotsa"
	"prahari/fixtures/postgres"
	"prahari/fixtures/telegram"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"prahari": main, "prahari-clocked": clocked})
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
		Condition: func(name string) (bool, error) {
			if name != "postgres" {
				return false, fmt.Errorf("no condition %q", name)
			}
			_, err := postgres.Installed()
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// exits CODE COMMAND…: the exact exit code of prahari.
			"exits": exits,
			// people FILE…: fill in {{field n}}.
			"people": people,
			// nosecrets FILE|DIR…: none of the people's identifiers is in there, nor in stdout or stderr.
			"nosecrets": noSecrets,
			// datacentre SCENE WORKSPACE: start one, and point the workspace's config at it.
			"datacentre": dataCentre,
			// dc ban|revoke PHONE, dc fault METHOD TIMES CODE ERROR [SKIP], dc post CHANNEL FILE, dc edit CHANNEL ID FILE, dc delete CHANNEL ID, dc remove CHANNEL, dc rename-bot BOT NAME, dc kick CHANNEL PHONE, dc mark BOT scam|fake: what happens there.
			"dc": dc,
			// configure FILE YAML: merge settings into a config.
			"configure": configure,
			// suggestion CASE SOURCE: sets $SUGGESTION to the case's suggestion about that source.
			"suggestion": suggestion,
			// finding NAME SOURCE MESSAGE: sets $NAME to the id of a message's finding.
			"finding": findingID,
			// moment NAME OFFSET: sets $NAME to now and the offset, as RFC 3339.
			"moment": setMoment,
			// busy FILE: another program holds the database's write lock until the script ends.
			"busy": busy,
			// postgres: start one with an empty database, named by $DB and, with its password, $DB_WITH_PASSWORD and $DB_PASSWORD.
			"postgres": startPostgres,
			// authority NAME WORKSPACE [HOW]: start an embedded time-stamp authority and configure it; HOW is skewed or hanging.
			"authority": authority,
			// silence NAME: the authority goes away. speak NAME: it is back, at the same address.
			"silence": silence, "speak": speak,
			// nowhere FILE DIR: the file's content is in no file of the folder, as text or as the bytes that its hex stands for.
			"nowhere": nowhere,
			// sql FILE STATEMENT: meddle with a database.
			"sql": meddle,
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
	e, ok := err.(interface{ ExitCode() int })
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

func dataCentre(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: datacentre SCENE WORKSPACE")
	}
	scene, err := telegram.ParseScene(args[0], []byte(ts.ReadFile(args[0])))
	ts.Check(err)
	server, err := telegram.Start(context.Background(), telegram.Config{Scene: scene, Log: slog.New(slog.DiscardHandler)})
	ts.Check(err)
	ts.Defer(func() { ts.Check(server.Close()) })
	running.Store(ts.Getenv("WORK"), server)
	d := demo{workspace: ts.MkAbs(args[1]), dc: server}
	ts.Check(d.configure())
}

// running holds the data centre of each script by its work folder.
var running sync.Map

func dc(ts *testscript.TestScript, neg bool, args []string) {
	found, ok := running.Load(ts.Getenv("WORK"))
	if neg || !ok || len(args) < 2 {
		ts.Fatalf("usage: dc ban|revoke|fault|post …, after datacentre")
	}
	server := found.(*telegram.Server) //nolint:forcetypeassert // nothing else is stored
	switch {
	case args[0] == "ban":
		server.Ban(args[1])
	case args[0] == "revoke":
		server.RevokeSessions(args[1])
	case args[0] == "mark" && len(args) == 3:
		ts.Check(server.ChangeBot(args[1], func(b *telegram.Bot) {
			b.Verified, b.Scam, b.Fake, b.About = false, args[2] == "scam", args[2] == "fake", "finds everybody"
		}))
	case args[0] == "fault" && (len(args) == 5 || len(args) == 6):
		times, err := strconv.Atoi(args[2])
		ts.Check(err)
		skip, err := strconv.Atoi(append(args, "0")[5])
		ts.Check(err)
		code, err := strconv.Atoi(args[3])
		ts.Check(err)
		server.Inject(telegram.Fault{Method: args[1], Skip: skip, Times: times, Code: code, Error: args[4]})
	case args[0] == "edit" && len(args) == 4:
		id, err := strconv.Atoi(args[2])
		ts.Check(err)
		text, err := telegram.Fill(ts.ReadFile(args[3]))
		ts.Check(err)
		ts.Check(server.Edit(args[1], id, text))
	case args[0] == "delete" && len(args) == 3:
		id, err := strconv.Atoi(args[2])
		ts.Check(err)
		ts.Check(server.Delete(args[1], id))
	case args[0] == "post" && len(args) == 3:
		text, err := telegram.Fill(ts.ReadFile(args[2]))
		ts.Check(err)
		_, err = server.Post(args[1], telegram.Message{Text: text})
		ts.Check(err)
	case args[0] == "title" && len(args) == 3:
		ts.Check(server.SetTitle(args[1], args[2]))
	case args[0] == "rename-bot" && len(args) == 3:
		ts.Check(server.ChangeBot(args[1], func(b *telegram.Bot) { b.Username = args[2] }))
	case args[0] == "remove" && len(args) == 2:
		ts.Check(server.DeleteChannel(args[1]))
	case args[0] == "kick" && len(args) == 3:
		ts.Check(server.Kick(args[1], args[2], true))
	case args[0] == "rename" && len(args) == 3:
		ts.Check(server.SetUsername(args[1], args[2]))
	case args[0] == "handover" && len(args) == 3:
		ts.Check(server.HandOver(args[1], args[2]))
	case args[0] == "restrict" && len(args) == 3:
		ts.Check(server.Restrict(args[1], args[2]))
	default:
		ts.Fatalf("dc %v: no such thing", args)
	}
}

func configure(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: configure FILE YAML")
	}
	all, change := map[string]any{}, map[string]map[string]any{}
	ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(args[0])), &all))
	ts.Check(yaml.Unmarshal([]byte(args[1]), &change))
	for section, settings := range change {
		if known, ok := all[section].(map[string]any); ok {
			maps.Copy(known, settings)
		} else {
			all[section] = settings
		}
	}
	data, err := yaml.Marshal(all)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

func suggestion(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: suggestion CASE SOURCE")
	}
	ts.Check(ts.Exec("prahari", "case", "suggest", args[0]))
	for _, line := range strings.Split(ts.ReadFile("stdout"), "\n") {
		if id, rest, _ := strings.Cut(line, "\t"); strings.Contains(rest, "@"+args[1]) {
			ts.Setenv("SUGGESTION", id)
			return
		}
	}
	ts.Fatalf("nothing about @%s is suggested", args[1])
}

func startPostgres(ts *testscript.TestScript, neg bool, args []string) {
	server, err := postgres.Start(context.Background())
	ts.Check(err)
	ts.Defer(func() { ts.Check(server.Close()) })
	ts.Setenv("DB", server.URL("postgres", false))
	ts.Setenv("DB_WITH_PASSWORD", server.URL("postgres", true))
	ts.Setenv("DB_PASSWORD", server.Password)
	ts.Logf("%s", server.Version)
}

func findingID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: finding NAME SOURCE MESSAGE")
	}
	ts.Check(ts.Exec("prahari", "finding", "list", "--source", args[1]))
	for _, line := range strings.Split(ts.ReadFile("stdout"), "\n") {
		if cells := strings.Split(line, "\t"); len(cells) > 3 && cells[3] == args[2] {
			ts.Setenv(args[0], cells[0])
			return
		}
	}
	ts.Fatalf("no finding of message %s of %s", args[2], args[1])
}

func setMoment(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: moment NAME OFFSET")
	}
	offset, err := time.ParseDuration(args[1])
	ts.Check(err)
	ts.Setenv(args[0], time.Now().Add(offset).UTC().Format(time.RFC3339))
}

func meddle(ts *testscript.TestScript, neg bool, args []string) {
	db, err := sql.Open("sqlite3", ts.MkAbs(args[0]))
	ts.Check(err)
	defer func() { _ = db.Close() }()
	_, err = db.Exec(strings.Join(args[1:], " "))
	ts.Check(err)
}

func busy(ts *testscript.TestScript, neg bool, args []string) {
	db, err := sql.Open("sqlite3", ts.MkAbs(args[0]))
	ts.Check(err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec("BEGIN IMMEDIATE")
	ts.Check(err)
	ts.Defer(func() { _ = db.Close() })
}

// A switched authority can be made to go away and to come back.
type switched struct {
	server *demotsa.Server
	silent atomic.Bool
}

func authority(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: authority NAME WORKSPACE [skewed|hanging]")
	}
	s := &switched{}
	c := demotsa.Config{Silent: s.silent.Load}
	if len(args) > 2 && args[2] == "skewed" {
		c.Now = func() time.Time { return time.Now().Add(-24 * time.Hour) }
	}
	if len(args) > 2 && args[2] == "hanging" {
		c.Answer = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	}
	var err error
	s.server, err = demotsa.Start(context.Background(), c)
	ts.Check(err)
	ts.Defer(func() { ts.Check(s.server.Close()) })
	running.Store(ts.Getenv("WORK")+"/"+args[0], s)
	ts.Check(trustDemo(ts.MkAbs(args[1]), s.server.Authority(args[0])))
}

func silence(ts *testscript.TestScript, _ bool, args []string) { sw(ts, args).silent.Store(true) }
func speak(ts *testscript.TestScript, _ bool, args []string)   { sw(ts, args).silent.Store(false) }

func sw(ts *testscript.TestScript, args []string) *switched {
	if len(args) != 1 {
		ts.Fatalf("usage: silence|speak NAME")
	}
	found, ok := running.Load(ts.Getenv("WORK") + "/" + args[0])
	if !ok {
		ts.Fatalf("no authority %s", args[0])
	}
	return found.(*switched) //nolint:forcetypeassert // nothing else is stored under such a name
}

func nowhere(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: nowhere FILE DIR")
	}
	text := strings.TrimSpace(ts.ReadFile(args[0]))
	key, err := hex.DecodeString(text)
	ts.Check(err)
	looked := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		looked++
		if bytes.Contains(data, []byte(text)) || bytes.Contains(data, key) {
			ts.Fatalf("%s holds it", path)
		}
		return err
	}))
	if looked < 5 {
		ts.Fatalf("only %d files were looked at", looked)
	}
}
