package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"prahari/evidence"
	"prahari/scanner"
)

// logging is where structured logs go, and in which form.
type logging struct {
	format string // "text" or "json"; "": text, and warnings alone
	path   string // of a file; "": stderr

	mu   sync.Mutex
	file *os.File // once opened
}

// open checks the flags and opens the file, which grows.
func (l *logging) open() error {
	switch l.format {
	case "", "text", "json":
	default:
		return usageError{"", fmt.Errorf("--log-format is text or json, not %q", evidence.Caption(l.format, 20))}
	}
	if l.path == "" {
		return nil
	}
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("--log-file: %w", err)
	}
	l.file = file
	return nil
}

func (l *logging) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// onlyJSON reports whether stderr is read by a program: no prose goes there.
func (l *logging) onlyJSON() bool { return l.format == "json" && l.path == "" }

// Write keeps lines of goroutines apart.
func (l *logging) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Write(b)
}

// log writes structured records to stderr, or to --log-file: warnings, with
// --log-format or --log-file what happens too, with --verbose everything. No
// identifier is in any of them.
func (e env) log() *slog.Logger {
	l := &e.global.logging
	options := &slog.HandlerOptions{Level: slog.LevelWarn}
	switch {
	case e.global.verbose:
		options.Level = slog.LevelDebug
	case l.format != "" || l.path != "":
		options.Level = slog.LevelInfo
	}
	to := e.err
	if l.file != nil {
		to = io.Writer(l)
	}
	if cmp.Or(l.format, "text") == "json" {
		return slog.New(evidence.Redacted(slog.NewJSONHandler(to, options)))
	}
	return slog.New(evidence.Redacted(slog.NewTextHandler(to, options)))
}

// logEvent writes an event of an account as one record.
func logEvent(log *slog.Logger, account string, e scanner.Event) {
	attrs := []any{"account", account}
	add := func(name string, value any, there bool) {
		if there {
			attrs = append(attrs, name, value)
		}
	}
	add("source", string(e.Source.Kind), e.Source.ID != "")
	add("peer", e.Source.PeerID, e.Source.ID != "") // a number: in a string it would be swept
	add("method", e.Method, e.Method != "")
	add("wait_seconds", e.Wait.Seconds(), e.Wait > 0)
	add("detail", evidence.Caption(e.Detail, 80), e.Detail != "")
	switch e.Kind {
	case scanner.Found:
		for _, f := range e.Evidence.Findings {
			log.Info("event", append(attrs, "kind", string(e.Kind), "finding", f.ID, "rule", f.Rule, "severity", string(f.Severity), "message", e.Evidence.MessageID)...)
		}
		return
	case scanner.Reading:
		log.Debug("event", append(attrs, "kind", string(e.Kind), "done", e.Done, "of", e.Total)...)
		return
	case scanner.Missed:
		attrs = append(attrs, "from", e.Done, "to", e.Total)
	case scanner.Deleted:
		attrs = append(attrs, "messages", e.Total)
	}
	log.Info("event", append(attrs, "kind", string(e.Kind))...)
}
