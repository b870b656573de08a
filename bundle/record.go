package bundle

import (
	"errors"
	"fmt"

	"prahari/evidence"
)

// record is an item's open collection record: all masked. The full one is
// under the seal.
type record struct {
	ItemID           string          `json:"item_id"`
	CaseID           string          `json:"case_id"`
	Version          string          `json:"version"`
	AuthorizationIDs []string        `json:"authorization_ids"`
	CustodySeq       *int64          `json:"custody_seq"` // in data/custody/custody.jsonl
	Collector        recordCollector `json:"collector"`
	CollectorHost    evidence.Host   `json:"collector_host"`
	VirtualIdentity  recordIdentity  `json:"virtual_identity"`
	Tool             evidence.Tool   `json:"tool"`
	Request          string          `json:"request"`
	Origin           evidence.Origin `json:"origin"`
	Source           recordSource    `json:"source"`
	PostedAtUTC      string          `json:"posted_at_utc"`
	EditedAtUTC      string          `json:"edited_at_utc,omitempty"`
	CapturedAtUTC    string          `json:"captured_at_utc"`
	CapturedAtIST    string          `json:"captured_at_ist"`
	TimeSource       clock           `json:"time_source"`
	Raw              recordRaw       `json:"raw"`
	StateChecks      []recordState   `json:"state_checks"`
	Findings         []evidence.Kept `json:"findings"`
	RedactionProfile string          `json:"redaction_profile"`
}

// clock says what times rest on; an offset stands only where one was measured.
type clock struct {
	Source   string `json:"source"`
	OffsetMS *int64 `json:"offset_ms,omitempty"` // local minus reference
	Checked  string `json:"checked_at,omitempty"`
}

func plainHost(h evidence.Host) evidence.Host {
	return evidence.Host{Hostname: line(h.Hostname), OS: line(h.OS), Arch: line(h.Arch)}
}

func plainTool(t evidence.Tool) evidence.Tool {
	return evidence.Tool{
		Name: line(t.Name), Version: line(t.Version), Commit: line(t.Commit), GoVersion: line(t.GoVersion), Library: line(t.Library), Layer: t.Layer,
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
	Org          string `json:"org"`
	AccountLabel string `json:"account_label,omitempty"`
}

type recordIdentity struct {
	TelegramUserID int64 `json:"telegram_user_id,omitempty"`
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
	Context   evidence.Context    `json:"context"`
	Media     []evidence.Media    `json:"media"` // described, not downloaded; no digests of originals here
}

// recordRaw points to the sealed original. SHA256 is the commitment: the
// digest of a container that holds a random nonce, so nobody can guess digits
// back from it.
type recordRaw struct {
	Path          string `json:"path"`
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

func recordPath(id string) string  { return "data/items/" + id + "/record.json" }
func messagePath(id string) string { return "data/items/" + id + "/message.redacted.json" }
func sealedPath(id string) string  { return "data/sealed/raw-" + id + ".tar.age" }

// checkItem refuses evidence that the store handed over damaged.
func checkItem(e *evidence.Evidence) error {
	switch {
	case !plainName.MatchString(e.ID):
		return errors.New("an item's id is not letters, digits, dot, hyphen and underscore")
	case len(e.Sealed) == 0:
		return fmt.Errorf("item %s has no sealed bytes", e.ID)
	case e.SealedSize != int64(len(e.Sealed)) || evidence.Digest(e.Sealed) != e.SealedSHA:
		return fmt.Errorf("item %s: the sealed bytes are not those that were recorded: check the database with 'prahari doctor'", e.ID)
	case !hexSHA256.MatchString(e.Commitment):
		return fmt.Errorf("item %s has no commitment", e.ID)
	}
	return nil
}

// records makes an item's open files.
func (b *builder) records(e *evidence.Evidence, sealed sealedInfo) (record, message) {
	c := e.Collection
	c.Context.PostAuthor = caption(c.Context.PostAuthor)
	media := make([]evidence.Media, 0, len(c.Media))
	for _, m := range c.Media {
		media = append(media, evidence.Media{ID: line(m.ID), MIME: caption(m.MIME), Size: m.Size})
	}
	r := record{
		ItemID: e.ID, CaseID: b.in.Case.ID, Version: line(e.Version), AuthorizationIDs: b.authorisations(e.Source),
		Collector:       recordCollector{line(c.Operator), line(b.in.Organisation.Name), line(c.Account)},
		CollectorHost:   plainHost(c.Host),
		VirtualIdentity: recordIdentity{c.UserID},
		Tool:            plainTool(c.Tool), Request: line(c.Request), Origin: e.Origin,
		Source: recordSource{
			Platform: "telegram", ID: line(e.Source.ID), PeerType: e.Source.Kind, PeerID: e.Source.PeerID, Access: e.Source.Access,
			Username: line(e.Source.Username), Title: caption(e.Source.Title), About: caption(e.Source.About),
			URL: line(e.URL), MessageID: e.MessageID, Context: c.Context, Media: media,
		},
		PostedAtUTC: utc(e.PostedAt), EditedAtUTC: utc(e.EditedAt),
		CapturedAtUTC: utc(e.CapturedAt), CapturedAtIST: ist(e.CapturedAt), TimeSource: clockOf(c.Clock),
		Raw: recordRaw{
			Path: sealedPath(e.ID), SHA256: e.Commitment, Size: sealed.plainSize, SealedSHA256: e.SealedSHA, SealedSize: e.SealedSize,
			Encoding: "tar of the original bytes, sealed with age", NonceInside: true, RecipientType: sealed.kinds(),
		},
		StateChecks: []recordState{}, Findings: []evidence.Kept{}, RedactionProfile: "masked",
	}
	if seq, ok := b.collected[e.ID]; ok {
		r.CustodySeq = &seq
	}
	for _, s := range b.sightings[messageKey{e.Source.ID, e.MessageID}] {
		r.StateChecks = append(r.StateChecks, recordState{utc(s.At), line(s.State)})
	}
	for _, f := range e.Findings {
		r.Findings = append(r.Findings, plainFinding(f))
	}
	if e.Source.Kind == evidence.File {
		r.Source.Platform = "file"
	}
	return r, message{
		ItemID: e.ID, URL: line(e.URL), PostedAtUTC: utc(e.PostedAt), EditedAtUTC: utc(e.EditedAt),
		Redaction: "masked", Text: text(e.Masked),
	}
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
