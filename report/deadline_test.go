package report_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"

	"prahari/evidence"
	"prahari/report"
)

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Both ends of a row are included, and days are India's: the clock changes at
// 18:30 UTC, whatever zone the trigger was written in.
func TestClocksChangeAtMidnightInIndia(t *testing.T) {
	b := book(t, nil)
	for _, tc := range []struct{ clock, trigger, want string }{
		{"IN-ITR-3-2-a-resolve", "2026-02-19T23:59:59+05:30", "IN-ITR-3-2-a-resolve.1 2026-03-06T18:29:59Z"},
		{"IN-ITR-3-2-a-resolve", "2026-02-20T00:00:00+05:30", "IN-ITR-3-2-a-resolve.2 2026-02-26T18:30:00Z"},
		{"IN-ITR-3-2-a-resolve", "2026-02-19T18:29:59Z", "IN-ITR-3-2-a-resolve.1 2026-03-06T18:29:59Z"},
		{"IN-ITR-3-2-a-resolve", "2026-02-19T10:30:00-08:00", "IN-ITR-3-2-a-resolve.2 2026-02-26T18:30:00Z"},
		{"IN-ITR-3-2-a-proviso", "2026-02-19T18:29:59Z", "IN-ITR-3-2-a-proviso.1 2026-02-22T18:29:59Z"},
		{"IN-ITR-3-2-a-proviso", "2026-02-19T18:30:00Z", "IN-ITR-3-2-a-proviso.2 2026-02-21T06:30:00Z"},
		{"IN-ITR-3-2-b", "2026-02-19T18:29:59Z", "IN-ITR-3-2-b.1 2026-02-20T18:29:59Z"},
		{"IN-ITR-3-2-b", "2026-02-19T18:30:00Z", "IN-ITR-3-2-b.2 2026-02-19T20:30:00Z"},
		{"IN-ITR-3-1-d", "2025-11-14T18:29:59Z", "IN-ITR-3-1-d.1 2025-11-16T06:29:59Z"},
		{"IN-ITR-3-1-d", "2025-11-14T18:30:00Z", "IN-ITR-3-1-d.2 2025-11-16T06:30:00Z"},
		{"IN-ITR-3-1-d", "2026-02-19T18:29:59Z", "IN-ITR-3-1-d.2 2026-02-21T06:29:59Z"},
		{"IN-ITR-3-1-d", "2026-02-19T18:30:00Z", "IN-ITR-3-1-d.3 2026-02-19T21:30:00Z"},
		{"IN-ITR-3-1-d", "2025-10-21T18:29:59Z", "check"}, // before anybody is sure
		{"IN-ITR-3-1-d", "2025-10-21T18:30:00Z", "IN-ITR-3-1-d.1 2025-10-23T06:30:00Z"},
		{"IN-ITR-3-2-a-ack", "2026-02-20T00:00:00Z", "IN-ITR-3-2-a-ack 2026-02-21T00:00:00Z"},
		{"IN-CERTIN-6H", "2022-06-27T18:29:59Z", "check"}, // one paper says the 27th
		{"IN-CERTIN-6H", "2022-06-27T18:30:00Z", "IN-CERTIN-6H 2022-06-28T00:30:00Z"},
		{"IN-DPDP-R7-BOARD-2", "2026-11-24T00:00:00Z", "check"},
		{"IN-DPDP-R7-BOARD-2", "2027-05-12T18:30:00Z", "check"}, // the 13th, or the 14th as some say
		{"IN-DPDP-R7-BOARD-2", "2027-05-13T18:30:00Z", "IN-DPDP-R7-BOARD-2 2027-05-16T18:30:00Z"},
		{"IN-DPDP-R7-BOARD-1", "2027-05-14T00:00:00Z", "IN-DPDP-R7-BOARD-1 2027-05-14T00:00:00Z"}, // without delay
		{"IN-GAC-file", "2026-11-24T00:00:00Z", "IN-GAC-file 2026-12-24T00:00:00Z"},
		{"EU-GDPR-33", "2026-11-24T00:00:00Z", "EU-GDPR-33 2026-11-27T00:00:00Z"},
		{"EU-GDPR-34", "2026-11-24T00:00:00Z", "check"},      // wording unconfirmed
		{"IN-ITR-preserve", "2026-11-24T00:00:00Z", "check"}, // period unconfirmed
		{"IN-UIDAI-RE", "2026-11-24T00:00:00Z", "check"},
		{"IN-RBI", "2026-11-24T00:00:00Z", "check"},
		{"IN-SEBI", "2026-11-24T00:00:00Z", "check"},
		{"IN-IRDAI", "2026-11-24T00:00:00Z", "check"},
		{"IN-69A-EMERG", "2026-11-24T00:00:00Z", "check"},
		{"IN-ITR-3-1-c", "2026-11-24T00:00:00Z", "IN-ITR-3-1-c.2 2027-02-24T00:00:00Z"},
	} {
		got := "check"
		at := instant(t, tc.trigger)
		switch d, err := b.Clock(tc.clock, at); {
		case err == nil:
			got = d.ID + " " + d.Due(at).UTC().Format(time.RFC3339)
		case !errors.Is(err, report.ErrNoClock) || !strings.HasPrefix(err.Error(), "check"):
			t.Errorf("%s at %s: %v", tc.clock, tc.trigger, err)
		}
		if got != tc.want {
			t.Errorf("%s at %s: got %s, want %s", tc.clock, tc.trigger, got, tc.want)
		}
	}
}

