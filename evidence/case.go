package evidence

import "time"

// A Case gathers the findings about one abuser.
type Case struct {
	ID       string // "CASE0001"
	Title    string
	OpenedAt time.Time
	OpenedBy string
	Status   string // "open" or "closed"
	Findings []string
}

// A Notice is a drafted letter for one recipient. Nothing sends it.
type Notice struct {
	ID          string // "N-0001"
	CaseID      string
	Kind        string // as in report's templates: "telegram-abuse-mail"
	Subject     string
	Markdown    string
	EML         []byte
	FactsSHA256 string // of the facts that every draft of the case shares
	DraftedAt   time.Time
	DraftedBy   string
}

// An Authorisation records who allowed what, on which basis.
type Authorisation struct {
	ID      string // "A-0001"
	Method  string // the one RPC it names: "channels.joinChannel"
	Source  string // the source it holds for
	GivenBy string
	Reason  string
	At      time.Time
}
