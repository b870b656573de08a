package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// An Entry is one line of the custody log: who did what to which object, when.
type Entry struct {
	Seq      int64
	Prev     string // SHA-256 of the previous line with its newline, hex; 64 zeros at the start
	At       time.Time
	Actor    string // "analyst:a1"
	Action   string // "collect", "export", …
	Object   string // an id, never a value
	Reason   string
	SHA256   string // of the object, where it has bytes
	Approver string
	CaseID   string
	LogSeq   *int64 // in a bundle: the place in the workspace's log
	LogSHA   string // in a bundle: SHA-256 of the line in the workspace's log, hex
	LogPrev  string // in a bundle: Prev of that line, from which the line can be made again
	LogLeaf  string // in a bundle, where that line shows what a bundle hides: its leaf in the log's tree, hex
}

// Genesis is the Prev of the first entry.
var Genesis = strings.Repeat("0", 64) //nolint:gochecknoglobals // a constant that Go cannot write as one

// Line returns the entry as canonical JSON with a newline: sorted keys, no
// spaces, UTF-8, so that sha256sum over the line is the next entry's prev.
func (e Entry) Line() ([]byte, error) {
	read := func(s string) string { return strings.ToValidUTF8(s, "\ufffd") } // as it will be read again
	line, err := encodeJSON(struct {                                          // in the order of the keys
		Action   string `json:"action"`
		Actor    string `json:"actor"`
		Approver string `json:"approver,omitempty"`
		At       string `json:"at"`
		Case     string `json:"case,omitempty"`
		LogLeaf  string `json:"log_leaf,omitempty"`
		LogPrev  string `json:"log_prev,omitempty"`
		LogSeq   *int64 `json:"log_seq,omitempty"`
		LogSHA   string `json:"log_sha256,omitempty"`
		Object   string `json:"object"`
		Prev     string `json:"prev"`
		Reason   string `json:"reason,omitempty"`
		Seq      int64  `json:"seq"`
		SHA256   string `json:"sha256,omitempty"`
	}{
		read(e.Action), read(e.Actor), read(e.Approver), e.At.UTC().Format(time.RFC3339), read(e.CaseID), read(e.LogLeaf), read(e.LogPrev),
		e.LogSeq, read(e.LogSHA), read(e.Object), read(e.Prev), read(e.Reason), e.Seq, read(e.SHA256),
	})
	if err != nil {
		return nil, fmt.Errorf("custody entry %d: %w", e.Seq, err)
	}
	return append(line, '\n'), nil
}

// LogLine makes the workspace's line again from a bundle's entry that has LogSeq
// and LogPrev: all else is the same in both.
func (e Entry) LogLine() ([]byte, error) {
	if e.LogSeq == nil || e.LogPrev == "" {
		return nil, fmt.Errorf("custody entry %d does not say which line of the workspace's log it is", e.Seq)
	}
	e.Seq, e.Prev = *e.LogSeq, e.LogPrev
	e.LogSeq, e.LogSHA, e.LogPrev, e.LogLeaf = nil, "", "", ""
	return e.Line()
}

// ParseEntry reads one line of a custody log.
func ParseEntry(line []byte) (Entry, error) {
	var w struct {
		Seq      *int64    `json:"seq"`
		Prev     string    `json:"prev"`
		At       time.Time `json:"at"`
		Actor    string    `json:"actor"`
		Action   string    `json:"action"`
		Object   string    `json:"object"`
		Reason   string    `json:"reason"`
		SHA256   string    `json:"sha256"`
		Approver string    `json:"approver"`
		Case     string    `json:"case"`
		LogSeq   *int64    `json:"log_seq"`
		LogSHA   string    `json:"log_sha256"`
		LogPrev  string    `json:"log_prev"`
		LogLeaf  string    `json:"log_leaf"`
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return Entry{}, fmt.Errorf("custody line: %w", err)
	}
	if w.Seq == nil {
		return Entry{}, fmt.Errorf("custody line has no seq")
	}
	return Entry{
		Seq: *w.Seq, Prev: w.Prev, At: w.At, Actor: w.Actor, Action: w.Action, Object: w.Object, Reason: w.Reason,
		SHA256: w.SHA256, Approver: w.Approver, CaseID: w.Case, LogSeq: w.LogSeq, LogSHA: w.LogSHA,
		LogPrev: w.LogPrev, LogLeaf: w.LogLeaf,
	}, nil
}

// Digest returns the SHA-256 of data in lower-case hex.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
