package bundle

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"prahari/evidence"
)

// record is an item's open collection record: all masked. The full one is
// under the seal. What a profile does not hold is absent.
type record struct {
	ItemID           string            `json:"item_id"`
	CaseID           string            `json:"case_id"`
	Version          string            `json:"version"`
	AuthorizationIDs []string          `json:"authorization_ids,omitempty"`
	CustodySeq       *int64            `json:"custody_seq,omitempty"` // in data/custody/custody.jsonl
	Collector        *recordCollector  `json:"collector,omitempty"`
	CollectorHost    *evidence.Host    `json:"collector_host,omitempty"`
	Egress           string            `json:"egress_ip_or_proxy,omitempty"`
	VirtualIdentity  *recordIdentity   `json:"virtual_identity,omitempty"`
	Tool             *evidence.Tool    `json:"tool,omitempty"`
	Method           string            `json:"method,omitempty"`
	Request          map[string]any    `json:"request,omitempty"` // the method's parameters
	Origin           evidence.Origin   `json:"origin,omitempty"`
	Source           recordSource      `json:"source"`
	PostedAtUTC      string            `json:"posted_at_utc"`
	EditedAtUTC      string            `json:"edited_at_utc,omitempty"`
	ServerDate       string            `json:"server_date,omitempty"` // as Telegram's server dated the message
	CapturedAtUTC    string            `json:"captured_at_utc"`
	CapturedAtIST    string            `json:"captured_at_ist"`
	CapturedServer   string            `json:"captured_at_server_utc,omitempty"` // the same moment by Telegram's clock
	TimeSource       *clock            `json:"time_source,omitempty"`
	Raw              *recordRaw        `json:"raw,omitempty"`
	Transforms       []recordTransform `json:"transforms,omitempty"`
	StateChecks      []recordState     `json:"state_checks,omitempty"`
	Findings         []evidence.Kept   `json:"detector_findings"`
	RedactionProfile string            `json:"redaction_profile"`
}

// clock says what times rest on; an offset stands only where one was measured.
type clock struct {
	Source   string `json:"source"`
	OffsetMS *int64 `json:"offset_ms,omitempty"` // local minus reference
	Checked  string `json:"checked_at,omitempty"`
}

func plainHost(h evidence.Host) evidence.Host {
	return evidence.Host{
		Hostname: line(h.Hostname), OS: line(h.OS), Arch: line(h.Arch), Kernel: line(h.Kernel), MachineID: line(h.MachineID),
	}
}

func plainTool(t evidence.Tool) evidence.Tool {
	return evidence.Tool{
		Name: line(t.Name), Version: line(t.Version), Commit: line(t.Commit), GoVersion: line(t.GoVersion), Library: line(t.Library), Layer: t.Layer,
		BinarySHA256: line(t.BinarySHA256),
	}
}

func clockOf(c evidence.Clock) clock {
	out := clock{Source: orUnknown(c.Source), Checked: line(c.Checked)}
	if c.Checked != "" || c.OffsetMS != 0 {
		out.OffsetMS = &c.OffsetMS
	}
	return out
}

type recordCollector struct {
	Name         string `json:"name"`
	Role         string `json:"role"`
	Org          string `json:"org"`
	AccountLabel string `json:"account_label,omitempty"`
}

// collector splits an operator such as "analyst:a1".
func collector(operator string) recordCollector {
	role, name, ok := strings.Cut(line(operator), ":")
	if !ok {
		return recordCollector{Name: role, Role: orUnknown("")}
	}
	return recordCollector{Name: name, Role: role}
}

type recordIdentity struct {
	TelegramUserID int64  `json:"telegram_user_id,omitempty"`
	RegisteredTo   string `json:"registered_to"`
}

// recordTransform says what an open file was made of, and how.
type recordTransform struct {
	Input  string `json:"input"`
	Output string `json:"output"`
	SHA256 string `json:"output_sha256"`
	Tool   string `json:"tool"`
	Params string `json:"params"`
}

