package scanner_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gotd/td/crypto"
	"github.com/gotd/td/session"
	gotd "github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/transport"
	"golang.org/x/sync/errgroup"

	"prahari/evidence"
	"prahari/fixtures/sealing"
	"prahari/fixtures/telegram"
	"prahari/matcher"
	"prahari/scanner"
	"prahari/store"
)

// atOnce is how many histories are read side by side by all that are measured.
const atOnce = 3

// TestSpeed prints how fast histories are read, found in and recorded, beside a
// loop that only asks for them and beside another library's; how fast pushes are;
// how the time per message grows; and how much memory the reading process takes.
// It asserts nothing: compare numbers of one run. The data centre is a process of
// its own for all of them. BENCH_SCANNER is how many thousands of messages each
// of three channels has; BENCH_SOURCES how many sources of a thousand messages
// memory and growth are measured on.
func TestSpeed(t *testing.T) {
	thousands, err := strconv.Atoi(os.Getenv("BENCH_SCANNER"))
	if err != nil || thousands < 1 {
		t.Skip("SKIPPED: BENCH_SCANNER names no size; 'make bench-scanner' does")
	}
	many, err := strconv.Atoi(os.Getenv("BENCH_SOURCES"))
	if err != nil || many < 100 {
		many = 5000
	}
	a := newArena(t, thousands*1000, many)
	messages := float64(atOnce * thousands * 1000)
	t.Run("history", func(t *testing.T) {
		var bare, own, bareWork, ownWork, serverWork []float64
		for range 5 {
			before, served := work("self"), work(a.pid)
			bare = append(bare, messages/a.bare(a.large).Seconds())
			between := work("self")
			bareWork, serverWork = append(bareWork, (between-before)/messages), append(serverWork, (work(a.pid)-served)/messages)
			own = append(own, messages/a.alone(a.large).Seconds())
			ownWork = append(ownWork, (work("self")-between)/messages)
		}
		// What limits: each side has a core when both are free, and shares them when not.
		t.Logf("cpu-us a message: data centre %.2f, bare loop %.2f, backfill %.2f", 1e6*median(serverWork), 1e6*median(bareWork), 1e6*median(ownWork))
		t.Logf("rate bare %.0f", median(bare))
		t.Logf("rate backfill %.0f", median(own))
		t.Logf("ratio backfill/bare %.2f", median(ratios(own, bare)))
	})
	t.Run("mtcute", func(t *testing.T) {
		var theirs, ours []float64
		for range 3 {
			rate := a.mtcute()
			if rate == 0 {
				return
			}
			theirs, ours = append(theirs, rate), append(ours, messages/a.alone(a.large).Seconds())
		}
		t.Logf("rate mtcute %.0f", median(theirs))
		t.Logf("ratio backfill/mtcute %.2f", median(ratios(ours, theirs)))
	})
	t.Run("live", func(t *testing.T) {
		var rates []float64
		for range 3 {
			rates = append(rates, a.live(20_000))
		}
		t.Logf("rate live %.0f", median(rates))
	})
	t.Run("growth", func(t *testing.T) {
		const each = 1000
		var few, fewCPU []float64
		some := func() {
			for range 4 { // before and after, for the machine may get busier meanwhile
				c := a.inChild(a.small[:many/100])
				few, fewCPU = append(few, c.seconds/float64(many/100*each)), append(fewCPU, c.cpu/float64(many/100*each))
			}
		}
		path := filepath.Join(t.TempDir(), "prahari.db")
		if err := a.fresh(path, a.small).Close(); err != nil {
			t.Fatal(err)
		}
		some()
		read := a.child(path, a.small, false)
		some()
		watching := a.child(path, a.small, true)
		all, allCPU := read.seconds/float64(many*each), read.cpu/float64(many*each)
		t.Logf("rate backfill of %d sources %.0f, of %d %.0f", many, 1/all, many/100, 1/median(few))
		t.Logf("cpu-us a message of %d sources %.2f, of %d %.2f", many, 1e6*allCPU, many/100, 1e6*median(fewCPU))
		t.Logf("a watch of %d sources that are read begins in %.1f s, with %d MiB; reading took %d MiB", many, watching.seconds, watching.peak, read.peak)
		t.Logf("ratio growth %.2f", all/median(few))
		t.Logf("peak-mb %d", max(read.peak, watching.peak))
	})
}