// Rows of one clock never hold on the same day, and every clock is in the table.
func TestTableIsWhole(t *testing.T) {
	b := book(t, nil)
	var clocks []string
	for i, d := range b.Deadlines {
		if !slices.Contains(clocks, d.Clock) {
			clocks = append(clocks, d.Clock)
		}
		for _, other := range b.Deadlines[:i] {
			if other.ID == d.ID || other.Clock == d.Clock && other.EffectiveFrom != "" && (other.EffectiveTo == "" || d.EffectiveFrom <= other.EffectiveTo) {
				t.Errorf("rows %s and %s overlap", other.ID, d.ID)
			}
		}
	}
	want := strings.Fields(`IN-ITR-3-2-a-ack IN-ITR-3-2-a-resolve IN-ITR-3-2-a-proviso IN-ITR-3-2-b IN-ITR-3-1-d IN-GAC-file IN-GAC-decide IN-ITR-preserve
		IN-ITR-3-1-c IN-CERTIN-6H IN-CERTIN-LOGS IN-DPDP-R7-PRINCIPAL IN-DPDP-R7-BOARD-1 IN-DPDP-R7-BOARD-2 EU-GDPR-33 EU-GDPR-34 IN-UIDAI-RE IN-RBI IN-SEBI
		IN-IRDAI IN-69A-EMERG`)
	if !slices.Equal(clocks, want) {
		t.Errorf("clocks are %s", clocks)
	}
	if d, ok := b.Coming("IN-DPDP-R7-BOARD-2", now); !ok || d.EffectiveFrom != "2027-05-13" {
		t.Errorf("the duty to come is %v, %t", d.ID, ok)
	}
	if _, ok := b.Coming("IN-ITR-3-2-a-ack", now); ok {
		t.Error("a duty in force is said to come")
	}
}