type recordSource struct {
	Platform  string              `json:"platform"`
	ID        string              `json:"id"`
	PeerType  evidence.SourceKind `json:"peer_type"`
	PeerID    int64               `json:"peer_id,omitempty"`
	Access    evidence.Access     `json:"access_kind"`
	Username  string              `json:"username,omitempty"`
	Title     string              `json:"title"`
	About     string              `json:"about,omitempty"`
	URL       string              `json:"url,omitempty"`
	MessageID int64               `json:"message_id"`
	Context   *evidence.Context   `json:"context,omitempty"`
	Media     []evidence.Media    `json:"media,omitempty"` // described; those with a file are under the seal; no digests of originals here
}

// recordRaw points to the sealed original. SHA256 is the commitment: the
// digest of a container that holds a random nonce, so nobody can guess digits
// back from it.
type recordRaw struct {
	Path          string `json:"path,omitempty"` // absent where the bundle does not hold it
	SHA256        string `json:"sha256"`
	Size          int64  `json:"size"`
	SealedSHA256  string `json:"sealed_sha256"`
	SealedSize    int64  `json:"sealed_size"`
	Encoding      string `json:"encoding"`
	NonceInside   bool   `json:"nonce_inside"`
	RecipientType string `json:"recipient_types"`
}

type recordState struct {
	At    string `json:"at"`
	State string `json:"state"`
}

// message is an item's masked text.
type message struct {
	ItemID      string `json:"item_id"`
	URL         string `json:"url,omitempty"`
	PostedAtUTC string `json:"posted_at_utc"`
	EditedAtUTC string `json:"edited_at_utc,omitempty"`
	Redaction   string `json:"redaction"`
	Text        string `json:"text"`
}

// message renders an item's masked text.
func (b *builder) message(e *evidence.Evidence) message {
	return message{
		ItemID: e.ID, URL: line(e.URL), PostedAtUTC: utc(e.PostedAt), EditedAtUTC: utc(e.EditedAt), Redaction: "masked", Text: text(e.Masked),
	}
}

// record makes an item's open record. text is the masked message's file, of size
// 0 where the bundle holds none.
func (b *builder) record(e *evidence.Evidence, sealed sealedInfo, text written) record {
	p := b.in.Profile
	r := record{
		ItemID: e.ID, CaseID: b.in.Case.ID, Version: line(e.Version),
		Source: recordSource{
			Platform: "telegram", ID: line(e.Source.ID), PeerType: e.Source.Kind, PeerID: e.Source.PeerID, Access: e.Source.Access,
			Username: line(e.Source.Username), Title: caption(e.Source.Title), URL: line(e.URL), MessageID: e.MessageID,
		},
		PostedAtUTC: utc(e.PostedAt), EditedAtUTC: utc(e.EditedAt), CapturedAtUTC: utc(e.CapturedAt), CapturedAtIST: ist(e.CapturedAt),
		Findings: []evidence.Kept{}, RedactionProfile: "masked, for a " + string(p),
	}
	if e.Source.Kind == evidence.File {
		r.Source.Platform = "file"
	} else {
		r.ServerDate = utc(e.PostedAt)
	}
	for _, f := range e.Findings {
		r.Findings = append(r.Findings, p.finding(f))
	}
	if text.size > 0 {
		r.Transforms = []recordTransform{{
			Input: "the text under the seal", Output: text.name, SHA256: text.sha256(), Tool: toolName(e.Collection.Tool),
			Params: "identifiers and personal fields masked, control characters removed",
		}}
	}
	b.collection(&r, e)
	if p.has(commitments) {
		r.Raw = &recordRaw{
			Path: sealedPath(e.ID), SHA256: e.Commitment, Size: sealed.plainSize, SealedSHA256: e.SealedSHA, SealedSize: e.SealedSize,
			Encoding: "tar of the original bytes (TL, JSON), sealed with age", NonceInside: true, RecipientType: sealed.kinds(),
		}
		if !p.has(sealedOriginals) {
			r.Raw.Path = ""
		}
	}
	return r
}

