package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"prahari/evidence"
)

// An endpoint that is down is told later, of the same, once; nothing leaves that
// is not masked, and no secret is shown.
func TestAlertsReachTheirEndpoint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "workspace")
	var out, errs bytes.Buffer
	prahari := func(args ...string) int {
		t.Helper()
		out.Reset()
		errs.Reset()
		return run(t.Context(), env{
			in: strings.NewReader(""), out: &out, err: &errs,
			getenv: func(name string) string {
				return map[string]string{"PRAHARI_WORKSPACE": dir, "PRAHARI_OPERATOR": "a1"}[name]
			},
		}, args)
	}
	if code := prahari("init", "--organisation", "Example", "--email", "desk@example.org", "--demo-identities", filepath.Join(t.TempDir(), "legal")); code != exitFine {
		t.Fatalf("init: %d %s", code, errs.String())
	}
	if code := prahari("alert", "test"); code == exitFine || !strings.Contains(errs.String(), "alerts.endpoints") {
		t.Errorf("no endpoint: %d %s", code, errs.String())
	}
	var down atomic.Bool
	down.Store(true)
	var ids []string
	var last []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ids = append(ids, r.Header.Get("webhook-id"))
		last, _ = io.ReadAll(r.Body)
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	if code := prahari("alert", "secret", "keys/soc.secret", "--dry-run"); code != exitFine || !strings.Contains(out.String(), "nothing was written") {
		t.Errorf("a dry run: %d %s", code, errs.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "keys", "soc.secret")); err == nil {
		t.Error("a dry run made the secret")
	}
	if code := prahari("alert", "secret", "keys/soc.secret"); code != exitFine {
		t.Fatalf("secret: %s", errs.String())
	}
	secret, err := os.ReadFile(filepath.Join(dir, "keys", "soc.secret"))
	if err != nil || !strings.HasPrefix(string(secret), "whsec_") {
		t.Fatalf("%q, %v", secret, err)
	}
	if code := prahari("alert", "secret", "keys/soc.secret"); code == exitFine {
		t.Error("a secret was overwritten")
	}
	if code := prahari("alert", "secret", "keys/soc.secret", "--dry-run"); code == exitFine {
		t.Error("a dry run did not see that the secret is there")
	}
	config := filepath.Join(dir, configName)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, fmt.Sprintf("alerts:\n  min_severity: high\n  per_hour: 3600000\n  endpoints:\n    - name: soc\n      webhook: %s\n      secret_file: keys/soc.secret\n", server.URL)...)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := prahari("alert", "test", "--dry-run"); code != exitFine || len(ids) != 0 {
		t.Errorf("a dry run: %d, %s", code, errs.String())
	}
	if code := prahari("alert", "test", "nobody"); code == exitFine || !strings.Contains(errs.String(), "soc") {
		t.Errorf("an unknown endpoint: %s", errs.String())
	}
	if code := prahari("alert", "send"); code != exitFine || len(ids) != 0 {
		t.Errorf("nothing is there: %d %s", code, errs.String())
	}
	found(t, dir)
	for range 2 { // the first changes nothing that the second would see
		if code := prahari("alert", "send", "--dry-run"); code != exitFine || len(ids) != 0 || out.String() != "soc would be told of 1 finding (f-1); nothing was sent\n" {
			t.Errorf("a dry run: %d %s%s", code, out.String(), errs.String())
		}
	}
	if code := prahari("alert", "list"); code != exitFine || out.String() != "" {
		t.Errorf("a dry run made an alert: %s", out.String())
	}
	if code := prahari("alert", "send"); code == exitFine || !strings.Contains(errs.String(), "503") {
		t.Errorf("down: %d %s", code, errs.String())
	}
	down.Store(false)
	if code := prahari("alert", "send"); code != exitFine || len(ids) != 1 {
		t.Errorf("tried again at once: %d %q", code, ids)
	}
	if code := prahari("alert", "send", "--dry-run"); code != exitFine || out.String() != "soc: nothing is due\n" {
		t.Errorf("a dry run between two tries: %d %s%s", code, out.String(), errs.String())
	}
	if code := prahari("alert", "list", "--json"); code != exitFine || !strings.Contains(out.String(), `"state":"waiting"`) {
		t.Errorf("list: %s", out.String())
	}
	var waiting evidence.Alert
	if err := json.Unmarshal(out.Bytes(), &waiting); err != nil {
		t.Fatal(err)
	}
	w, err := env{getenv: func(string) string { return dir }, global: &globals{workspace: dir}, err: io.Discard}.openWorkspace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waiting.NextAt = time.Now().Add(-time.Second)
	err = w.db.RecordAlert(t.Context(), waiting)
	w.close(&err)
	if err != nil {
		t.Fatal(err)
	}
	if code := prahari("alert", "send"); code != exitFine || len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("the second try: %d %q %s", code, ids, errs.String())
	}
	if !bytes.Contains(last, []byte(`"masked":"Mobile: XXXXXX5678"`)) || bytes.Contains(last, secret) {
		t.Errorf("told: %s", last)
	}
	if code := prahari("alert", "send"); code != exitFine || !strings.Contains(out.String(), "nothing is due") || len(ids) != 2 {
		t.Errorf("told twice: %s", out.String())
	}
	if code := prahari("alert", "test", "soc"); code != exitFine || len(ids) != 3 || !bytes.Contains(last, []byte(`"test":true`)) {
		t.Errorf("test: %d %s", code, last)
	}
}

// found records a finding in a workspace, as a watch does.
func found(t *testing.T, dir string) {
	t.Helper()
	w, err := env{getenv: func(string) string { return dir }, global: &globals{workspace: dir}, err: io.Discard}.openWorkspace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if w.close(&err); err != nil {
			t.Fatal(err)
		}
	}()
	now := time.Now()
	s := evidence.Source{ID: "channel-1", Kind: evidence.Channel, Access: evidence.Public, PeerID: 1, Username: "leaks", Title: "Leaks", Account: "main", AddedAt: now, AddedBy: "a1"}
	if err = w.db.AddSource(t.Context(), s); err != nil {
		return
	}
	_, err = w.db.Commit(t.Context(), evidence.Batch{Actor: "a1", Evidence: []evidence.Evidence{{
		ID: "ev-1", Source: s, MessageID: 1, Version: "0-1", PostedAt: now, CapturedAt: now, Origin: evidence.Live, Masked: "Mobile: XXXXXX5678",
		Sealed: []byte("sealed"), Commitment: evidence.Digest([]byte("c")), SealedSHA: evidence.Digest([]byte("sealed")), SealedSize: 6,
		Findings: []evidence.Kept{{ID: "f-1", EvidenceID: "ev-1", Rule: "people-list", RuleVersion: 1, Title: "List", Severity: evidence.High}},
	}}})
}
