package evidence

import "time"

// A Notice is a drafted letter for one recipient. Nothing sends it.
type Notice struct {
	ID          string // "N-0001"
	CaseID      string
	Kind        string // as in report's templates: "telegram-abuse-mail"
	Language    string // "en" or "hi"
	Subject     string
	Recipient   string // the mail address it goes to; "": a form, a portal, a letter
	FollowUp    bool   // of a notice of the same kind that was sent before
	Markdown    string
	EML         []byte
	FactsSHA256 string // of the facts that every draft of the case shares
	DraftedAt   time.Time
	DraftedBy   string

	Files  []NoticeFile // as drafted; an approval lists them as approved
	Events []NoticeEvent
}

// A NoticeFile is one form of a notice on disk.
type NoticeFile struct {
	Name   string `json:"name"` // "N-0001-telegram-abuse-mail.docx"
	SHA256 string `json:"sha256"`
}

// A NoticeStep is what a person did with a notice.
type NoticeStep string

// Steps, in the order in which they come.
const (
	NoticeDrafted   NoticeStep = "drafted"
	NoticeApproved  NoticeStep = "approved"
	NoticeSent      NoticeStep = "sent"
	NoticeAnswered  NoticeStep = "answered"
	NoticeWithdrawn NoticeStep = "withdrawn"
)

// A NoticeEvent records a step.
type NoticeEvent struct {
	Step       NoticeStep
	At         time.Time // when it happened, as the person says
	RecordedAt time.Time
	Actor      string
	Reference  string       // a ticket number
	Note       string       // how it was sent, what was answered, why it was withdrawn
	Route      string       // of an approval: how well the route was known, "secondary" when accepted as such
	Files      []NoticeFile // of an approval
}

// Step is what was done last; a reply does not undo a withdrawal.
func (n Notice) Step() NoticeStep {
	step := NoticeDrafted
	for _, e := range n.Events {
		if step != NoticeWithdrawn {
			step = e.Step
		}
	}
	return step
}

// Event returns the last event of a step.
func (n Notice) Event(step NoticeStep) (NoticeEvent, bool) {
	for i := len(n.Events) - 1; i >= 0; i-- {
		if n.Events[i].Step == step {
			return n.Events[i], true
		}
	}
	return NoticeEvent{}, false
}
