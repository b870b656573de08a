package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/report"
)

type deadlineOptions struct {
	caseID   string
	within   time.Duration
	all      bool
	ics      string
	exitCode bool
}

func (o *deadlineOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.DurationVar(&o.within, "within", 0, "only what is due within this time or overdue, such as 24h")
	f.BoolVar(&o.all, "all", false, "clocks that were stopped, too")
	f.StringVar(&o.ics, "ics", "", "write the running ones to this file as iCalendar, - for stdout")
	f.BoolVar(&o.exitCode, "exit-code", false, "end with exit code 3 if something listed is due or overdue, for cron")
}

func newDeadlines(e env) *cobra.Command {
	var o deadlineOptions
	cmd := &cobra.Command{
		Use: "deadlines", Short: "Clocks of law that run, in all cases; start, prove and stop them",
		Long: `List the clocks of law that run, the most urgent first, in India's time and UTC. Each rests on one
row of a table with its citation, picked by the day of its trigger (read in IST). Where no single
row is certain for that day, no clock is asserted: it says 'check'. One that runs from sending is
provisional until a proof of receipt is recorded.`,
		Example: examples("prahari deadlines", "prahari deadlines --within 24h --exit-code || mail -s 'due today' desk@example.org",
			"prahari deadlines --ics prahari.ics", "prahari deadlines start CASE0001 IN-CERTIN-6H --at '2026-11-24 10:00 IST' --as-holder 'Example Ltd'"),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageErrorf(cmd, "there is no 'prahari deadlines %s'", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return e.deadlines(cmd.Context(), o) },
	}
	o.flags(cmd)
	cmd.AddCommand(newDeadlinesRows(e), rehearsable(e, newDeadlinesOrder(e)), rehearsable(e, newDeadlinesStart(e)),
		rehearsable(e, newDeadlinesReceived(e)), rehearsable(e, newDeadlinesStop(e)))
	return cmd
}

func newCaseDeadlines(e env) *cobra.Command {
	var o deadlineOptions
	cmd := &cobra.Command{
		Use: "deadlines CASE", Short: "Clocks of law that run in one case", Args: usageArgs(cobra.ExactArgs(1)),
		Example: examples("prahari case deadlines CASE0001", "prahari case deadlines 1 --within 24h --exit-code"), ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.caseID = args[0]
			return e.deadlines(cmd.Context(), o)
		},
	}
	o.flags(cmd)
	return cmd
}

// clockView is a started clock as printed.
type clockView struct {
	ID          string         `json:"id"`
	Case        string         `json:"case"`
	Clock       string         `json:"clock"`
	Row         string         `json:"row,omitempty"`
	State       report.State   `json:"state"`
	Duty        string         `json:"duty,omitempty"`
	DutyHolder  string         `json:"duty_holder,omitempty"`
	DueAt       time.Time      `json:"due_at,omitzero"`
	Due         string         `json:"due,omitempty"` // IST and UTC
	TriggerAt   time.Time      `json:"trigger_at"`
	Trigger     string         `json:"trigger"` // IST and UTC
	Basis       evidence.Basis `json:"basis"`
	Provisional bool           `json:"provisional"`
	Notice      string         `json:"notice,omitempty"`
	Order       string         `json:"order,omitempty"`
	Capacity    string         `json:"capacity,omitempty"`
	Citation    string         `json:"citation,omitempty"`
	Check       string         `json:"check,omitempty"`
	Doubts      []string       `json:"doubts,omitempty"`
	StartedBy   string         `json:"started_by"`
	StoppedBy   string         `json:"stopped_by,omitempty"`
	Why         string         `json:"why,omitempty"`
}

func viewClock(s report.Standing) clockView {
	c := s.Countdown
	v := clockView{
		ID: c.ID, Case: c.CaseID, Clock: c.Clock, Row: s.Row.ID, State: s.State, Duty: s.Row.Duty, DutyHolder: s.Row.DutyHolder, DueAt: s.Due,
		TriggerAt: c.Trigger, Trigger: report.Both(c.Trigger), Basis: c.Basis, Provisional: c.Provisional(), Notice: c.NoticeID, Order: c.OrderID,
		Capacity: c.Capacity, Citation: s.Row.Citation, Check: s.Check, Doubts: s.Doubts, StartedBy: c.StartedBy, StoppedBy: c.StoppedBy, Why: c.Why,
	}
	if !s.Due.IsZero() {
		v.Due = report.Both(s.Due)
	}
	return v
}

func (e env) deadlines(ctx context.Context, o deadlineOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	if o.caseID != "" {
		c, err := w.db.Case(ctx, o.caseID)
		if err != nil {
			return caseUnknown(o.caseID, err)
		}
		o.caseID = c.ID
	}
	book, err := w.book()
	if err != nil {
		return err
	}
	started, err := w.db.Clocks(ctx, o.caseID)
	if err != nil {
		return err
	}
	now := time.Now()
	var views []clockView
	var kept []report.Standing
	due := false
	for _, s := range book.Standings(started, now) {
		if s.State == report.Stopped && !o.all || o.within > 0 && !s.DueWithin(now, o.within) {
			continue
		}
		due = due || s.DueWithin(now, o.within)
		views, kept = append(views, viewClock(s)), append(kept, s)
	}
	switch {
	case o.ics != "":
		err = w.calendar(ctx, o.ics, kept, now)
	default:
		err = e.printClocks(views, o, now)
	}
	if err == nil && due && o.exitCode {
		return errDue
	}
	return err
}

