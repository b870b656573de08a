package bundle

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"prahari/evidence"
)

type coverageFile struct {
	CaseID  string           `json:"case_id"`
	Meaning string           `json:"meaning"`
	Sources []sourceCoverage `json:"sources"`
}

type sourceCoverage struct {
	SourceID  string              `json:"source_id"`
	Kind      evidence.SourceKind `json:"kind,omitempty"`
	Username  string              `json:"username,omitempty"`
	Title     string              `json:"title,omitempty"`
	Observed  []span              `json:"observed"`
	Intervals []interval          `json:"intervals"`
	Gaps      []gap               `json:"gaps"`
	Changes   []change            `json:"changes,omitempty"`   // of title, name and state, by the immutable id
	Deletions []interval          `json:"deletions,omitempty"` // messages that the source deleted, when it was seen
}

type span struct {
	Lo int64 `json:"lo"`
	Hi int64 `json:"hi"`
}

type interval struct {
	span
	How     evidence.Origin `json:"how,omitempty"`
	Account string          `json:"account,omitempty"`
	At      string          `json:"at"`
}

type gap struct {
	span
	Open   bool   `json:"open,omitempty"` // all from lo on
	Reason string `json:"reason"`
	At     string `json:"at"`
}

type change struct {
	Kind   evidence.ChangeKind `json:"kind"`
	Was    string              `json:"was,omitempty"`
	Now    string              `json:"now,omitempty"`
	Detail string              `json:"detail,omitempty"`
	At     string              `json:"at"`
}

// coverage says which message ids were looked at and which were missed.
func (b *builder) coverage() error {
	if !b.in.Profile.has(coverageMap) {
		return nil
	}
	bySource := map[string]*sourceCoverage{}
	of := func(source string) *sourceCoverage {
		if bySource[source] == nil {
			bySource[source] = &sourceCoverage{SourceID: line(source), Observed: []span{}, Intervals: []interval{}, Gaps: []gap{}}
		}
		b.gate.know(source)
		return bySource[source]
	}
	for _, s := range b.in.Sources {
		c := of(s.ID)
		c.Kind, c.Username, c.Title = s.Kind, line(s.Username), caption(s.Title)
	}
	ranges := map[string][]evidence.Range{}
	for _, o := range b.in.Observed {
		c := of(o.SourceID)
		c.Intervals = append(c.Intervals, interval{span{o.Lo, o.Hi}, o.How, line(o.Account), utc(o.At)})
		ranges[o.SourceID] = append(ranges[o.SourceID], o.Range)
		b.gate.know(id(o.Lo), id(o.Hi))
	}
	for _, g := range b.in.Gaps {
		c := of(g.SourceID)
		c.Gaps = append(c.Gaps, gap{span{g.Lo, g.Hi}, g.Hi == 0, caption(g.Reason), utc(g.At)})
		b.gate.know(id(g.Lo), id(g.Hi))
	}
	for _, x := range b.in.Changes {
		c := of(x.SourceID)
		now := caption(x.Now)
		if x.Kind == evidence.NameTaken || x.Kind == evidence.Migrated { // an id
			now = line(x.Now)
			b.gate.know(now, x.Was)
		}
		c.Changes = append(c.Changes, change{x.Kind, caption(x.Was), now, caption(x.Detail), utc(x.At)})
	}
	for _, d := range b.in.Deletions {
		c := of(d.SourceID)
		c.Deletions = append(c.Deletions, interval{span: span{d.Lo, d.Hi}, At: utc(d.At)})
		b.gate.know(id(d.Lo), id(d.Hi))
	}
	file := coverageFile{
		CaseID:  b.in.Case.ID,
		Meaning: "observed: every message with an id from lo to hi that existed then was looked at; gaps: ranges known to be missed; nothing is said of other ids",
		Sources: []sourceCoverage{},
	}
	for source, c := range bySource {
		for _, r := range evidence.Merge(ranges[source]) {
			c.Observed = append(c.Observed, span{r.Lo, r.Hi})
			b.gate.know(id(r.Lo), id(r.Hi))
		}
		slices.SortFunc(c.Intervals, func(x, y interval) int {
			return cmp.Or(cmp.Compare(x.Lo, y.Lo), cmp.Compare(x.Hi, y.Hi), cmp.Compare(x.At, y.At), cmp.Compare(x.How, y.How), cmp.Compare(x.Account, y.Account))
		})
		slices.SortFunc(c.Gaps, func(x, y gap) int {
			return cmp.Or(cmp.Compare(x.Lo, y.Lo), cmp.Compare(x.Hi, y.Hi), cmp.Compare(x.At, y.At), cmp.Compare(x.Reason, y.Reason))
		})
		b.totals.gaps += len(c.Gaps)
		file.Sources = append(file.Sources, *c)
	}
	slices.SortFunc(file.Sources, func(x, y sourceCoverage) int { return cmp.Compare(x.SourceID, y.SourceID) })
	return b.tree.json("data/coverage.json", file)
}

