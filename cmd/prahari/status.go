package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/google/renameio/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/scanner"
	"prahari/store"
)

// statusName is the file in which a running watch says how it does.
const statusName = "watch-status.json"

// statusEvery is how often it does.
const statusEvery = 2 * time.Second

// statusFile is what that file holds.
type statusFile struct {
	Running bool            `json:"running"` // as of At; a kill leaves it so
	At      time.Time       `json:"at"`
	Stats   []scanner.Stats `json:"stats"` // of each account
}

// keepStatus writes what the accounts did until ctx ends, and once more then.
func (w *workspace) keepStatus(ctx context.Context, stats func() []scanner.Stats) error {
	write := func() error {
		data, err := json.Marshal(statusFile{ctx.Err() == nil, time.Now(), stats()})
		if err != nil {
			return err
		}
		if err := renameio.WriteFile(w.path(statusName), data, 0o600); err != nil {
			return fmt.Errorf("writing the status: %w", err)
		}
		return nil
	}
	for {
		if err := write(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return write()
		case <-time.After(statusEvery):
		}
	}
}

// statusView is how a watch does, and what the workspace holds.
type statusView struct {
	Running bool            `json:"running"`
	Watch   []scanner.Stats `json:"watch,omitempty"` // of the running watch, or the last, by account
	Sources int             `json:"sources"`
	Missing int64           `json:"missing_message_ids"` // below the newest one seen, not read yet
	Limits  []limitView     `json:"limits"`              // of each account, with what it uses
	States  []accountState  `json:"accounts"`
}

// accountState is what Telegram did to an account, as far as a watch found out.
type accountState struct {
	Account string `json:"account"`
	State   string `json:"state"` // as in 'account list'
}

func newStatus(e env) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "status", Short: "Show whether a watch is running, and how it does",
		Long: `Show whether a watch is running in this workspace and what it did since it began: messages
looked at, findings, gaps, waits that Telegram asked for, calls by method, and what waits
for the disk. With --follow the screen is drawn anew every two seconds until Ctrl-C.`,
		Example: examples("prahari status", "prahari status --follow", "prahari status --json | jq .watch.messages"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if follow && !e.outTTY {
				return usageErrorf(cmd, "--follow needs a terminal; without it the status is printed once")
			}
			return e.status(cmd.Context(), follow)
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "draw the screen anew until Ctrl-C")
	return cmd
}

func (e env) status(ctx context.Context, follow bool) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	for {
		v, err := w.status(ctx)
		if err != nil {
			return err
		}
		if follow {
			if _, err := fmt.Fprint(e.out, "\x1b[H\x1b[2J"); err != nil {
				return err
			}
		}
		if e.global.json {
			err = printJSON(e.out, v)
		} else {
			err = e.statusText(v)
		}
		if err != nil || !follow {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(statusEvery):
		}
	}
}

func (w *workspace) status(ctx context.Context) (statusView, error) {
	var v statusView
	data, err := os.ReadFile(w.path(statusName))
	switch {
	case err == nil:
		var last statusFile
		if err := json.Unmarshal(data, &last); err != nil {
			return v, fmt.Errorf("%s: %w; delete it, the next watch writes it anew", w.path(statusName), err)
		}
		v.Watch, v.Running = last.Stats, last.Running && time.Since(last.At) < 5*statusEvery
	case !errors.Is(err, os.ErrNotExist):
		return v, fmt.Errorf("reading the status: %w", err)
	}
	sources, err := w.db.Sources(ctx)
	if err != nil {
		return v, err
	}
	v.Sources = len(sources)
	observed, err := w.db.Coverage(ctx, "")
	if err != nil {
		return v, err
	}
	ranges, top := map[string][]evidence.Range{}, map[string]int64{}
	for _, o := range observed {
		ranges[o.SourceID], top[o.SourceID] = append(ranges[o.SourceID], o.Range), max(top[o.SourceID], o.Hi)
	}
	if v.Limits, err = w.usage(ctx); err != nil {
		return v, err
	}
	accounts, err := w.db.Accounts(ctx)
	if err != nil {
		return v, err
	}
	v.States = []accountState{}
	for _, a := range accounts {
		v.States = append(v.States, accountState{a.Label, a.State})
	}
	for _, s := range sources {
		for _, m := range evidence.Missing(evidence.Range{Lo: 1, Hi: top[s.ID]}, evidence.Merge(ranges[s.ID])) {
			v.Missing += m.Hi - m.Lo + 1
		}
	}
	return v, nil
}

func (e env) statusText(v statusView) error {
	state := "no watch is running: 'prahari watch' starts one"
	if v.Running {
		state = "a watch is running"
	}
	if _, err := fmt.Fprintf(e.out, "%s\n%-14s %d, message ids not read yet: %d\n", state, "sources", v.Sources, v.Missing); err != nil {
		return err
	}
	for _, l := range v.Limits {
		if _, err := fmt.Fprintf(e.out, "%-14s account %s: %d of %d (%s) %s\n", "limit", l.Account, l.Used, l.Of, l.Confidence, l.Title); err != nil {
			return err
		}
	}
	for _, a := range v.States {
		if a.State == store.AccountOK {
			continue
		}
		if _, err := fmt.Fprintf(e.out, "%-14s account %s: %s\n", "not reading", a.Account, a.State); err != nil {
			return err
		}
	}
	for i := range v.Watch {
		if err := e.accountStatus(&v.Watch[i], v.Running); err != nil {
			return err
		}
	}
	return nil
}

