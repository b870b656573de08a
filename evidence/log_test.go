package evidence_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"prahari/evidence"
)

func TestRedactedLogsHoldNoIdentifier(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(evidence.Redacted(slog.NewJSONHandler(&out, nil))).With("of", "9812345678").WithGroup("g")
	log.Info("call 9812345678", "n", 7, "phone", "+91 98123 45678", "error", errors.New("for ana@example.com"), "who", struct{ Phone string }{"9812345678"},
		"long", strings.Repeat("9812345678 ", 40), "text", evidence.Text("9812345678"), slog.Group("inner", "phone", "9812345678"), "mode", "push\x1b[2J")
	got := out.String()
	for _, hidden := range []string{"9812345678", "98123 45678", "ana@example.com", "\x1b", `\u001b`} {
		if strings.Contains(got, hidden) {
			t.Errorf("%q is in %s", hidden, got)
		}
	}
	for _, kept := range []string{`"n":7`, `"mode":"push`, "[left out]"} {
		if !strings.Contains(got, kept) {
			t.Errorf("%q is not in %s", kept, got)
		}
	}
}