// authorization is what a bundle shows of one: who allowed what on which basis
// and how long. Of a consented canary it names the id; the consent itself, and
// whose number it is, stay in the workspace.
type authorization struct {
	ID         string `json:"id"`
	Scope      scope  `json:"scope"`
	GivenBy    string `json:"given_by"`
	AddedBy    string `json:"added_by,omitempty"`
	ApprovedBy string `json:"approved_by,omitempty"` // a second person, where one is needed
	Basis      string `json:"basis"`
	CanaryRef  string `json:"canary_consent_ref,omitempty"`
	AtUTC      string `json:"at_utc"`
	AtIST      string `json:"at_ist"`
	ApprovedAt string `json:"approved_at_utc,omitempty"`
	ExpiresAt  string `json:"expires_at_utc,omitempty"` // absent: until revoked
	RevokedAt  string `json:"revoked_at_utc,omitempty"`
	RevokedBy  string `json:"revoked_by,omitempty"`
}

type scope struct {
	Method string `json:"method"`
	Source string `json:"source"`
}

func (b *builder) authorization() error {
	if !b.in.Profile.has(authorisations) {
		return nil
	}
	list := []authorization{}
	for _, a := range b.in.Authorisations {
		b.gate.know(a.ID, a.Source, a.Canary)
		list = append(list, authorization{
			ID: line(a.ID), Scope: scope{line(a.Method), line(a.Source)}, GivenBy: line(a.GivenBy), AddedBy: line(a.AddedBy), ApprovedBy: line(a.ApprovedBy),
			Basis: caption(a.Reason), CanaryRef: line(a.Canary), AtUTC: utc(a.At), AtIST: ist(a.At), ApprovedAt: utc(a.ApprovedAt),
			ExpiresAt: utc(a.ExpiresAt), RevokedAt: utc(a.RevokedAt), RevokedBy: line(a.RevokedBy),
		})
	}
	slices.SortFunc(list, func(x, y authorization) int { return cmp.Compare(x.ID, y.ID) })
	return b.tree.json("data/authorization/authorization.json", map[string]any{
		"case_id":        b.in.Case.ID,
		"meaning":        "recorded authorisations for requests that go beyond reading; an empty list means that none was recorded, not that none was needed",
		"authorizations": list,
	})
}

type environment struct {
	GeneratedAtUTC string         `json:"generated_at_utc"`
	GeneratedAtIST string         `json:"generated_at_ist"`
	GeneratedBy    string         `json:"generated_by"`
	Organisation   string         `json:"organisation"`
	Host           *evidence.Host `json:"host,omitempty"`
	Tool           evidence.Tool  `json:"tool"`
	TimeSource     clock          `json:"time_source"`
	TimeStamp      string         `json:"time_stamp"`
	Collected      []setupView    `json:"collected_with"`
	SBOM           string         `json:"sbom,omitempty"` // the file that lists the program's modules
}

// setupView is a set-up as far as the profile shows it.
type setupView struct {
	Host    *evidence.Host `json:"host,omitempty"`
	Tool    evidence.Tool  `json:"tool"`
	Clock   string         `json:"time_source"`
	Account string         `json:"account,omitempty"`
	UserID  int64          `json:"telegram_user_id,omitempty"`
	Items   int            `json:"items"`
}

// environment describes the exporting machine and program, and every set-up
// that collected items.
func (b *builder) environment() error {
	if !b.in.Profile.has(surroundingSystem) {
		return nil
	}
	e := environment{
		GeneratedAtUTC: utc(b.in.At), GeneratedAtIST: ist(b.in.At), GeneratedBy: line(b.in.Operator), Organisation: line(b.in.Organisation.Name),
		Tool: plainTool(b.in.Tool), TimeSource: clockOf(b.in.Clock), TimeStamp: seeNote, Collected: []setupView{},
	}
	self := b.in.Profile.has(collectorSelf)
	if self {
		host := plainHost(b.in.Host)
		e.Host = &host
	}
	for _, s := range b.totals.setups {
		view := setupView{Tool: s.Tool, Clock: s.Clock, Items: s.items}
		if self {
			view.Host, view.Account, view.UserID = &s.Host, s.Account, s.UserID
		}
		e.Collected = append(e.Collected, view)
	}
	if b.in.Build != nil {
		e.SBOM = sbomPath
		list, err := sbom(b.in.Build, b.in.Tool, utc(b.in.At))
		if err != nil {
			return err
		}
		if err := b.tree.write(sbomPath, list); err != nil {
			return err
		}
	}
	return b.tree.json("data/environment.json", e)
}

// notices writes the drafts: Markdown made printable, mails byte for byte.
func (b *builder) notices() error {
	for _, n := range b.in.Notices {
		if !b.in.Profile.has(allNotices) && !toPlatform(n.Kind) {
			continue
		}
		base := n.ID + "-" + n.Kind
		if !plainName.MatchString(base) {
			return errors.New("a notice's id and kind are not letters, digits, dot, hyphen and underscore")
		}
		b.gate.know(n.ID, base)
		if err := b.tree.write("data/notices/"+base+".md", []byte(text(n.Markdown))); err != nil {
			return err
		}
		if err := b.noticePaper("data/notices/"+base+".pdf", n); err != nil {
			return err
		}
		if len(n.EML) == 0 {
			continue
		}
		if err := plainMail(n.EML); err != nil {
			return fmt.Errorf("mail of notice %s: %w", n.ID, err)
		}
		if err := b.tree.write("data/notices/"+base+".eml", n.EML); err != nil {
			return err
		}
	}
	return nil
}

// plainMail refuses a mail that could steer a terminal.
func plainMail(eml []byte) error {
	for i, c := range eml {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return fmt.Errorf("control character at byte %d", i)
		}
	}
	return nil
}