func TestWhoMayStart(t *testing.T) {
	b := book(t, nil)
	for _, tc := range []struct {
		name, clock string
		right       report.Right
		may         bool
		says        string
	}{
		{"anybody complains", "IN-ITR-3-2-a-proviso", report.Right{}, true, ""},
		{"an analyst and the order's clock", "IN-ITR-3-1-d", report.Right{Individual: true, Holder: true, Answered: true}, false, "an analyst never starts it. Record the order first"},
		{"an order", "IN-ITR-3-1-d", report.Right{Order: true}, true, ""},
		{"not the individual", "IN-ITR-3-2-b", report.Right{Order: true, Holder: true}, false, "made on their behalf"},
		{"the individual", "IN-ITR-3-2-b", report.Right{Individual: true}, true, ""},
		{"not the holder", "IN-CERTIN-6H", report.Right{Individual: true}, false, "say that you act for one"},
		{"the holder", "IN-CERTIN-6H", report.Right{Holder: true}, true, ""},
		{"not answered", "IN-GAC-file", report.Right{}, false, "runs from the answer"},
		{"answered", "IN-GAC-file", report.Right{Answered: true}, true, ""},
		{"by law", "IN-CERTIN-LOGS", report.Right{Order: true, Individual: true, Holder: true, Answered: true}, false, "nobody starts it"},
	} {
		d, err := b.Clock(tc.clock, now)
		if err != nil {
			t.Fatal(err)
		}
		err = d.MayStart(tc.right)
		if (err == nil) != tc.may || err != nil && (!errors.Is(err, report.ErrMayNotStart) || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func countdown(id, clock, trigger string, basis evidence.Basis) evidence.Countdown {
	at, _ := time.Parse(time.RFC3339, trigger)
	return evidence.Countdown{ID: id, CaseID: "CASE0001", Clock: clock, Trigger: at, Basis: basis, StartedBy: "analyst:a1", StartedAt: at, NoticeID: "N-0001"}
}

func standings(t *testing.T) []report.Standing {
	stopped := countdown("K-0004", "IN-ITR-3-2-a-ack", "2026-11-20T00:00:00Z", evidence.FromSending)
	stopped.StoppedAt = now
	return book(t, nil).Standings([]evidence.Countdown{
		stopped,
		countdown("K-0003", "IN-SEBI", "2026-11-20T00:00:00Z", evidence.FromNotice),
		countdown("K-0002", "IN-ITR-3-2-a-resolve", "2026-11-23T00:00:00Z", evidence.FromReceipt),
		countdown("K-0001", "IN-ITR-3-2-a-ack", "2026-11-23T00:00:00Z", evidence.FromSending),
	}, now)
}

func TestStandings(t *testing.T) {
	var got []string
	for _, s := range standings(t) {
		due := ""
		if s.DueWithin(now, 24*time.Hour) {
			due = " due"
		}
		got = append(got, s.Countdown.ID+" "+string(s.State)+due)
	}
	want := []string{"K-0001 overdue due", "K-0002 running", "K-0003 check", "K-0004 stopped"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for _, s := range standings(t) {
		if s.Countdown.ID == "K-0002" && !strings.Contains(strings.Join(s.Doubts, " "), "is secondary. Check it against the text") {
			t.Errorf("a secondary row gives no doubt: %q", s.Doubts)
		}
	}
	late := book(t, nil).Standing(countdown("K-0001", "IN-CERTIN-6H", "2026-11-23T00:00:00Z", evidence.FromNotice), now.AddDate(0, 4, 0))
	if !strings.Contains(strings.Join(late.Doubts, " "), "more than 90 days ago") {
		t.Errorf("an old row gives no doubt: %q", late.Doubts)
	}
}

// The calendar as another library's parser reads it: what runs, when it is due,
// an alarm, and nothing that a hostile title could add.
func TestCalendarParses(t *testing.T) {
	titles := map[string]string{"CASE0001": "Leaks\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nATTACH:http://x; a,b\\ \x1b[31m" + strings.Repeat("लंबा ", 80)}
	raw := report.Calendar(standings(t), titles, now)
	for _, line := range bytes.SplitAfter(raw, []byte("\r\n")) {
		if len(line) > 77 || bytes.ContainsAny(bytes.TrimSuffix(line, []byte("\r\n")), "\r\n\x1b") {
			t.Errorf("line %q", line)
		}
	}
	cal, err := ical.NewDecoder(bytes.NewReader(raw)).Decode()
	if err != nil {
		t.Fatal(err)
	}
	events := cal.Events()
	if len(events) != 2 {
		t.Fatalf("%d events", len(events))
	}
	due, err := events[0].DateTimeStart(time.UTC)
	if err != nil || !due.Equal(instant(t, "2026-11-24T00:00:00Z")) {
		t.Errorf("due %v, %v", due, err)
	}
	if summary, err := events[0].Props.Text(ical.PropSummary); err != nil || summary != "CASE0001: acknowledge the complaint by the intermediary (provisional)" {
		t.Errorf("summary %q, %v", summary, err)
	}
	text, err := events[0].Props.Text(ical.PropDescription)
	if err != nil || !strings.Contains(text, "Due 2026-11-24 05:30 IST (2026-11-24 00:00 UTC)") || !strings.Contains(text, "Row IN-ITR-3-2-a-ack, secondary") {
		t.Errorf("description %q, %v", text, err)
	}
	if status, _ := events[1].Props.Text(ical.PropStatus); status != "CONFIRMED" || events[1].Props.Get("ATTACH") != nil {
		t.Errorf("status %s", status)
	}
	if len(events[0].Children) != 1 || events[0].Children[0].Name != ical.CompAlarm {
		t.Errorf("no alarm: %v", events[0].Children)
	}
	again := report.Calendar(standings(t), titles, now.Add(time.Hour))
	if one, two := uids(t, raw), uids(t, again); !slices.Equal(one, two) || one[0] == one[1] {
		t.Errorf("ids %q, later %q", one, two)
	}
}

func uids(t *testing.T, raw []byte) (all []string) {
	cal, err := ical.NewDecoder(bytes.NewReader(raw)).Decode()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range cal.Events() {
		id, _ := e.Props.Text(ical.PropUID)
		all = append(all, id)
	}
	return all
}
