package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"prahari/evidence"
	"prahari/fixtures"
	"prahari/fixtures/telegram"
	"prahari/scanner"
)

// The metrics are well-formed, and an HTTP client reads them from the address
// that the user is told.
func TestMetricsAreServed(t *testing.T) {
	s, err := scanner.New(scanner.Config{Account: "main", APIID: 1, APIHash: "hash"})
	if err != nil {
		t.Fatal(err)
	}
	stats := func() []scanner.Stats { return []scanner.Stats{s.Stats()} }
	problems, err := testutil.CollectAndLint(newCollector(stats))
	if err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	var told bytes.Buffer
	e := env{out: io.Discard, err: &told, global: &globals{}}
	stop, err := e.serveMetrics(t.Context(), "127.0.0.1:0", stats)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, regexp.MustCompile(`http://\S+`).FindString(told.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	if _, err := parser.TextToMetricFamilies(bytes.NewReader(body)); err != nil {
		t.Errorf("Prometheus does not read it: %v", err)
	}
	for _, want := range []string{`prahari_messages_total{account="main",how="live"} 0`, `prahari_queue_depth{account="main"} 0`, `prahari_sources{account="main",state="all"} 0`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// While a watch runs, Prometheus' own parser reads from it what 'prahari status'
// shows beside it.
func TestMetricsOfAWatchAreThoseOfStatus(t *testing.T) {
	t.Chdir(t.TempDir())
	server, environ := signedIn(t)
	server.Inject(telegram.Fault{Method: "messages.getHistory", Error: "FLOOD_WAIT_1"})
	var told lockedBuffer
	e := env{in: strings.NewReader(""), out: io.Discard, err: &told, getenv: func(n string) string { return environ[n] }}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, e, []string{"watch", "--metrics", "127.0.0.1:0", "--log-format", "json", "--log-file", "watch.log"})
	}()
	defer func() {
		stop()
		if code := <-ended; code != exitInterrupted {
			t.Errorf("the watch ended with code %d: %s", code, told.String())
		}
		checkLog(t, "watch.log")
	}()
	eventually(t, "the watch to begin", func() bool { return strings.Contains(told.String(), "Watching.") })
	if _, err := server.Post("leaks", telegram.Message{Text: "fine weather"}); err != nil {
		t.Fatal(err)
	}
	url := regexp.MustCompile(`http://\S+`).FindString(told.String())
	var families map[string]*dto.MetricFamily
	value := func(name string, labels ...string) float64 {
		for _, m := range families["prahari_"+name].GetMetric() {
			set := map[string]string{}
			for _, l := range m.GetLabel() {
				set[l.GetName()] = l.GetValue()
			}
			fits := set["account"] == "main"
			for i := 0; i < len(labels); i += 2 {
				fits = fits && set[labels[i]] == labels[i+1]
			}
			if fits {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
		t.Errorf("no metric %s %v", name, labels)
		return -1
	}
	scrape := func() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		parser := expfmt.NewTextParser(model.UTF8Validation)
		if families, err = parser.TextToMetricFamilies(answer.Body); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	eventually(t, "status to be as the metrics", func() bool {
		scrape()
		out.Reset()
		if code := run(t.Context(), env{in: strings.NewReader(""), out: &out, err: io.Discard, getenv: e.getenv}, []string{"status", "--json"}); code != exitFine {
			t.Fatalf("status ends with code %d", code)
		}
		var v statusView
		if err := json.Unmarshal(out.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if !v.Running || len(v.Watch) != 1 || v.Watch[0].Messages[evidence.Backfill] != 231 {
			return false
		}
		s := v.Watch[0]
		for name, pair := range map[string][2]float64{
			"findings": {float64(s.Findings), value("findings_total")}, "matches": {float64(s.Matches), value("matches_total")},
			"waits":     {float64(s.FloodWaits["messages.getHistory"]), value("flood_waits_total", "method", "messages.getHistory")},
			"sources":   {float64(s.Sources), value("sources", "state", "all")},
			"connected": {1, value("connected")}, "gaps": {float64(s.Gaps), value("gaps_total")},
		} {
			if pair[0] != pair[1] {
				t.Logf("%s: status has %v, the metrics %v", name, pair[0], pair[1]) // written every two seconds
				return false
			}
		}
		if s.Findings != 1 {
			return false
		}
		if s.Matches < 2 || s.FloodWaits["messages.getHistory"] != 1 || value("rpc_total", "method", "messages.getHistory") < 4 {
			t.Errorf("status is %+v", s)
		}
		for _, name := range []string{"queue_depth", "lag_seconds"} {
			value(name)
		}
		return true
	})
}

// checkLog reads a log of a watch, line by line, as a program does.
func checkLog(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[any]bool{}
	for line := range strings.Lines(string(data)) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if record["time"] == nil || record["level"] == nil || record["account"] != "main" {
			t.Errorf("a record without time, level or account: %s", line)
		}
		kinds[record["kind"]] = true
	}
	for _, kind := range []any{"connected", "flood_wait", "finding", "caught_up", "watching"} {
		if !kinds[kind] {
			t.Errorf("no event %v in the log", kind)
		}
	}
	p := fixtures.MakePerson(1)
	for _, secret := range []string{p.Name, p.Mobile, p.Aadhaar, "15550100001"} {
		if bytes.Contains(data, []byte(secret)) {
			t.Error("an identifier is in the log")
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the log has mode %v, %v", info.Mode(), err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A lockedBuffer is written and read at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
