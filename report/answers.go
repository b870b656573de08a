package report

import (
	"reflect"
	"strings"

	"prahari/document"
)

// Answers are what only a person knows. What is empty becomes a visible blank
// where a draft needs it.
type Answers struct {
	Complainant     Complainant `yaml:"complainant"`
	WhatItDoes      string      `yaml:"what_it_does"` // two sentences, without any identifier
	WhatItDoesHindi string      `yaml:"what_it_does_hi"`
	SourceBasis     string      `yaml:"source_basis"` // the published basis on which a system is named as the data's source
	JournalistCheck string      `yaml:"journalist_check"`
	CSAM            bool        `yaml:"csam"`           // sexual content with children: nothing may be drafted
	PrivateImages   bool        `yaml:"private_images"` // content of rule 3(2)(b)
	CourtOrder      CourtOrder  `yaml:"court_order"`
	Incident        Incident    `yaml:"incident"`
	Recipient       Recipient   `yaml:"recipient"`
	Fiduciary       Fiduciary   `yaml:"fiduciary"`
	EU              EU          `yaml:"eu"`
	Agency          Agency      `yaml:"agency"`
	Appeal          Appeal      `yaml:"appeal"`
	Withdrawal      Withdrawal  `yaml:"withdrawal"`
}

// A Complainant is who asks or reports.
type Complainant struct {
	Name             string `yaml:"name"`
	Organisation     string `yaml:"organisation"`
	Role             string `yaml:"role"`
	Email            string `yaml:"email"`
	Phone            string `yaml:"phone"`
	Address          string `yaml:"address"`
	Capacity         string `yaml:"capacity"`          // affected organisation, authorised agent, affected individual, member of the public
	Authority        string `yaml:"authority"`         // of an authorised agent: what is attached
	AuthorityExpires string `yaml:"authority_expires"` // the first day on which it does not hold any more, 2026-12-31
}

// A CourtOrder, or an authorised intimation, is what the three-hour clock needs.
type CourtOrder struct {
	What   string `yaml:"what"`
	SHA256 string `yaml:"sha256"` // of the file attached
}

// An Incident is what CERT-In's form asks beside.
type Incident struct {
	ReportsFor      string `yaml:"reports_for"` // "own" or "other"
	Bound           string `yaml:"bound"`
	AffectedEntity  string `yaml:"affected_entity"`
	Type            string `yaml:"type"`
	Critical        string `yaml:"critical"`
	ProtectedSystem string `yaml:"protected_system"`
}

// A Recipient is the organisation that a report goes to.
type Recipient struct {
	Organisation    string `yaml:"organisation"`
	Email           string `yaml:"email"`  // takes the place of the route's
	Fields          string `yaml:"fields"` // which set of fields matches
	Canary          string `yaml:"canary"`
	CERTInReference string `yaml:"cert_in_reference"`
	Urgency         string `yaml:"urgency"`
	BIN             string `yaml:"bin"` // first six and last four digits, to the bank concerned only
}

// A Fiduciary is who has to tell a board, an authority and the people affected.
type Fiduciary struct {
	Name              string `yaml:"name"`
	Contact           string `yaml:"contact"`
	AwareAt           string `yaml:"aware_at"`
	Consequences      string `yaml:"consequences"`
	ConsequencesHindi string `yaml:"consequences_hi"`
	Measures          string `yaml:"measures"`
	MeasuresHindi     string `yaml:"measures_hi"`
	Safety            string `yaml:"safety"`
	SafetyHindi       string `yaml:"safety_hi"`
	Causes            string `yaml:"causes"`
	Culprit           string `yaml:"culprit"`
	Remedies          string `yaml:"remedies"`
	Intimations       string `yaml:"intimations"`
}

// EU is what notices under the EU's law ask.
type EU struct {
	Nexus       string `yaml:"nexus"`
	Explanation string `yaml:"explanation"`
	Authority   string `yaml:"authority"`
	Officer     string `yaml:"officer"`
	Subjects    string `yaml:"subjects"`
	Records     string `yaml:"records"`
	LateReasons string `yaml:"late_reasons"`
}

// An Agency decides on its own legal basis.
type Agency struct {
	LegalBasis string `yaml:"legal_basis"`
}

// An Appeal is against an answer, or against none.
type Appeal struct {
	Notice     string `yaml:"notice"`
	SentAt     string `yaml:"sent_at"`
	ReceivedAt string `yaml:"received_at"`
	AnsweredAt string `yaml:"answered_at"` // 2026-11-24T10:00:00+05:30
	Ticket     string `yaml:"ticket"`
	Answer     string `yaml:"answer"`
	Proof      string `yaml:"proof"`
}

// A Withdrawal, or a correction, is of a notice that was sent.
type Withdrawal struct {
	Notice          string `yaml:"notice"`
	Items           string `yaml:"items"`
	ItemsHindi      string `yaml:"items_hi"`
	Correction      string `yaml:"correction"`
	CorrectionHindi string `yaml:"correction_hi"`
	Reason          string `yaml:"reason"`
	ReasonHindi     string `yaml:"reason_hi"`
}

// escaped returns a copy of which no text is markup, so that no template, ours
// or a user's, can forget to escape one.
func escaped[T any](v T) T {
	out := reflect.New(reflect.TypeFor[T]()).Elem()
	copyEscaped(out, reflect.ValueOf(v))
	return out.Interface().(T)
}

func copyEscaped(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.String:
		to.SetString(document.Escape(from.String()))
	case reflect.Slice:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			copyEscaped(to.Index(i), from.Index(i))
		}
	case reflect.Struct:
		to.Set(from) // with what is not exported, such as a time's parts
		if strings.HasPrefix(from.Type().PkgPath(), "prahari/") {
			for i := range from.NumField() {
				copyEscaped(to.Field(i), from.Field(i))
			}
		}
	default:
		to.Set(from)
	}
}