func (e env) printClocks(views []clockView, o deadlineOptions, now time.Time) error {
	none := "No clock runs. 'prahari notice record-sent' starts those of a notice, 'prahari deadlines start' any other."
	if o.within > 0 {
		none = "Nothing is due within " + span(o.within) + "."
	}
	err := printList(e, views, none,
		column[clockView]{"clock", func(v clockView) string { return v.ID }, 0},
		column[clockView]{"case", func(v clockView) string { return v.Case }, 0},
		column[clockView]{"due", func(v clockView) string { return v.Due }, 0},
		column[clockView]{"left", func(v clockView) string { return left(v, now) }, 0},
		column[clockView]{"what", clockView.what, 60},
		column[clockView]{"row", func(v clockView) string { return v.Row }, 0},
		column[clockView]{"counted", func(v clockView) string { return string(v.Basis) + " " + v.Trigger }, 60})
	for _, v := range views {
		if v.Check != "" {
			e.say("%s: %s", v.ID, v.Check)
		}
		for _, d := range v.Doubts {
			e.say("%s: %s", v.ID, d)
		}
	}
	return err
}

func (v clockView) what() string {
	switch {
	case v.Row == "":
		return "CHECK: " + v.Clock
	case v.Provisional:
		return v.Duty + " (provisional)"
	}
	return v.Duty
}

// left says how long there is, or since when it is late.
func left(v clockView, now time.Time) string {
	switch v.State {
	case report.Stopped, report.Check:
		return string(v.State)
	case report.Overdue:
		return "overdue " + span(now.Sub(v.DueAt))
	}
	return span(v.DueAt.Sub(now))
}

func span(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%dd %dh", int(d.Hours())/24, int(d.Hours())%24)
	}
	return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
}

// calendar writes the running clocks as iCalendar.
func (w *workspace) calendar(ctx context.Context, path string, kept []report.Standing, now time.Time) error {
	cases, err := w.db.Cases(ctx)
	if err != nil {
		return err
	}
	titles := map[string]string{}
	for _, c := range cases {
		titles[c.ID] = c.Title
	}
	text := report.Calendar(kept, titles, now)
	if path == "-" {
		_, err := w.env.out.Write(text)
		return err
	}
	if err := renameio.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("writing the calendar: %w", err)
	}
	w.env.say("%s has %s; any calendar program opens it", path, count(strings.Count(string(text), "BEGIN:VEVENT"), "event"))
	return nil
}

func newDeadlinesRows(e env) *cobra.Command {
	var on string
	cmd := &cobra.Command{
		Use: "rows [CLOCK]", Short: "Show the table of clocks: duty, who may start it, since when, how certain", Args: usageArgs(cobra.MaximumNArgs(1)),
		Example: examples("prahari deadlines rows", "prahari deadlines rows IN-ITR-3-1-d --on '2026-02-19 23:59 IST'"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				book, err := w.book()
				if err != nil {
					return err
				}
				clock := strings.Join(args, "")
				if clock != "" && !book.Knows(clock) {
					return clockUnknown(clock)
				}
				rows := book.Deadlines
				if clock != "" {
					rows = nil
					for _, d := range book.Deadlines {
						if d.Clock == clock {
							rows = append(rows, d)
						}
					}
				}
				if on != "" {
					at, err := moment(cmd, "--on", on)
					if err != nil {
						return err
					}
					if clock == "" {
						return usageErrorf(cmd, "--on goes with a clock")
					}
					row, err := book.Clock(clock, at)
					if err != nil {
						return err
					}
					rows = []report.Deadline{row}
				}
				return printList(e, rows, "",
					column[report.Deadline]{"row", func(d report.Deadline) string { return d.ID }, 0},
					column[report.Deadline]{"duty", func(d report.Deadline) string { return d.Duty + " (" + d.DutyHolder + ")" }, 44},
					column[report.Deadline]{"within", report.Deadline.Period, 0},
					column[report.Deadline]{"from", func(d report.Deadline) string { return d.EffectiveFrom }, 0},
					column[report.Deadline]{"to", func(d report.Deadline) string { return d.EffectiveTo }, 0},
					column[report.Deadline]{"started by", func(d report.Deadline) string { return d.WhoMayStart }, 40},
					column[report.Deadline]{"known", func(d report.Deadline) string { return known(d) }, 40},
					column[report.Deadline]{"citation", func(d report.Deadline) string { return d.Citation }, 50})
			})
		},
	}
	cmd.Flags().StringVar(&on, "on", "", "only the row that holds at this time, such as '2026-02-20 00:00 IST'")
	return cmd
}

func known(d report.Deadline) string {
	text := string(d.Confidence)
	if d.Doubt != "" {
		text += "; " + d.Doubt
	}
	return text
}

func clockUnknown(clock string) error {
	return fmt.Errorf("there is no clock %s; 'prahari deadlines rows' lists them", evidence.Caption(clock, 40))
}

// moment reads a time that says its zone: a deadline is too dear for a guess.
func moment(cmd *cobra.Command, flag, text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	if local, zone, ok := strings.Cut(text, " IST"); ok && zone == "" {
		if at, err := time.ParseInLocation("2006-01-02 15:04", local, time.FixedZone("IST", 5*3600+1800)); err == nil {
			return at, nil
		}
	}
	if at, err := time.Parse("2006-01-02 15:04 MST", text); err == nil && strings.HasSuffix(text, " UTC") {
		return at, nil
	}
	return time.Time{}, usageErrorf(cmd, "%s %q: write '2026-11-24 10:00 IST', '2026-11-24 04:30 UTC' or 2026-11-24T10:00:00+05:30", flag, evidence.Caption(text, 40))
}

// errDue says that something is due, for --exit-code.
var errDue = errors.New("a deadline is due")
