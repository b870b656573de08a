package scanner_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/transport"
	"golang.org/x/sync/errgroup"

	"prahari/evidence"
	"prahari/scanner"
	"prahari/store"
)

// crowd is a scene of channels with each many messages, one in a thousand of
// which holds a leaked record.
func crowd(channels, thousands int) string {
	var b strings.Builder
	b.WriteString("users: [{phone: \"" + phone + "\", first: Ana}]\nchannels:\n")
	for c := range channels {
		fmt.Fprintf(&b, "  - username: crowd_%c\n    title: Crowd\n    messages:\n", 'a'+c)
		for n := range thousands {
			record := strings.ReplaceAll(leak, "%d", strconv.Itoa(n%40+1))
			fmt.Fprintf(&b, "      - {generate: 999}\n      - {text: %q}\n", record)
		}
	}
	return b.String()
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// TestSpeed prints how fast histories are read, found in and recorded, beside a
// loop that only asks for them; how fast pushes are; how the time per message
// grows; and how much memory the reading process takes. It asserts nothing:
// compare numbers of one run. BENCH_SCANNER is how many thousands of messages
// each of three channels has.
func TestSpeed(t *testing.T) {
	thousands, err := strconv.Atoi(os.Getenv("BENCH_SCANNER"))
	if err != nil || thousands < 1 {
		t.Skip("SKIPPED: BENCH_SCANNER names no size; 'make bench-scanner' does")
	}
	b := newBenchOf(t, crowd(3, thousands))
	b.signIn()
	var sources []evidence.Source
	for _, name := range []string{"@crowd_a", "@crowd_b", "@crowd_c"} {
		sources = append(sources, b.add(name, false))
	}
	messages := float64(3 * thousands * 1000)
	var bare, own []float64
	for range 3 {
		bare = append(bare, messages/b.bare(sources).Seconds())
		own = append(own, messages/b.alone(sources).Seconds())
	}
	t.Logf("rate bare %.0f", median(bare))
	t.Logf("rate backfill %.0f", median(own))
	t.Logf("ratio backfill/bare %.2f", median(own)/median(bare))
	small := newBenchOf(t, crowd(3, max(thousands/10, 1)))
	small.signIn()
	var few []evidence.Source
	for _, name := range []string{"@crowd_a", "@crowd_b", "@crowd_c"} {
		few = append(few, small.add(name, false))
	}
	var smallRates, largeRates []float64
	peak := int64(0)
	for range 3 {
		took, _ := small.inChild(few)
		smallRates = append(smallRates, took.Seconds()/float64(3*max(thousands/10, 1)*1000))
		took, rss := b.inChild(sources)
		largeRates = append(largeRates, took.Seconds()/messages)
		peak = max(peak, rss)
	}
	t.Logf("ratio growth %.2f", median(largeRates)/median(smallRates))
	t.Logf("peak-mb %d", peak>>20)
	t.Logf("rate live %.0f", b.live(20_000))
}

// bare asks for all histories and throws them away, three at a time as Run does.
func (b *bench) bare(sources []evidence.Source) time.Duration {
	b.t.Helper()
	o := telegram.Options{
		DC: 1, SessionStorage: &session.FileStorage{Path: filepath.Join(b.dir, "main.json")}, NoUpdates: true,
		Resolver: dcs.Plain(dcs.PlainOptions{Protocol: transport.Intermediate}), PublicKeys: b.publicKeys(),
	}
	for _, dc := range b.dc.DCs() {
		host, port, _ := strings.Cut(dc.Addr, ":")
		n, err := strconv.Atoi(port)
		if err != nil {
			b.t.Fatal(err)
		}
		o.DCList.Options = append(o.DCList.Options, tg.DCOption{ID: dc.ID, IPAddress: host, Port: n})
	}
	client := telegram.NewClient(1, "hash", o)
	var took time.Duration
	err := client.Run(b.t.Context(), func(ctx context.Context) error {
		if _, err := client.Self(ctx); err != nil {
			return err
		}
		began := time.Now()
		work, ctx := errgroup.WithContext(ctx)
		for _, s := range sources {
			work.Go(func() error {
				for offset := 0; ; {
					answer, err := client.API().MessagesGetHistory(ctx, &tg.MessagesGetHistoryRequest{
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
		b.t.Fatal(err)
	}
	return took
}

// fresh is a database that knows the sources and nothing of their messages.
func (b *bench) fresh(path string, sources []evidence.Source) *store.DB {
	b.t.Helper()
	db, err := store.Open(b.t.Context(), path, store.Create)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range sources {
		if err := db.AddSource(b.t.Context(), s); err != nil {
			b.t.Fatal(err)
		}
	}
	return db
}

// alone reads all histories into a new database.
func (b *bench) alone(sources []evidence.Source) time.Duration {
	b.t.Helper()
	db := b.fresh(filepath.Join(b.t.TempDir(), "prahari.db"), sources)
	began := time.Now()
	if err := b.scanner(func(c *scanner.Config) { c.Keeper = db }).Run(b.t.Context(), scanner.RunOptions{Sources: sources, BackfillOnly: true}); err != nil {
		b.t.Fatal(err)
	}
	took := time.Since(began)
	if err := db.Close(); err != nil {
		b.t.Fatal(err)
	}
	return took
}

// inChild reads all histories in a process of its own, and returns the most
// memory it held, in bytes.
func (b *bench) inChild(sources []evidence.Source) (time.Duration, int64) {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "prahari.db")
	if err := b.fresh(path, sources).Close(); err != nil {
		b.t.Fatal(err)
	}
	order := b.order(path, true, sources...)
	cmd := exec.CommandContext(b.t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childVariable+"="+order)
	cmd.Stderr = os.Stderr
	began := time.Now()
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatal(err)
	}
	took := time.Since(began)
	peak, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		b.t.Fatalf("the child did not tell its memory: %q", out)
	}
	return took, peak << 10
}

// live posts n messages to a joined channel, one in a hundred with a record, and
// returns how many a second were recorded.
func (b *bench) live(n int) float64 {
	b.t.Helper()
	source := b.add("@crowd_a", true)
	db := b.fresh(filepath.Join(b.t.TempDir(), "prahari.db"), []evidence.Source{source})
	defer func() { _ = db.Close() }()
	before := len(b.dc.History("crowd_a"))
	// What was there counts as seen.
	err := db.Commit(b.t.Context(), evidence.Batch{Actor: "analyst:test", Observed: []evidence.Observed{{
		SourceID: source.ID, Range: evidence.Range{Lo: 1, Hi: int64(before)}, How: evidence.Backfill, Account: "main", At: time.Now(),
	}}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.events = nil
	stop := b.watch(b.scanner(func(c *scanner.Config) { c.Keeper = db }), source)
	b.wait(scanner.Watching, 1)
	began := time.Now()
	for i := range n {
		m := dcMessage("fine weather at 10:30, platform 4")
		if i%100 == 0 {
			m = post(b.t, i/100%40+1)
		}
		if _, err := b.dc.Post("crowd_a", m); err != nil {
			b.t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		observed, err := db.Coverage(b.t.Context(), source.ID)
		if err != nil {
			b.t.Fatal(err)
		}
		var ranges []evidence.Range
		for _, o := range observed {
			ranges = append(ranges, o.Range)
		}
		if len(evidence.Missing(evidence.Range{Lo: 1, Hi: int64(before + n)}, evidence.Merge(ranges))) == 0 {
			break
		}
		if time.Now().After(deadline) {
			b.t.Fatal("two minutes were not enough")
		}
	}
	took := time.Since(began)
	_ = stop()
	return float64(n) / took.Seconds()
}