// collection adds who collected the item, with what, when and around what.
func (b *builder) collection(r *record, e *evidence.Evidence) {
	p, c := b.in.Profile, e.Collection
	if p.has(method) {
		who, tool, clock := collector(c.Operator), plainTool(c.Tool), clockOf(c.Clock)
		who.Org = line(b.in.Organisation.Name)
		r.Collector, r.Tool, r.TimeSource, r.Origin = &who, &tool, &clock, e.Origin
		r.Method, r.Request = request(e)
		if clock.OffsetMS != nil {
			r.CapturedServer = utc(e.CapturedAt.Add(-time.Duration(*clock.OffsetMS) * time.Millisecond))
		}
	}
	if p.has(authorisations) {
		r.AuthorizationIDs = b.authorisations(e.Source)
	}
	if seq, ok := b.collected[e.ID]; ok && p.has(custodyLog) {
		r.CustodySeq = &seq
	}
	if p.has(collectorSelf) {
		host := plainHost(c.Host)
		r.CollectorHost, r.Collector.AccountLabel = &host, line(c.Account)
		if e.Source.Kind != evidence.File {
			r.Egress = cmp.Or(line(c.Egress), "not recorded")
			r.VirtualIdentity = &recordIdentity{c.UserID, line(b.in.Organisation.Name)}
		}
	}
	if p.has(surroundings) {
		c.Context.PostAuthor = caption(c.Context.PostAuthor)
		r.Source.Context, r.Source.About = &c.Context, caption(e.Source.About)
		for _, m := range c.Media {
			r.Source.Media = append(r.Source.Media, evidence.Media{ID: line(m.ID), MIME: caption(m.MIME), Size: m.Size, File: line(m.File), NotKept: line(m.NotKept)})
		}
	}
	if p.has(stateChecks) {
		for _, s := range b.sightings[messageKey{e.Source.ID, e.MessageID}] {
			r.StateChecks = append(r.StateChecks, recordState{utc(s.At), line(s.State)})
		}
	}
}

// request splits what was asked, "messages.getHistory limit=100", into method
// and parameters.
func request(e *evidence.Evidence) (method string, params map[string]any) {
	name, rest, _ := strings.Cut(line(e.Collection.Request), " ")
	way := "mtproto:"
	if e.Source.Kind == evidence.File {
		way = "file:"
	}
	for i, word := range strings.Fields(rest) {
		if params == nil {
			params = map[string]any{}
		}
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			key, value = "argument_"+strconv.Itoa(i+1), word
		}
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			params[key] = n
		} else {
			params[key] = value
		}
	}
	return way + name, params
}

// finding reduces a finding to what the profile holds.
func (p Profile) finding(f evidence.Kept) evidence.Kept {
	f = plainFinding(f)
	if !p.has(identifiers) {
		return evidence.Kept{
			ID: f.ID, EvidenceID: f.EvidenceID, Rule: f.Rule, RuleVersion: f.RuleVersion, RuleHash: f.RuleHash, Title: f.Title,
			Severity: f.Severity, Confidence: f.Confidence, Words: []string{}, Reasons: []string{}, Records: []evidence.KeptRecord{},
		}
	}
	return p.withTokens(f)
}

// plainFinding makes a finding's foreign strings printable.
func plainFinding(f evidence.Kept) evidence.Kept {
	f.Title = caption(f.Title)
	words := make([]string, 0, len(f.Words))
	for _, w := range f.Words {
		words = append(words, caption(w))
	}
	reasons := make([]string, 0, len(f.Reasons))
	for _, r := range f.Reasons {
		reasons = append(reasons, caption(r))
	}
	records := make([]evidence.KeptRecord, 0, len(f.Records))
	for _, r := range f.Records {
		ids := make([]evidence.KeptIdentifier, 0, len(r.Identifiers))
		for _, i := range r.Identifiers {
			i.Label, i.Masked = caption(i.Label), line(i.Masked)
			ids = append(ids, i)
		}
		records = append(records, evidence.KeptRecord{Identifiers: ids, Fields: r.Fields})
	}
	others := make([]string, 0, len(f.NotDecisive))
	for _, o := range f.NotDecisive {
		others = append(others, caption(o))
	}
	f.Words, f.Reasons, f.NotDecisive, f.Records = words, reasons, others, records
	return f
}

// authorisations lists the ids of those that hold for a source.
func (b *builder) authorisations(s evidence.Source) []string {
	ids := []string{}
	for _, a := range b.in.Authorisations {
		if a.Source == s.ID || a.Source != "" && (a.Source == s.Username || a.Source == "@"+s.Username) {
			ids = append(ids, line(a.ID))
		}
	}
	return ids
}
