package main

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

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
	for _, want := range []string{`prahari_messages_total{account="main",how="live"} 0`, `prahari_queue_depth{account="main"} 0`, `prahari_sources{account="main",state="all"} 0`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
