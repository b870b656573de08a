package evidence

// A Kind names what an identifier is, as in matcher's data files.
type Kind string

// The kinds that the rest of the program treats in its own way; the matcher may
// know more.
const (
	Aadhaar     Kind = "aadhaar"
	VID         Kind = "vid"
	Mobile      Kind = "mobile"
	PAN         Kind = "pan"
	Email       Kind = "email"
	DateOfBirth Kind = "dob"
)

// A Form says how an identifier was written.
type Form string

// Full is the whole value, Masked one with places hidden by its writer, Evasive
// a whole value disguised so that simple patterns miss it.
const (
	Full    Form = "full"
	Masked  Form = "masked"
	Evasive Form = "evasive"
)

// A Validity is the outcome of an identifier's own check.
type Validity string

// CheckPassed and CheckFailed speak of a checksum or calendar; NoCheck is for
// kinds and forms that have none.
const (
	CheckPassed Validity = "passed"
	CheckFailed Validity = "failed"
	NoCheck     Validity = "none"
)

// A Match is an identifier found in a text. It holds no value: Start and End
// are byte offsets into the original text, which lives in memory only.
type Match struct {
	Kind       Kind
	Form       Form
	Validity   Validity
	Label      string // the label's name in the data files, "" where the text gave none
	Start, End int
}

// A Field is a labelled value that no check knows: a name, an address, a
// vaccine. Personal fields are hidden when the text is masked.
type Field struct {
	Name       string // the field's name in the data files: "name", "address", "vaccine"
	Personal   bool
	Start, End int
}

// A Record is the group of matches and fields that describe one person.
type Record struct {
	Matches    []Match
	Fields     []Field
	Start, End int
}

// Kinds returns the distinct kinds of the record's matches in order of
// appearance.
func (r Record) Kinds() []Kind {
	var kinds []Kind
next:
	for _, m := range r.Matches {
		for _, k := range kinds {
			if k == m.Kind {
				continue next
			}
		}
		kinds = append(kinds, m.Kind)
	}
	return kinds
}

// A Severity ranks findings: low, medium, high, critical.
type Severity string

// Severities, from least to most urgent.
const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Rank orders severities; an unknown one ranks below Low.
func (s Severity) Rank() int {
	for i, known := range []Severity{Low, Medium, High, Critical} {
		if s == known {
			return i + 1
		}
	}
	return 0
}

// A Finding is what one signature says of one text. Nothing in it repeats the
// text: words and reasons come from the signature.
type Finding struct {
	Rule        string // the signature's id
	RuleVersion int
	RuleHash    string // SHA-256 of the signature as written, hex
	Title       string // the signature's title
	Severity    Severity
	Confidence  float64  // 0 to 1
	Words       []string // the signature's words that the text has
	Reasons     []string // why, a sentence each
	Records     []Record
}

// A Result is all that a text gave.
type Result struct {
	Matches  []Match
	Fields   []Field
	Records  []Record
	Findings []Finding
}