func (e env) accountStatus(s *scanner.Stats, running bool) error {
	connection := "connected"
	if s.Proxy != "" {
		connection += " through " + s.Proxy
	}
	if !s.Connected || !running {
		connection = "not connected"
	}
	_, err := fmt.Fprintf(e.out, "%-14s %s, %s, since %s, as of %s\n%-14s %d of %d read, %d can no longer be read\n%-14s %d from history, %d pushed, %d polled\n%-14s %d, identifiers %d, gaps %d, deleted at the source %d\n%-14s %d pieces of evidence; from posting to reading %s\n",
		"account", s.Account, connection, stamp(s.Since), stamp(s.At), "histories", s.CaughtUp, s.Sources, s.Lost,
		"messages", s.Messages[evidence.Backfill], s.Messages[evidence.Live], s.Messages[evidence.Poll],
		"findings", s.Findings, s.Matches, s.Gaps, s.Deletions, "queue", s.Queue, s.Lag.Round(time.Second))
	for _, method := range slices.Sorted(maps.Keys(s.Calls)) {
		if err == nil {
			_, err = fmt.Fprintf(e.out, "%-14s %s %d, waits %d\n", "calls", method, s.Calls[method], s.FloodWaits[method])
		}
	}
	for _, w := range s.Waits {
		if err == nil && time.Now().Before(w.Until) {
			_, err = fmt.Fprintf(e.out, "%-14s %s until %s, for Telegram asked for it (%s)\n", "waiting", w.Method, stamp(w.Until), w.Reason)
		}
	}
	if err == nil && s.Pace.InARow > 0 { // a status of an earlier version has none
		_, err = fmt.Fprintf(e.out, "%-14s %s\n", "pace", paceText(s.Pace))
	}
	return err
}

// paceText says which waits are kept.
func paceText(p scanner.Pace) string {
	out := fmt.Sprintf("waits to %s are kept, %d in a row; longer ones end with exit code 6; nothing is written for %s after PEER_FLOOD", p.MaxWait, p.InARow, p.Rest)
	for _, method := range slices.Sorted(maps.Keys(p.Methods)) {
		out += fmt.Sprintf("; %s to %s", method, p.Methods[method])
	}
	return out
}

// collector gives the accounts' stats to Prometheus at each scrape.
type collector struct {
	stats func() []scanner.Stats

	messages, matches, findings, gaps, deletions, waits, calls, queue, lag, sources, connected *prometheus.Desc
}

func newCollector(stats func() []scanner.Stats) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("prahari_"+name, help, append([]string{"account"}, labels...), nil)
	}
	return &collector{
		stats:     stats,
		messages:  desc("messages_total", "Messages looked at, by how they came: live, backfill, poll.", "how"),
		matches:   desc("matches_total", "Identifiers found in messages."),
		findings:  desc("findings_total", "Findings recorded."),
		gaps:      desc("gaps_total", "Ranges of messages that were missed when they were posted."),
		deletions: desc("deletions_total", "Messages that their source deleted."),
		waits:     desc("flood_waits_total", "Waits that Telegram asked for, by method.", "method"),
		calls:     desc("rpc_total", "Calls to Telegram, by method.", "method"),
		queue:     desc("queue_depth", "Pieces of evidence that wait for the disk."),
		lag:       desc("lag_seconds", "From posting to reading, of the last message that was pushed."),
		sources:   desc("sources", "Sources by state: all, caught_up, lost.", "state"),
		connected: desc("connected", "1 while a data centre answers."),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.stats() {
		c.collect(s, out)
	}
}

func (c *collector) collect(s scanner.Stats, out chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), append([]string{s.Account}, labels...)...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{s.Account}, labels...)...)
	}
	for _, how := range []evidence.Origin{evidence.Live, evidence.Backfill, evidence.Poll} {
		counter(c.messages, s.Messages[how], string(how))
	}
	counter(c.matches, s.Matches)
	counter(c.findings, s.Findings)
	counter(c.gaps, s.Gaps)
	counter(c.deletions, s.Deletions)
	for method, n := range s.FloodWaits {
		counter(c.waits, n, method)
	}
	for method, n := range s.Calls {
		counter(c.calls, int64(n), method)
	}
	gauge(c.queue, float64(s.Queue))
	gauge(c.lag, s.Lag.Seconds())
	gauge(c.sources, float64(s.Sources), "all")
	gauge(c.sources, float64(s.CaughtUp), "caught_up")
	gauge(c.sources, float64(s.Lost), "lost")
	connected := 0.0
	if s.Connected {
		connected = 1
	}
	gauge(c.connected, connected)
}

// serveMetrics serves /metrics at addr until ctx ends.
func (e env) serveMetrics(ctx context.Context, addr string, stats func() []scanner.Stats) (wait func() error, err error) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(newCollector(stats)); err != nil {
		return nil, err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--metrics %s: %w; name a free address such as 127.0.0.1:9464", addr, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	e.say("Metrics are at http://%s/metrics", listener.Addr())
	return func() error {
		if err := server.Close(); err != nil {
			return err
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving metrics: %w", err)
		}
		return nil
	}, nil
}
