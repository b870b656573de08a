package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/scanner"
)

type watchOptions struct {
	account      string
	lasts        time.Duration
	backfillOnly bool
	noAadhaar    bool
	metrics      string
	lines        bool
}

func newWatch(e env) *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use: "watch", Short: "Read what is missing of every source, then record what is posted, until interrupted",
		Long: `Read what is missing of every source's history, then record what is posted, edited and
deleted, until Ctrl-C or --for. It goes on where it stopped: after an interruption, a crash
or a kill, the same command loses nothing and records nothing twice.
It reads through all accounts of the workspace, each source through one. When Telegram shuts
an account out, its channels and groups move to the others and you are told; a bot stays
with the account whose dialog it is.
On a terminal one screen shows how it does; with --lines, or into a file or a pipe, lines do.
Findings go to stdout as they are recorded (with --json one object a line), progress to
stderr. When Telegram asks to wait, prahari waits; past watch.max_flood_wait of
prahari.yaml it stops with exit code 6.`,
		Example: examples("prahari watch", "prahari watch --backfill-only", "prahari watch --for 1h --json > findings.ndjson", "prahari watch --metrics 127.0.0.1:9464"),
		Args:    usageArgs(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.watch(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.account, "account", "", "read through this account alone (default: all that are signed in)")
	f.DurationVar(&o.lasts, "for", 0, "stop after this time, such as 1h")
	f.StringVar(&o.metrics, "metrics", "", "serve Prometheus metrics at this address, such as 127.0.0.1:9464")
	f.BoolVar(&o.lines, "lines", false, "no screen on a terminal, but a line for each thing that happens")
	f.BoolVar(&o.noAadhaar, "no-aadhaar-token", false, "count Aadhaar numbers and VIDs and make no token of them, whatever the config says")
	f.BoolVar(&o.backfillOnly, "backfill-only", false, "stop when the history is read")
	return cmd
}

func (e env) watch(ctx context.Context, o watchOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	var onTop *screen
	if e.showsScreen() && !o.lines {
		onTop = newScreen(e)
		w.env = onTop.inside()
	}
	release, err := w.db.LockWatch(ctx)
	if err != nil {
		return fmt.Errorf("workspace %s: %w", w.dir, err)
	}
	defer func() { err = errors.Join(err, release()) }()
	sources, err := w.db.Sources(ctx)
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return errors.New("there is nothing to watch: 'prahari source add @name' adds a source")
	}
	finder, err := w.finder()
	if err != nil {
		return err
	}
	w.config.Tokens.NoAadhaar = w.config.Tokens.NoAadhaar || o.noAadhaar
	maker, err := w.maker(ctx, finder, scanner.Layer)
	if err != nil {
		return err
	}
	shown := &progress{env: w.env, screen: onTop}
	defer shown.clear()
	labels, out, err := w.accountsOf(ctx, o.account)
	if err != nil {
		return err
	}
	accounts, err := w.fleet(ctx, labels, out, maker, finder, shown.event)
	if err != nil {
		return err
	}
	running := ctx
	if o.lasts > 0 {
		var stop context.CancelFunc
		running, stop = context.WithTimeout(ctx, o.lasts)
		defer stop()
	}
	if o.metrics != "" {
		stop, err := w.env.serveMetrics(ctx, o.metrics, accounts.stats)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	reporting, stopReporting := context.WithCancel(ctx)
	reported := make(chan error, 1)
	go func() { reported <- w.keepStatus(reporting, accounts.stats) }()
	stamper, err := w.stamper(ctx)
	if err != nil {
		stopReporting()
		return errors.Join(err, <-reported)
	}
	stamped := make(chan struct{})
	go func() {
		defer close(stamped)
		stamper.keep(reporting)
	}()
	told, err := w.keepAlerting(reporting)
	if err != nil {
		stopReporting()
		<-stamped
		return errors.Join(err, <-reported)
	}
	defer func() {
		stopReporting()
		<-stamped
		<-told
		err = errors.Join(err, <-reported)
	}()
	work := func(ctx context.Context) error { return accounts.run(ctx, o.backfillOnly) }
	if onTop != nil {
		err = onTop.during(running, accounts.stats, work)
	} else {
		err = work(running)
	}
	if o.lasts > 0 && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = nil // the time that --for gave is up
	}
	if err == nil {
		e.say("Stopped; everything seen is recorded. 'prahari finding list' shows it.")
	}
	return err
}

// progress shows events: findings on stdout, the rest on stderr.
type progress struct {
	env    env
	screen *screen    // nil: lines
	mu     sync.Mutex // accounts tell of their events side by side
	bar    *progressbar.ProgressBar
	done   map[string][2]int64 // of each source: read and to read
}

