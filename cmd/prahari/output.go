package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/schollz/progressbar/v3"

	"prahari/evidence"
)

// A column of a list.
type column[T any] struct {
	name  string
	value func(T) string
	max   int // runes, 0: no limit
}

// printList writes rows as NDJSON with --json, as a table on a terminal, and as
// tab-separated lines with a header line otherwise. empty is said on stderr when
// there are none.
func printList[T any](e env, rows []T, empty string, columns ...column[T]) error {
	if e.global.json {
		for _, r := range rows {
			if err := printJSON(e.out, r); err != nil {
				return err
			}
		}
		return nil
	}
	if len(rows) == 0 {
		e.say("%s", empty)
		return nil
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	header := make(table.Row, len(columns))
	var limits []table.ColumnConfig
	for i, c := range columns {
		header[i] = c.name
		if c.max > 0 && e.outTTY {
			limits = append(limits, table.ColumnConfig{Number: i + 1, WidthMax: c.max, WidthMaxEnforcer: text.Trim})
		}
	}
	t.SetColumnConfigs(limits)
	t.AppendHeader(header)
	for _, r := range rows {
		row := make(table.Row, len(columns))
		for i, c := range columns {
			row[i] = evidence.OneLine(c.value(r), 400)
		}
		t.AppendRow(row)
	}
	out := t.RenderTSV()
	if e.outTTY {
		out = t.Render()
	}
	_, err := fmt.Fprintln(e.out, out)
	return err
}

// printJSON writes one object on one line.
func printJSON(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding output: %w", err)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// bar shows progress of long work on stderr when that is a terminal; total -1
// is for work of unknown size.
func (e env) bar(total int64, what string, bytes bool) *progressbar.ProgressBar {
	visible := e.errTTY && !e.global.quiet && !e.global.logging.onlyJSON()
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(e.err), progressbar.OptionSetDescription(what), progressbar.OptionSetVisibility(visible),
		progressbar.OptionShowBytes(bytes), progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30), progressbar.OptionUseANSICodes(false),
		progressbar.OptionEnableColorCodes(false), progressbar.OptionFullWidth())
}

// count renders a number of things: "1 record", "3 records".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// stamp renders a time for people: UTC to the minute.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}
