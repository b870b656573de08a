package evidence

import (
	"encoding/json"
	"fmt"
	"time"
)

// A SourceKind says what is watched.
type SourceKind string

// Kinds of source.
const (
	Channel SourceKind = "channel"
	Group   SourceKind = "group"
	Bot     SourceKind = "bot"
	File    SourceKind = "file"
)

// An Access says how a source is read.
type Access string

// Public sources are read without joining, joined ones push their messages, a
// bot is read through the account's own dialog with it, an import is a file.
const (
	Public    Access = "public"
	Joined    Access = "joined"
	BotDialog Access = "bot_dialog"
	Imported  Access = "import"
)

// A Source is something watched.
type Source struct {
	ID         string // "channel-1001", "bot-2002", "file-…": kind and immutable id
	Kind       SourceKind
	Access     Access
	PeerID     int64      // Telegram's id, 0 for files
	AccessHash int64      // the account's key to the peer; worthless to others
	Username   string     // without @, "" where there is none
	Title      string     // masked and free of control characters
	About      string     // masked and free of control characters
	Account    string     // label of the account that reads it
	State      ChangeKind // the last change that says whether it can be read; "" and Readable: it can
	Marks      string     // "scam", "fake", "verified", as Telegram marks it
	AddedAt    time.Time
	AddedBy    string
}

// URL returns the public link of the source, "" where it has none.
func (s Source) URL() string {
	if s.Username == "" {
		return ""
	}
	return "https://t.me/" + s.Username
}

// An Origin says which way a message came.
type Origin string

// The ways a message comes in; all take the same way on.
const (
	Live     Origin = "live"
	Backfill Origin = "backfill"
	Poll     Origin = "poll"
	Import   Origin = "import"
)

// A Message is one message as received. Its text and raw bytes live in memory
// only.
type Message struct {
	Source     Source
	ID         int64 // Telegram's message id; the place in an imported file
	Date       time.Time
	EditedAt   time.Time // zero: as posted
	Text       Text      // all that a reader is shown: text or caption, buttons, link targets
	Origin     Origin
	CapturedAt time.Time
	Request    string                // the method and parameters that brought it
	Egress     string                // the way to Telegram that it came by, "SOCKS5 proxy proxy.example:1080"
	Raw        func() ([]Raw, error) // the bytes to seal; called only for evidence
	Media      []Media
	Files      []Raw // those of Media that were fetched, to be sealed
	Context    Context
	Forward    string // username of the channel that it was forwarded from, "" where Telegram does not say
}

// A Raw is one file of the sealed container. It prints as its name.
type Raw struct {
	Name string // "raw.tl", "raw.json", "media/1-42": letters, digits, dot, hyphen
	Data []byte
}

// Format keeps the content out of logs and errors.
func (r Raw) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "%s [%d bytes]", r.Name, len(r.Data)) }

// MarshalJSON keeps the content out of JSON.
func (r Raw) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(r)) }

// Media describes an attachment. Its digest is under the seal alone: a known
// file could be told by it.
type Media struct {
	ID      string `json:"id"`
	MIME    string `json:"mime"`
	Size    int64  `json:"size"`
	File    string `json:"file,omitempty"`     // its name in the sealed container, "" where it is not there
	NotKept string `json:"not_kept,omitempty"` // why
}

// Context is what Telegram says around a message, kept because it leads to the
// people behind a leak.
type Context struct {
	FromID      int64  `json:"from_id,omitempty"`      // sender's or channel's id
	FromKind    string `json:"from_kind,omitempty"`    // whose id that is: user, channel (a message sent as a channel too) or chat
	ForwardFrom int64  `json:"forward_from,omitempty"` // origin's id of a forwarded message
	ForwardPost int64  `json:"forward_post,omitempty"` // its message id there
	ForwardName string `json:"forward_name,omitempty"` // masked, where the origin hides its id
	ReplyTo     int64  `json:"reply_to,omitempty"`
	ReplyToPeer int64  `json:"reply_to_peer,omitempty"` // of a reply to another chat
	Thread      int64  `json:"thread,omitempty"`        // the post that is commented on, or the topic
	GroupedID   int64  `json:"grouped_id,omitempty"`    // album
	ViaBotID    int64  `json:"via_bot_id,omitempty"`
	PostAuthor  string `json:"post_author,omitempty"` // masked
	Views       int    `json:"views,omitempty"`
	Forwards    int    `json:"forwards,omitempty"`
	Outgoing    bool   `json:"outgoing,omitempty"` // written by our own account
}

// URL returns the public link of the message, "" where its source has none.
func (m Message) URL() string { return MessageURL(m.Source, m.ID) }

// A Peer is what an account found under a name: the access hash is its own key.
type Peer struct {
	Account    string
	Name       string // without @
	Kind       SourceKind
	PeerID     int64
	AccessHash int64
	At         time.Time
}