// clear takes the bar off the terminal.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}

// showEvent is for commands that only connect.
func (e env) showEvent(event scanner.Event) { (&progress{env: e}).event(event) }

func (p *progress) event(event scanner.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := sourceName(event.Source)
	switch event.Kind {
	case scanner.Reading:
		p.reading(event)
		return
	case scanner.Found:
		p.found(event)
		return
	}
	p.clear()
	switch event.Kind {
	case scanner.CaughtUp:
		p.env.say("%s: history read", name)
	case scanner.Watching:
		p.env.say("Watching. Ctrl-C ends it; everything seen is recorded.")
	case scanner.Disconnected:
		p.env.say("The connection broke; it is made anew.")
	case scanner.Waiting:
		p.env.say("Telegram asks to wait %s before %s; waiting.", event.Wait, event.Method)
	case scanner.Resting:
		p.env.say("Telegram asks for %s before %s (%s): that is more than prahari waits, and is kept for the next run too.", event.Wait, event.Method, event.Detail)
	case scanner.Missed:
		p.env.say("%s: %s: %s", name, messages(event.Done, event.Total), event.Detail)
	case scanner.Inaccessible:
		p.env.say("%s can no longer be read (%s); its evidence stays, the other sources go on", name, event.Detail)
	case scanner.Deleted:
		p.env.say("%s: deleted at the source: %s", name, count(int(event.Total), "message"))
	case scanner.Unreadable:
		p.env.say("%s: %s: %s", name, messages(event.Done, event.Total), event.Detail)
	case scanner.Changed:
		p.env.say("%s %s", name, event.Detail)
	case scanner.Regained, scanner.Connected, scanner.Reading, scanner.Found: // a change says the first
	}
}

// messages names a range of message ids; one without an end goes on.
func messages(lo, hi int64) string {
	switch hi {
	case lo:
		return fmt.Sprintf("message %d", lo)
	case 0:
		return fmt.Sprintf("messages from %d on", lo)
	}
	return fmt.Sprintf("messages %d to %d", lo, hi)
}

// reading moves the bar: all sources' message ids together.
func (p *progress) reading(event scanner.Event) {
	if p.screen != nil {
		p.screen.read(event)
		return
	}
	if p.done == nil {
		p.done = map[string][2]int64{}
	}
	p.done[event.Source.ID] = [2]int64{event.Done, event.Total}
	var done, total int64
	for _, d := range p.done {
		done, total = done+d[0], total+d[1]
	}
	if p.bar == nil {
		p.bar = p.env.bar(total, "reading history", false)
	}
	p.bar.ChangeMax64(total)
	_ = p.bar.Set64(done)
}

// eventFinding is a finding as watch prints it.
type eventFinding struct {
	Type       string            `json:"type"` // "finding"
	ID         string            `json:"id"`
	EvidenceID string            `json:"evidence_id"`
	Source     string            `json:"source"`
	MessageID  int64             `json:"message_id"`
	URL        string            `json:"url,omitempty"`
	PostedAt   time.Time         `json:"posted_at"`
	Origin     evidence.Origin   `json:"origin"`
	Edited     bool              `json:"edited"`
	Rule       string            `json:"rule"`
	Title      string            `json:"title"`
	Severity   evidence.Severity `json:"severity"`
	Confidence float64           `json:"confidence"`
	Records    int               `json:"records"`
	Masked     string            `json:"masked"`
}

func (p *progress) found(event scanner.Event) {
	e := event.Evidence
	for _, f := range e.Findings {
		v := eventFinding{
			Type: "finding", ID: f.ID, EvidenceID: e.ID, Source: sourceName(e.Source), MessageID: e.MessageID, URL: e.URL, PostedAt: e.PostedAt,
			Origin: e.Origin, Edited: !e.EditedAt.IsZero(), Rule: f.Rule, Title: f.Title, Severity: f.Severity, Confidence: f.Confidence,
			Records: len(f.Records), Masked: e.Masked,
		}
		if p.env.global.json {
			_ = printJSON(p.env.out, v) // a reader that left is no reason to stop recording
			continue
		}
		p.clear()
		how := string(v.Origin)
		if v.Edited {
			how += ", edited"
		}
		fmt.Fprintf(p.env.out, "%s  %-8s  %s/%d (%s)  %s, %s, confidence %.2f\n", v.ID, v.Severity, v.Source, v.MessageID, how, v.Title, count(v.Records, "record"), v.Confidence)
	}
}
