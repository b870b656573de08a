package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/store"
)

// found commits a finding of a source, in a form of text and with a token.
func found(t *testing.T, db *store.DB, s evidence.Source, n int, masked, token string, leads ...evidence.Lead) string {
	t.Helper()
	e := piece(n)
	e.Source, e.Masked, e.CapturedAt = s, masked, time.Now().UTC()
	e.ID = fmt.Sprintf("ev-%s-%d", s.ID, n)
	e.Findings[0].ID, e.Findings[0].EvidenceID = fmt.Sprintf("f-%s-%d", s.ID, n), e.ID
	e.Findings[0].Records[0].Identifiers[0].Token = token
	for i := range leads {
		leads[i].SourceID, leads[i].MessageID, leads[i].At = s.ID, e.MessageID, e.CapturedAt
	}
	e.Leads = leads
	if _, err := db.Commit(t.Context(), evidence.Batch{Evidence: []evidence.Evidence{e}, Actor: "analyst:a1"}); err != nil {
		t.Fatal(err)
	}
	return e.Findings[0].ID
}

func another(t *testing.T, db *store.DB, n int, name string) evidence.Source {
	t.Helper()
	s := source
	s.ID, s.PeerID, s.Username = fmt.Sprintf("channel-%d", n), int64(n), name
	if err := db.AddSource(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

const form = "Name: R****\nMobile: XXXXXX%04d\nAadhaar: XXXX XXXX %04d"

// Suggestions come by source, form, tokens and links, in both directions, and
// never for what a person refused or called false.
func TestSuggestions(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	one, two, three, four := another(t, db, 1, "leaks"), another(t, db, 2, "clone"), another(t, db, 3, "shop"), another(t, db, 4, "apart")
	first := found(t, db, one, 1, fmt.Sprintf(form, 1, 1), "tok-1", evidence.Lead{Name: "shop", How: evidence.ByLink})
	c, err := db.OpenCase(ctx, evidence.Case{Title: "T", OpenedAt: time.Now(), OpenedBy: "analyst:a1", Findings: []string{first}})
	if err != nil {
		t.Fatal(err)
	}
	found(t, db, one, 2, "other words", "tok-2")
	clone := found(t, db, two, 1, fmt.Sprintf(form, 7, 9), "tok-3", evidence.Lead{Name: "leaks", How: evidence.ByMention})
	found(t, db, three, 1, "X: a\nY: b", "tok-1")
	found(t, db, four, 1, "nothing in common", "tok-4")
	got := map[string]string{}
	all, err := db.Suggestions(ctx, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		got[string(s.How)+" "+s.Source] = s.ID
	}
	for _, want := range []string{"source @leaks", "template @clone", "links @clone", "tokens @shop", "links @shop"} {
		if got[want] == "" {
			t.Errorf("nothing is suggested by %s: %v", want, got)
		}
	}
	if len(got) != 5 {
		t.Errorf("suggested: %v", got)
	}
	s, err := db.Suggestion(ctx, c.ID, got["source @leaks"])
	if err != nil {
		t.Fatal(err)
	}
	if err := db.RefuseSuggestion(ctx, s, "analyst:a1", "quotes"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Triage(ctx, evidence.TriageAction{Kind: evidence.TriageFalsePositive, Findings: []string{clone}, Actor: "analyst:a1"}); err != nil {
		t.Fatal(err)
	}
	if all, err = db.Suggestions(ctx, c.ID); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
}

// A case steps along with two people; what does not follow changes nothing.
func TestDecideCase(t *testing.T) {
	db, _ := filled(t, 1)
	ctx := t.Context()
	c, err := db.OpenCase(ctx, evidence.Case{Title: "T", OpenedAt: time.Now(), OpenedBy: "analyst:a1", Findings: []string{"f-0001"}})
	if err != nil || c.Status != evidence.Triage {
		t.Fatal(c, err)
	}
	step := func(to evidence.Decision, actor string) error {
		_, err := db.DecideCase(ctx, evidence.Step{CaseID: c.ID, To: to, Actor: actor})
		return err
	}
	if err := step(evidence.Sent, "analyst:a1"); !errors.Is(err, evidence.ErrTransition) {
		t.Errorf("sent from triage: %v", err)
	}
	for _, s := range []struct {
		to    evidence.Decision
		actor string
		want  error
	}{
		{evidence.Confirmed, "analyst:a1", nil}, {evidence.Approved, "analyst:A1", store.ErrSecondPerson}, {evidence.Approved, "analyst:a2", nil},
		{evidence.Sent, "analyst:a1", nil}, {evidence.Closed, "analyst:a1", nil}, {evidence.Triage, "analyst:a1", nil},
	} {
		if err := step(s.to, s.actor); !errors.Is(err, s.want) {
			t.Errorf("%s by %s: %v", s.to, s.actor, err)
		}
	}
	if c, err = db.Case(ctx, "1"); err != nil || c.Status != evidence.Triage || c.ApprovedBy != "" || c.ConfirmedBy != "" {
		t.Errorf("reopened with both people: %+v, %v", c, err)
	}
	if err := db.AdvanceCase(ctx, evidence.Step{CaseID: c.ID, To: evidence.Sent, Actor: "analyst:a1"}); err != nil {
		t.Errorf("a step that does not follow is no error to advance: %v", err)
	}
	if err := db.AddNote(ctx, c.ID, evidence.Note{At: time.Now(), By: "analyst:a1", Text: "n"}); err != nil {
		t.Fatal(err)
	}
	history, err := db.History(ctx, c.ID)
	if err != nil || len(history) != 8 || history[4].Approver != "" || history[3].Approver != "analyst:a2" {
		t.Errorf("history %+v, %v", history, err)
	}
}

// What triage did is taken back as it was; a suppression marks what comes later.
func TestTriageAndUndo(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	s := another(t, db, 1, "leaks")
	a := found(t, db, s, 1, fmt.Sprintf(form, 1, 1), "tok-1")
	b := found(t, db, s, 2, fmt.Sprintf(form, 2, 2), "tok-2")
	do := func(kind evidence.TriageKind, ids ...string) evidence.TriageAction {
		t.Helper()
		done, err := db.Triage(ctx, evidence.TriageAction{Kind: kind, Findings: ids, Actor: "analyst:a1", Reason: "r"})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	state := func() string {
		t.Helper()
		all, err := db.Findings(ctx, store.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, r := range all {
			out = append(out, string(r.Decision)+"/"+r.Suppressed)
		}
		return strings.Join(out, " ")
	}
	do(evidence.TriageConfirm, a)
	if done := do(evidence.TriageConfirm, a, b); done.Changed != 1 {
		t.Errorf("%d changed", done.Changed)
	}
	do(evidence.TriageSuppress, a)
	found(t, db, s, 3, fmt.Sprintf(form, 3, 3), "tok-3")
	if got := state(); got != "triage/S-0001 confirmed/ false positive/" {
		t.Errorf("state %s", got)
	}
	for _, want := range []string{"triage/ confirmed/ confirmed/", "triage/ triage/ confirmed/", "triage/ triage/ triage/"} {
		if _, err := db.UndoTriage(ctx, "analyst:a1"); err != nil {
			t.Fatal(err)
		}
		if got := state(); got != want {
			t.Errorf("state %s, want %s", got, want)
		}
	}
	if _, err := db.UndoTriage(ctx, "analyst:a1"); !errors.Is(err, store.ErrNothingToUndo) {
		t.Errorf("got %v", err)
	}
	prose := found(t, db, s, 4, "call R****", "tok-4")
	if _, err := db.Triage(ctx, evidence.TriageAction{Kind: evidence.TriageSuppress, Findings: []string{prose}, Everywhere: true, Actor: "analyst:a1"}); !errors.Is(err, store.ErrVague) {
		t.Errorf("prose is suppressed everywhere: %v", err)
	}
}

// Clocks count from a trigger that a proof of receipt moves, until stopped.
func TestStartedClocks(t *testing.T) {
	db, _ := filled(t, 1)
	ctx := t.Context()
	c, err := db.OpenCase(ctx, evidence.Case{Title: "T", OpenedAt: time.Now(), OpenedBy: "analyst:a1", Findings: []string{"f-0001"}})
	if err != nil {
		t.Fatal(err)
	}
	sent := time.UnixMilli(1700000000000).UTC()
	k, err := db.StartClock(ctx, evidence.Countdown{CaseID: c.ID, Clock: "IN-X", Trigger: sent, Basis: evidence.FromSending, StartedBy: "analyst:a1"})
	if err != nil || k.ID != "K-0001" || !k.Provisional() {
		t.Fatal(k, err)
	}
	if err := db.ProveReceipt(ctx, k.ID, sent.Add(time.Hour), evidence.Digest([]byte("p")), "analyst:a1"); err != nil {
		t.Fatal(err)
	}
	if err := db.StopClock(ctx, k.ID, "analyst:a1", "done"); err != nil {
		t.Fatal(err)
	}
	if err := db.StopClock(ctx, k.ID, "analyst:a1", "again"); !errors.Is(err, store.ErrStopped) {
		t.Errorf("got %v", err)
	}
	if k, err = db.StartedClock(ctx, "1"); err != nil || k.Provisional() || !k.Trigger.Equal(sent.Add(time.Hour)) || k.Why != "done" {
		t.Errorf("%+v, %v", k, err)
	}
	o, err := db.AddOrder(ctx, evidence.CourtOrder{CaseID: c.ID, Kind: evidence.OfCourt, IssuedBy: "Court", IssuedOn: sent, SHA256: evidence.Digest(nil), RecordedBy: "analyst:a1", RecordedAt: sent})
	if err != nil || o.ID != "O-0001" {
		t.Errorf("%+v, %v", o, err)
	}
	if all, err := db.Orders(ctx, c.ID); err != nil || len(all) != 1 || all[0] != o {
		t.Errorf("%+v, %v", all, err)
	}
}

// Looks say what a case shows, when it was gone, and that it came back.
func TestLooks(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	s := another(t, db, 1, "leaks")
	c, err := db.OpenCase(ctx, evidence.Case{Title: "T", OpenedAt: time.Now(), OpenedBy: "analyst:a1", Findings: []string{found(t, db, s, 1, fmt.Sprintf(form, 1, 1), "tok-1")}})
	if err != nil {
		t.Fatal(err)
	}
	if targets, err := db.Targets(ctx, ""); err != nil || len(targets) != 0 {
		t.Errorf("a case in triage is looked at: %v, %v", targets, err)
	}
	for _, st := range []evidence.Step{{To: evidence.Confirmed, Actor: "analyst:a1"}, {To: evidence.Approved, Actor: "analyst:a2"}} {
		st.CaseID = c.ID
		if _, err := db.DecideCase(ctx, st); err != nil {
			t.Fatal(err)
		}
	}
	targets, err := db.Targets(ctx, "")
	if err != nil || len(targets) != 2 || targets[0].Name() != "channel-1" || targets[1].Name() != "channel-1/1" {
		t.Fatalf("%+v, %v", targets, err)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	sample := func(after time.Duration, of, message evidence.Observation) []evidence.Sample {
		t.Helper()
		changed, err := db.AddSamples(ctx, []evidence.Sample{
			{SourceID: s.ID, At: now.Add(after), State: of, Account: "main"}, {SourceID: s.ID, MessageID: 1, At: now.Add(after), State: message, Account: "main"},
		}, "analyst:a1")
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	shows := func(want evidence.Observation) {
		t.Helper()
		if got, err := db.Case(ctx, c.ID); err != nil || got.Observed != want {
			t.Errorf("the case shows %s, %v; want %s", got.Observed, err, want)
		}
	}
	shows(evidence.SeenUnknown)
	if changed := sample(-3*time.Hour, evidence.SeenLive, evidence.SeenLive); len(changed) != 2 {
		t.Errorf("changed: %v", changed)
	}
	if changed := sample(-2*time.Hour, evidence.SeenRenamed, evidence.SeenLive); len(changed) != 1 {
		t.Errorf("changed: %v", changed)
	}
	shows(evidence.SeenRenamed)
	n, err := db.AddNotice(ctx, func(id string) (evidence.Notice, error) {
		return evidence.Notice{ID: id, CaseID: c.ID, Kind: "telegram-abuse-mail", DraftedAt: now, DraftedBy: "analyst:a1", Language: "en", EML: []byte("mail")}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []evidence.NoticeEvent{{Step: evidence.NoticeApproved, Actor: "analyst:a2"}, {Step: evidence.NoticeSent, Actor: "analyst:a1"}} {
		e.At, e.RecordedAt = now.Add(-90*time.Minute), now
		if _, err := db.RecordNotice(ctx, n.ID, e); err != nil {
			t.Fatal(err)
		}
	}
	sample(-time.Hour, evidence.SeenUnknown, evidence.SeenUnknown)
	sample(-30*time.Minute, evidence.SeenLive, evidence.SeenRemoved)
	shows(evidence.SeenRemoved)
	outcomes, err := db.Outcomes(ctx, "")
	if err != nil || len(outcomes) != 2 || outcomes[0].Took != 0 || outcomes[1].Took != time.Hour || outcomes[1].Route != "telegram-abuse-mail" ||
		!outcomes[1].LastSeen.Equal(now.Add(-2*time.Hour)) || !outcomes[1].GoneAt.Equal(now.Add(-30*time.Minute)) {
		t.Errorf("%+v, %v", outcomes, err)
	}
	if _, err := db.DecideCase(ctx, evidence.Step{CaseID: c.ID, To: evidence.Removed, Actor: "analyst:a1"}); err != nil {
		t.Fatal(err)
	}
	if back, err := db.Reappearances(ctx); err != nil || len(back) != 0 {
		t.Errorf("%v, %v", back, err)
	}
	sample(time.Hour, evidence.SeenLive, evidence.SeenLive)
	if back, err := db.Reappearances(ctx); err != nil || len(back) != 1 || !strings.Contains(back[0].Reason, "channel-1/1 was gone and is live again") {
		t.Errorf("%v, %v", back, err)
	}
}

// The time between looks follows the clocks.
func TestIntervals(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		name string
		t    evidence.Target
		want time.Duration
	}{
		{"nothing was sent", evidence.Target{}, 24 * time.Hour},
		{"just sent", evidence.Target{SentAt: now.Add(-time.Hour)}, time.Hour},
		{"two days", evidence.Target{SentAt: now.Add(-49 * time.Hour)}, 6 * time.Hour},
		{"three weeks", evidence.Target{SentAt: now.Add(-21 * 24 * time.Hour)}, 24 * time.Hour},
		{"gone", evidence.Target{SentAt: now.Add(-time.Hour), State: evidence.SeenRemoved}, 24 * time.Hour},
	} {
		if got := tc.t.Interval(now); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	if due := (evidence.Target{}).Due(now); !due.IsZero() {
		t.Errorf("what was never looked at is due %s", due)
	}
}

// A case's custody has what was decided on its findings and what later looks at
// its messages showed, and nothing of another's.
func TestCaseCustodyHasDecisionsAndLooks(t *testing.T) {
	db, _ := filled(t, 2)
	ctx := t.Context()
	c, err := db.OpenCase(ctx, evidence.Case{Title: "T", OpenedAt: time.Now(), OpenedBy: "analyst:a1", Findings: []string{"f-0001"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Triage(ctx, evidence.TriageAction{Kind: evidence.TriageConfirm, Actor: "analyst:a1", At: time.Now(), Findings: []string{"f-0001", "f-0002"}}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []int64{1, 2} {
		if _, err := db.AddSamples(ctx, []evidence.Sample{{SourceID: source.ID, MessageID: id, At: time.Now(), State: evidence.SeenRemoved}}, "analyst:a1"); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	items, err := db.CaseItems(ctx, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range db.CaseCustody(ctx, c.ID, items, nil, 1<<40) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Action+" "+e.Object)
	}
	all := strings.Join(got, "\n") + "\n"
	for _, want := range []string{"finding.confirmed f-0001\n", "recheck " + source.ID + "/1\n", "collect ev-0001\n"} {
		if strings.Count(all, want) != 1 {
			t.Errorf("%q is there %d times in\n%s", want, strings.Count(all, want), all)
		}
	}
	if strings.Contains(all, "0002") || strings.Contains(all, source.ID+"/2") {
		t.Errorf("another's entries are in\n%s", all)
	}
}

// A case's items come page by page in order of posting and id, with every version
// of their messages and each with its own source; later looks come with them.
func TestCaseItems(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	late, early := another(t, db, 2, "late"), another(t, db, 9, "early") // posted the other way round
	var findings, want []string
	for i, s := range []evidence.Source{early, late} {
		for n := range 70 {
			at := 1000*(i+1) + n
			findings = append(findings, found(t, db, s, at, "text", fmt.Sprintf("tok-%d", at)))
			want = append(want, fmt.Sprintf("ev-%s-%d %s", s.ID, at, s.Username))
		}
	}
	edited := piece(1000)
	edited.Source, edited.ID, edited.Version, edited.Findings = early, "ev-edited", "1-edited", nil
	edited.PostedAt = edited.PostedAt.Add(time.Hour)
	if _, err := db.Commit(ctx, evidence.Batch{Evidence: []evidence.Evidence{edited}, Actor: "analyst:a1"}); err != nil {
		t.Fatal(err)
	}
	want = append(want, "ev-edited early")
	found(t, db, late, 5000, "another's", "tok-5000")
	c, err := db.OpenCase(ctx, evidence.Case{Title: "T", OpenedAt: time.Now(), OpenedBy: "analyst:a1", Findings: findings})
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range []evidence.Sample{
		{SourceID: late.ID, MessageID: 2069, At: time.Now(), State: evidence.SeenRemoved}, {SourceID: late.ID, MessageID: 5000, At: time.Now(), State: evidence.SeenRemoved},
		{SourceID: early.ID, MessageID: 1000, At: time.Now(), State: evidence.SeenRemoved},
	} {
		if _, err := db.AddSamples(ctx, []evidence.Sample{sample}, "analyst:a1"); err != nil {
			t.Fatal(err)
		}
	}
	items, err := db.CaseItems(ctx, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(items.Sources) != 2 || items.Sources[0].ID != late.ID || items.Sources[1].ID != early.ID || items.Count != len(want) || items.Purged != 0 {
		t.Errorf("%d items, %d purged, of %+v", items.Count, items.Purged, items.Sources)
	}
	var got []string
	for e, err := range db.Items(ctx, items) {
		if err != nil {
			t.Fatal(err)
		}
		if string(e.Sealed) != "sealed "+fmt.Sprintf("ev-%04d", e.MessageID) || e.ID != "ev-edited" && len(e.Findings) != 1 {
			t.Errorf("%s has %q and %d findings", e.ID, e.Sealed, len(e.Findings))
		}
		got = append(got, e.ID+" "+e.Source.Username)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nnot %q", got, want)
	}
	looks, err := db.CaseSightings(ctx, items)
	if err != nil || len(looks) != 2 || looks[0].SourceID != late.ID || looks[0].MessageID != 2069 || looks[1].SourceID != early.ID || looks[1].MessageID != 1000 {
		t.Errorf("looks %+v, %v", looks, err)
	}
}
