package evidence

import "time"

// A Countdown is one clock of law that was started in a case. What is due when
// follows from the table of clocks, by the trigger's time.
type Countdown struct {
	ID        string // "K-0001"
	CaseID    string
	Clock     string // of the table: "IN-ITR-3-2-a-proviso"
	NoticeID  string // "": none
	OrderID   string // "": none; of a clock that only an order starts
	Capacity  string // in what right it was started: "individual", "holder", …
	Trigger   time.Time
	Basis     Basis
	Proof     string // SHA-256 of the proof of receipt, hex
	StartedBy string
	StartedAt time.Time
	StoppedBy string
	StoppedAt time.Time
	Why       string // it was stopped
}

// A Basis says what a countdown's trigger is.
type Basis string

// Bases of a trigger. One from sending is provisional: the law counts from
// receipt, and only a proof shows that.
const (
	FromSending Basis = "from sending"
	FromReceipt Basis = "from receipt"
	FromNotice  Basis = "from becoming aware"
	FromOrder   Basis = "from the order"
)

// Provisional reports whether a proof of receipt may still move the trigger.
func (c Countdown) Provisional() bool { return c.Basis == FromSending }

// A CourtOrder is what alone starts some clocks: an order of a court, or an
// intimation in writing by an authorised officer. Its text stays outside; its
// digest says which it is.
type CourtOrder struct {
	ID         string    `json:"id"` // "O-0001"
	CaseID     string    `json:"case"`
	Kind       OrderKind `json:"kind"`
	IssuedBy   string    `json:"issued_by"` // court, or officer with rank
	IssuedOn   time.Time `json:"issued_on"`
	SHA256     string    `json:"sha256"`
	RecordedBy string    `json:"recorded_by"`
	RecordedAt time.Time `json:"recorded_at"`
}

// An OrderKind says which of the two it is.
type OrderKind string

// Kinds of order.
const (
	OfCourt    OrderKind = "court order"
	Intimation OrderKind = "authorised intimation"
)