// work is how many seconds a process has run on a processor, 0 where the system
// does not tell.
func work(pid string) float64 {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100 // of USER_HZ, which is 100 wherever Go runs
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// ratios compares runs that were made one after the other, while the machine was
// busy with other things in the same way.
func ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

const serverVariable = "PRAHARI_TEST_SERVER"

// told is what a data centre in a process of its own says of itself.
type told struct {
	Address string
	PEM     string
}

// serve runs a data centre until its stdin ends. A line there has it post so many
// messages to @live, one in a hundred with a record.
func serve() int {
	err := func() error {
		scene, err := telegram.LoadScene(os.Getenv(serverVariable))
		if err != nil {
			return err
		}
		dc, err := telegram.Start(context.Background(), telegram.Config{Scene: scene, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(told{dc.DCs()[0].Addr, string(dc.PublicKeyPEM())}); err != nil {
			return err
		}
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				return err
			}
			for i := range n {
				m := telegram.Message{Text: "fine weather at 10:30, platform 4"}
				if i%100 == 0 {
					if m.Text, err = telegram.Fill(strings.ReplaceAll(leak, "%d", strconv.Itoa(i/100%40+1))); err != nil {
						return err
					}
				}
				if _, err := dc.Post("live", m); err != nil {
					return err
				}
			}
			fmt.Println("posted")
		}
		return errors.Join(lines.Err(), dc.Close())
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// An arena is a data centre in a process of its own, an account that is signed in
// there, and the sources to read.
type arena struct {
	t     *testing.T
	dir   string
	told  told
	pid   string
	in    io.Writer
	out   *bufio.Reader
	maker *evidence.Maker

	recipients   []string
	large, small []evidence.Source
	pushed       evidence.Source
	posted       int // messages to it
}

func newArena(t *testing.T, each, many int) *arena {
	t.Helper()
	a := &arena{t: t, dir: t.TempDir()}
	a.maker, a.recipients = sealing.Maker(t)
	var scene strings.Builder
	scene.WriteString("users: [{phone: \"" + phone + "\", first: Ana}]\nchannels:\n  - {username: live, title: Live}\n")
	for c := range atOnce {
		fmt.Fprintf(&scene, "  - {username: large_%d, title: Large, crowd: %d}\n", c, each)
	}
	for c := range many {
		fmt.Fprintf(&scene, "  - {username: small_%d, title: Small, crowd: 1000}\n", c)
	}
	path := filepath.Join(a.dir, "scene.yaml")
	if err := os.WriteFile(path, []byte(scene.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env, cmd.Stderr = append(os.Environ(), serverVariable+"="+path), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	a.in, a.out, a.pid = in, bufio.NewReader(out), strconv.Itoa(cmd.Process.Pid)
	line, err := a.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &a.told)
	}
	if err != nil {
		t.Fatalf("the data centre did not start: %v", err)
	}
	_, err = a.scanner(nil).Login(t.Context(), scanner.Prompts{
		Phone: func(context.Context) (string, error) { return phone, nil },
		Code:  func(context.Context) (string, error) { return "12345", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	a.resolve(many)
	return a
}

// resolve finds all sources, and joins the one that is pushed to.
func (a *arena) resolve(many int) {
	a.t.Helper()
	err := a.connected(func(ctx context.Context, api *tg.Client) error {
		find := func(name string) (evidence.Source, *tg.Channel, error) {
			answer, err := api.ContactsResolveUsername(ctx, &tg.ContactsResolveUsernameRequest{Username: name})
			if err != nil {
				return evidence.Source{}, nil, err
			}
			c, ok := answer.Chats[0].(*tg.Channel)
			if !ok {
				return evidence.Source{}, nil, fmt.Errorf("%s is %T", name, answer.Chats[0])
			}
			return evidence.Source{
				ID: fmt.Sprintf("channel-%d", c.ID), Kind: evidence.Channel, Access: evidence.Public, PeerID: c.ID, AccessHash: c.AccessHash,
				Username: name, Title: c.Title, Account: "main", AddedAt: time.Now(), AddedBy: "analyst:test",
			}, c, nil
		}
		for i := range atOnce {
			s, _, err := find(fmt.Sprintf("large_%d", i))
			if err != nil {
				return err
			}
			a.large = append(a.large, s)
		}
		for i := range many {
			s, _, err := find(fmt.Sprintf("small_%d", i))
			if err != nil {
				return err
			}
			a.small = append(a.small, s)
		}
		s, c, err := find("live")
		if err != nil {
			return err
		}
		s.Access = evidence.Joined
		a.pushed = s
		_, err = api.ChannelsJoinChannel(ctx, c.AsInput())
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *arena) config() scanner.Config {
	finder, err := matcher.New(matcher.Config{})
	if err != nil {
		a.t.Fatal(err)
	}
	return scanner.Config{
		Account: "main", APIID: 1, APIHash: "hash", SessionPath: filepath.Join(a.dir, "main.json"), DC: 1, PublicKeys: [][]byte{[]byte(a.told.PEM)},
		Servers: []scanner.Server{{DC: 1, Address: a.told.Address}}, Finder: finder, Maker: a.maker,
	}
}

func (a *arena) scanner(db *store.DB) *scanner.Scanner {
	a.t.Helper()
	c := a.config()
	if db != nil {
		c.Keeper = db
	}
	s, err := scanner.New(c)
	if err != nil {
		a.t.Fatal(err)
	}
	return s
}

// connected runs f with the library alone, and nothing of ours.
func (a *arena) connected(f func(context.Context, *tg.Client) error) error {
	keys, err := crypto.ParseRSAPublicKeys([]byte(a.told.PEM))
	if err != nil {
		return err
	}
	o := gotd.Options{
		DC: 1, SessionStorage: &session.FileStorage{Path: filepath.Join(a.dir, "main.json")}, NoUpdates: true,
		Resolver: dcs.Plain(dcs.PlainOptions{Protocol: transport.Intermediate}), PublicKeys: []gotd.PublicKey{{RSA: keys[0]}},
	}
	host, port, _ := strings.Cut(a.told.Address, ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	o.DCList.Options = []tg.DCOption{{ID: 1, IPAddress: host, Port: n}}
	client := gotd.NewClient(1, "hash", o)
	return client.Run(a.t.Context(), func(ctx context.Context) error {
		if _, err := client.Self(ctx); err != nil {
			return err
		}
		return f(ctx, client.API())
	})
}

// bare asks for all histories and throws them away, as many at a time as Run does.
func (a *arena) bare(sources []evidence.Source) time.Duration {
	a.t.Helper()
	var took time.Duration
	err := a.connected(func(ctx context.Context, api *tg.Client) error {
		began := time.Now()
		work, ctx := errgroup.WithContext(ctx)
		work.SetLimit(atOnce)
		for _, s := range sources {
			work.Go(func() error {
				for offset := 0; ; {
					answer, err := api.MessagesGetHistory(ctx, &tg.MessagesGetHistoryRequest{
						Peer: &tg.InputPeerChannel{ChannelID: s.PeerID, AccessHash: s.AccessHash}, OffsetID: offset, Limit: 100,
					})
					if err != nil {
						return err
					}
					got, ok := answer.AsModified()
					if !ok || len(got.GetMessages()) == 0 {
						return nil
					}
					offset = got.GetMessages()[len(got.GetMessages())-1].GetID()
				}
			})
		}
		err := work.Wait()
		took = time.Since(began)
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return took
}

// fresh is a database that knows the sources and nothing of their messages.
func (a *arena) fresh(path string, sources []evidence.Source) *store.DB {
	a.t.Helper()
	db, err := store.Open(a.t.Context(), path, store.Create)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, s := range sources {
		if err := db.AddSource(a.t.Context(), s); err != nil {
			a.t.Fatal(err)
		}
	}
	return db
}

// alone reads all histories into a new database. With BENCH_PROFILE the processor's
// time goes into that file.
func (a *arena) alone(sources []evidence.Source) time.Duration {
	a.t.Helper()
	db := a.fresh(filepath.Join(a.t.TempDir(), "prahari.db"), sources)
	s := a.scanner(db)
	if path := os.Getenv("BENCH_PROFILE"); path != "" {
		defer profile(a.t, path)()
	}
	began := time.Now()
	if err := s.Run(a.t.Context(), scanner.RunOptions{Sources: sources, BackfillOnly: true}); err != nil {
		a.t.Fatal(err)
	}
	took := time.Since(began)
	if n := s.Stats().Findings; n == 0 {
		a.t.Fatal("nothing was found")
	}
	if err := db.Close(); err != nil {
		a.t.Fatal(err)
	}
	return took
}

// profile writes where the processor's time goes until it is stopped.
func profile(t *testing.T, path string) (stop func()) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		t.Fatal(err)
	}
	return func() { pprof.StopCPUProfile(); _ = file.Close() }
}

// mtcute reads the same histories with another library, 0 where it is not here.
func (a *arena) mtcute() float64 {
	a.t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("../fixtures/mtcute/node_modules/@mtcute/node")
	}
	if err != nil {
		a.t.Log("SKIPPED: no mtcute here, so nothing was measured beside it: npm ci in fixtures/mtcute")
		return 0
	}
	pem := filepath.Join(a.dir, "key.pem")
	if err := os.WriteFile(pem, []byte(a.told.PEM), 0o600); err != nil {
		a.t.Fatal(err)
	}
	args := []string{"history.mjs", a.told.Address, pem, phone, "12345", strconv.Itoa(atOnce)}
	for _, s := range a.large {
		args = append(args, s.Username)
	}
	cmd := exec.CommandContext(a.t.Context(), node, args...)
	cmd.Dir, cmd.Stderr = "../fixtures/mtcute", os.Stderr
	out, err := cmd.Output()
	if err != nil {
		a.t.Fatalf("mtcute: %v", err)
	}
	var n, seconds float64
	said := strings.Split(strings.TrimSpace(string(out)), "\n") // the library says something of its own before
	if _, err := fmt.Sscan(said[len(said)-1], &n, &seconds); err != nil {
		a.t.Fatalf("mtcute said %q: %v", out, err)
	}
	return n / seconds
}

// A cost is what a process took: from its first connection on, on a processor, and
// of memory at most, in MiB.
type cost struct {
	seconds, cpu float64
	peak         int64
}

// inChild reads all histories in a process of its own.
func (a *arena) inChild(sources []evidence.Source) cost {
	a.t.Helper()
	path := filepath.Join(a.t.TempDir(), "prahari.db")
	if err := a.fresh(path, sources).Close(); err != nil {
		a.t.Fatal(err)
	}
	return a.child(path, sources, false)
}

// child reads or watches what a database knows of, in a process of its own.
func (a *arena) child(path string, sources []evidence.Source, watch bool) cost {
	a.t.Helper()
	c := a.config()
	raw, err := json.Marshal(childOrder{
		SessionPath: c.SessionPath, Database: path, BackfillOnly: !watch, UntilWatching: watch, Servers: c.Servers, PublicKeys: c.PublicKeys,
		Recipients: a.recipients, Key: a.maker.Key.Encode(), Sources: sources,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	order := filepath.Join(a.t.TempDir(), "order.json")
	if err := os.WriteFile(order, raw, 0o600); err != nil {
		a.t.Fatal(err)
	}
	cmd := exec.CommandContext(a.t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env, cmd.Stderr = append(os.Environ(), childVariable+"="+order), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		a.t.Fatal(err)
	}
	var took cost
	if _, err := fmt.Sscan(string(out), &took.seconds, &took.cpu, &took.peak); err != nil {
		a.t.Fatalf("the child said %q: %v", out, err)
	}
	took.peak >>= 10
	return took
}

// live has n messages posted to a joined channel, one in a hundred with a record,
// and returns how many a second were recorded.
func (a *arena) live(n int) float64 {
	a.t.Helper()
	db := a.fresh(filepath.Join(a.t.TempDir(), "prahari.db"), []evidence.Source{a.pushed})
	defer func() { _ = db.Close() }()
	c := a.config()
	watching := make(chan struct{})
	c.Keeper, c.Events = db, func(e scanner.Event) {
		if e.Kind == scanner.Watching {
			close(watching)
		}
	}
	s, err := scanner.New(c)
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(a.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, scanner.RunOptions{Sources: []evidence.Source{a.pushed}}) }()
	defer func() { stop(); <-ended }()
	select {
	case <-watching:
	case err := <-ended:
		a.t.Fatal(err)
	}
	if path := os.Getenv("BENCH_PROFILE"); path != "" {
		defer profile(a.t, path)()
	}
	began, first, last := time.Now(), int64(a.posted)+1, int64(a.posted+n)
	a.posted += n
	if _, err := fmt.Fprintln(a.in, n); err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.out.ReadString('\n'); err != nil {
		a.t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		observed, err := db.Coverage(a.t.Context(), a.pushed.ID)
		if err != nil {
			a.t.Fatal(err)
		}
		var ranges []evidence.Range
		for _, o := range observed {
			ranges = append(ranges, o.Range)
		}
		if len(evidence.Missing(evidence.Range{Lo: first, Hi: last}, evidence.Merge(ranges))) == 0 {
			break
		}
		if time.Now().After(deadline) {
			a.t.Fatal("two minutes were not enough")
		}
	}
	took := time.Since(began)
	rows, err := db.Findings(a.t.Context(), store.Filter{SourceID: a.pushed.ID})
	if err != nil || len(rows) != a.posted/100 {
		a.t.Fatalf("%d findings are recorded, want %d: %v", len(rows), a.posted/100, err)
	}
	return float64(n) / took.Seconds()
}
