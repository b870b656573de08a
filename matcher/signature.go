package matcher

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"prahari/evidence"
)

//go:embed signatures/*.yaml
var signatureFiles embed.FS

// packFile is a file of signatures.
type packFile struct {
	Pack        string       `yaml:"pack"`
	Description string       `yaml:"description"`
	Identifiers []Identifier `yaml:"identifiers"`
	Rules       []Signature  `yaml:"rules"`
}

// An Identifier is a kind that a pack adds: numbers of one organisation, say.
type Identifier struct {
	Kind    evidence.Kind `yaml:"kind"`
	Pattern string        `yaml:"pattern"` // RE2, on folded text
	Literal string        `yaml:"literal"` // a text without this is not searched
	Digits  int           `yaml:"digits"`  // or: nor is one with fewer digits

	compiled *regexp.Regexp
}

// A Signature says which records and words make a text a finding.
type Signature struct {
	Pack        string                `yaml:"-"`
	ID          string                `yaml:"id"` // "cowin-reply"
	Version     int                   `yaml:"version"`
	Title       string                `yaml:"title"`
	Description string                `yaml:"description"`
	Severity    evidence.Severity     `yaml:"severity"`
	Confidence  float64               `yaml:"confidence"` // of a text that just fits; checks and more records raise it
	Sources     []evidence.SourceKind `yaml:"sources"`    // none: every kind of source
	Record      RecordShape           `yaml:"record"`
	MinRecords  int                   `yaml:"min_records"` // records that fit the shape; 0: none are needed
	Words       []WordGroup           `yaml:"words"`
	Within      int                   `yaml:"within"` // bytes of text that must hold a word of each group; 0: anywhere
	Unless      []string              `yaml:"unless"` // silent where one of these earlier rules fits
	Examples    Examples              `yaml:"examples"`

	hash string // SHA-256 of the rule as canonical JSON
}

// A RecordShape says what a record must hold.
type RecordShape struct {
	All    []evidence.Kind `yaml:"all"`    // each of these
	Any    []evidence.Kind `yaml:"any"`    // at least one of these, where there are any
	Fields []string        `yaml:"fields"` // at least one of these labelled values, where there are any
	Parts  int             `yaml:"parts"`  // distinct kinds and labelled values
}

// A WordGroup is a list of words or phrases of which a text must have one.
type WordGroup struct {
	Name string   `yaml:"name"` // what the words speak of: "offer", "price"
	Any  []string `yaml:"any"`
}

// Examples are texts that a signature must and must not match.
type Examples struct {
	Match []string `yaml:"match"`
	Never []string `yaml:"never"`
}

// Rules are signatures ready for use.
type Rules struct {
	signatures []Signature
	added      []Identifier
	words      table    // phrase hash -> 1 + place in names
	names      []string // phrases as the packs write them
	groups     [][][]uint16
	longest    int // words of the longest phrase

	// A signature that needs no record shows itself by a word of its first group;
	// the gate looks for those.
	anchors     table      // phrase hash -> 1
	firsts      table      // hash of an anchor's first word -> 1
	anchorWords []string   // first words
	begin       [4096]bool // how anchors of three bytes and more begin
}

// Builtin returns the signatures that come with the program.
func Builtin() (*Rules, error) {
	var all pack
	err := fs.WalkDir(signatureFiles, "signatures", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := signatureFiles.ReadFile(path)
		if err != nil {
			return err
		}
		one, err := parsePack(path, raw)
		all.join(one)
		return err
	})
	if err != nil {
		return nil, err
	}
	return newRules(all)
}

// ParseRules reads a pack. Errors begin with the name and, where it is known,
// the line.
func ParseRules(name string, raw []byte) (*Rules, error) {
	p, err := parsePack(name, raw)
	if err != nil {
		return nil, err
	}
	return newRules(p)
}

// Join returns the rules of both. A rule or a kind that both have is an error.
func (r *Rules) Join(other *Rules) (*Rules, error) {
	p := pack{slices.Clone(r.signatures), slices.Clone(r.added)}
	p.join(pack{other.signatures, other.added})
	return newRules(p)
}

// A pack is what a file holds, checked.
type pack struct {
	signatures []Signature
	added      []Identifier
}

func (p *pack) join(other pack) {
	p.signatures, p.added = append(p.signatures, other.signatures...), append(p.added, other.added...)
}

// Signatures returns the rules in order.
func (r *Rules) Signatures() []Signature { return slices.Clone(r.signatures) }

func parsePack(name string, raw []byte) (pack, error) {
	var file packFile
	if err := strictYAML(name, raw, &file); err != nil {
		return pack{}, err
	}
	known, err := loadFacts()
	if err != nil {
		return pack{}, err
	}
	var faults []error
	kinds := Kinds()
	for i := range file.Identifiers {
		d := &file.Identifiers[i]
		if err := d.compile(); err != nil {
			faults = append(faults, fmt.Errorf("%s%s: identifier %q: %w", name, lineOf(raw, "$.identifiers[%d].kind", i), d.Kind, err))
		}
		kinds = append(kinds, d.Kind)
	}
	for i := range file.Rules {
		s := &file.Rules[i]
		s.Pack = file.Pack
		if err := s.check(&known.lexicon, kinds); err != nil {
			faults = append(faults, fmt.Errorf("%s%s: rule %q: %w", name, lineOf(raw, "$.rules[%d].id", i), s.ID, err))
			continue
		}
		if s.hash, err = hashOf(*s); err != nil {
			return pack{}, err
		}
	}
	if file.Pack == "" || len(file.Rules) == 0 {
		faults = append(faults, fmt.Errorf("%s: a pack needs a name under 'pack' and at least one rule under 'rules'", name))
	}
	return pack{file.Rules, file.Identifiers}, errors.Join(faults...)
}

func (d *Identifier) compile() (err error) {
	switch {
	case d.Kind == "":
		return errors.New("it needs a kind")
	case kindByName(d.Kind) != kNone:
		return errors.New("the program knows this kind already: choose another name")
	case len(d.Literal) < 2 && d.Digits < 4:
		return errors.New("it needs a 'literal' of two characters or more, or 'digits' of four or more, that every value has: without one every text would have to be searched")
	}
	if d.compiled, err = regexp.Compile(d.Pattern); err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	if d.compiled.MatchString("") {
		return errors.New("the pattern matches nothing at all")
	}
	return nil
}

// TestPack reads a pack and tries its examples, beside the rules that come with
// the program. Errors name the file and the line.
func TestPack(name string, raw []byte) error {
	rules, err := ParseRules(name, raw)
	if err != nil {
		return err
	}
	builtin, err := Builtin()
	if err != nil {
		return err
	}
	all, err := builtin.Join(rules)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	m, err := New(Config{Rules: all})
	if err != nil {
		return err
	}
	return rules.try(m, name, raw)
}

// TestRules tries the examples of rules that were read before.
func TestRules(name string, rules *Rules) error {
	m, err := New(Config{Rules: rules})
	if err != nil {
		return err
	}
	return rules.try(m, name, nil)
}

// try tries every example; raw, where it is given, tells the lines.
func (r *Rules) try(m *Matcher, name string, raw []byte) error {
	var faults []error
	for i, s := range r.signatures {
		fits := func(text string) bool {
			source := evidence.Channel
			if len(s.Sources) > 0 {
				source = s.Sources[0]
			}
			return slices.ContainsFunc(m.Find(text, source).Findings, func(f evidence.Finding) bool { return f.Rule == s.ID })
		}
		for k, text := range s.Examples.Match {
			if !fits(text) {
				faults = append(faults, fmt.Errorf("%s%s: rule %q does not find its example %d", name, lineOf(raw, "$.rules[%d].examples.match[%d]", i, k), s.ID, k+1))
			}
		}
		for k, text := range s.Examples.Never {
			if fits(text) {
				faults = append(faults, fmt.Errorf("%s%s: rule %q finds what it never may, example %d", name, lineOf(raw, "$.rules[%d].examples.never[%d]", i, k), s.ID, k+1))
			}
		}
	}
	return errors.Join(faults...)
}

// lineOf returns ":12" for the line of what a path names, "" where it is not
// known.
func lineOf(raw []byte, where string, at ...any) string {
	path, err := yaml.PathString(fmt.Sprintf(where, at...))
	if err != nil {
		return ""
	}
	file, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return ""
	}
	node, err := path.FilterFile(file)
	if err != nil || node == nil {
		return ""
	}
	return fmt.Sprintf(":%d", node.GetToken().Position.Line)
}

// hashOf covers all that changes what a rule finds or says, and not its
// examples.
func hashOf(s Signature) (string, error) {
	s.Examples = Examples{}
	raw, err := evidence.CanonicalJSON(s)
	if err != nil {
		return "", err
	}
	return evidence.Digest(raw), nil
}

// Hash returns the SHA-256 of the rule without its examples, hex.
func (s Signature) Hash() string { return s.hash }

func (s *Signature) check(x *lexicon, kinds []evidence.Kind) error {
	switch {
	case s.ID == "" || s.Title == "" || s.Description == "":
		return errors.New("id, title and description are required")
	case s.Version < 1:
		return errors.New("version must be 1 or more")
	case s.Severity.Rank() == 0:
		return fmt.Errorf("severity %q is none of low, medium, high, critical", s.Severity)
	case s.Confidence <= 0 || s.Confidence > 1:
		return fmt.Errorf("confidence %v is not between 0 and 1", s.Confidence)
	case s.MinRecords == 0 && len(s.Words) == 0:
		return errors.New("needs min_records of 1 or more, or words")
	case len(s.Examples.Match) == 0 || len(s.Examples.Never) == 0:
		return errors.New("needs examples that must match and examples that never may")
	}
	for _, k := range append(slices.Clone(s.Record.All), s.Record.Any...) {
		if !slices.Contains(kinds, k) {
			return fmt.Errorf("unknown kind %q; known are %v", k, kinds)
		}
	}
	for _, name := range s.Record.Fields {
		if !slices.ContainsFunc(x.labels, func(l label) bool { return l.field && l.name == name }) {
			return fmt.Errorf("unknown field %q; the fields are the labels with 'field: true' in data/labels.yaml", name)
		}
	}
	for _, k := range s.Sources {
		switch k {
		case evidence.Channel, evidence.Group, evidence.Bot, evidence.File:
		default:
			return fmt.Errorf("unknown source kind %q; known are channel, group, bot, file", k)
		}
	}
	for _, g := range s.Words {
		if g.Name == "" || len(g.Any) == 0 {
			return errors.New("every group of words needs a name and words under 'any'")
		}
	}
	return nil
}

// newRules indexes the words of all signatures.
func newRules(p pack) (*Rules, error) {
	signatures := p.signatures
	r := &Rules{signatures: signatures, added: p.added, groups: make([][][]uint16, len(signatures))}
	if len(p.added) > int(^kindID(0)-kCount) {
		return nil, fmt.Errorf("%d added kinds are too many", len(p.added))
	}
	for i, d := range p.added {
		if slices.ContainsFunc(p.added[:i], func(other Identifier) bool { return other.Kind == d.Kind }) {
			return nil, fmt.Errorf("the kind %q is added twice", d.Kind)
		}
	}
	count := 0
	for _, s := range signatures {
		for _, g := range s.Words {
			count += len(g.Any)
		}
	}
	r.words, r.anchors, r.firsts = newTable(max(count, 1)), newTable(max(count, 1)), newTable(max(count, 1))
	seen := map[string]bool{}
	for i, s := range signatures {
		if seen[s.ID] {
			return nil, fmt.Errorf("rule %q is defined twice", s.ID)
		}
		for _, id := range s.Unless {
			if !seen[id] {
				return nil, fmt.Errorf("rule %q: 'unless' names %q, which is no rule before it", s.ID, id)
			}
		}
		seen[s.ID] = true
		if s.MinRecords == 0 {
			r.anchor(s.Words[0].Any)
		}
		for _, g := range s.Words {
			var ids []uint16
			for _, phrase := range g.Any {
				hash, words := hashPhrase(phrase)
				if words == 0 || words > maxPhrase {
					return nil, fmt.Errorf("rule %q: %q has %d words; 1 to %d are needed", s.ID, phrase, words, maxPhrase)
				}
				r.longest = max(r.longest, words)
				id := r.words.put(hash, uint16(len(r.names)+1))
				if int(id) == len(r.names)+1 {
					r.names = append(r.names, phrase)
				}
				ids = append(ids, id)
			}
			r.groups[i] = append(r.groups[i], ids)
		}
	}
	return r, nil
}

// anchor has the gate look for the first words of phrases.
func (r *Rules) anchor(phrases []string) {
	for _, phrase := range phrases {
		hash, _ := hashPhrase(phrase)
		r.anchors.put(hash, 1)
		var f folder
		word := strings.TrimLeftFunc(f.fold(phrase), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
		word = strings.Clone(word[:wordAfter(word, 0)])
		if r.firsts.put(hashWord(word), 1) == 1 && !slices.Contains(r.anchorWords, word) {
			r.anchorWords = append(r.anchorWords, word)
			r.begin[beginning(word+" ", 0)] = true
		}
	}
}

// beginning mixes the first three bytes at i without regard to case.
func beginning(s string, i int) uint16 {
	return (uint16(s[i]|0x20)*961 + uint16(s[i+1]|0x20)*31 + uint16(s[i+2]|0x20)) & 4095
}

// anchored reports whether an anchor begins at i.
func (r *Rules) anchored(s string, i int) bool {
	end := wordAfter(s, i)
	hash := hashWord(s[i:end])
	if r.firsts.get(hash) == 0 {
		return false
	}
	for n := 1; r.anchors.get(hash) == 0; n++ {
		for end < len(s) && class[s[end]]&(cAlnum|cHigh) == 0 {
			end++
		}
		if end == len(s) || n == r.longest {
			return false
		}
		i, end = end, wordAfter(s, end)
		hash = hash*phraseBase + hashWord(s[i:end])
	}
	return true
}

// hashPhrase hashes a phrase as wordsIn hashes its words: each word's hash times
// a power of phraseBase counted from the end.
func hashPhrase(phrase string) (hash uint64, words int) {
	var f folder
	s := f.fold(phrase)
	for i := 0; i < len(s); {
		end := wordAfter(s, i)
		if end == i {
			i++
			continue
		}
		hash = hash*phraseBase + hashWord(s[i:end])
		words++
		i = end
	}
	return hash, words
}

// wordAfter returns the end of the word that begins at i, i where none does.
func wordAfter(s string, i int) int {
	j := i
	switch k := class[s[i]]; {
	case k&cAlnum != 0:
		for j < len(s) && class[s[j]]&cAlnum != 0 {
			j++
		}
	case k&cHigh != 0:
		for j < len(s) && class[s[j]]&cHigh != 0 {
			j++
		}
	}
	return j
}

// A wordHit is a place of a signature's word in a folded text.
type wordHit struct {
	word uint16
	at   int32
}

// wordSet lists the hits of one text in order.
type wordSet struct{ hits []wordHit }

// maxWordHits bounds what one text can make us remember.
const maxWordHits = 512

// wordsIn fills set with the signatures' words in folded text s.
func (r *Rules) wordsIn(s string, set *wordSet) bool {
	set.hits = set.hits[:0]
	if r.longest == 0 {
		return false
	}
	var recent [maxPhrase]uint64 // hashes of the phrases of 1, 2, … words that end here
	for i := 0; i < len(s); {
		end := wordAfter(s, i)
		if end == i {
			i++
			continue
		}
		hash := hashWord(s[i:end])
		for n := r.longest - 1; n > 0; n-- {
			recent[n] = recent[n-1]*phraseBase + hash
		}
		recent[0] = hash
		for n := range r.longest {
			if id := r.words.get(recent[n]); id != 0 && len(set.hits) < maxWordHits {
				set.hits = append(set.hits, wordHit{id, int32(i)})
			}
		}
		i = end
	}
	return len(set.hits) > 0
}

// judge returns a finding for every signature that the text fits.
func (r *Rules) judge(found *evidence.Result, words *wordSet, source evidence.SourceKind) []evidence.Finding {
	var findings []evidence.Finding
	shapes := shapesOf(found)
	for i := range r.signatures {
		s := &r.signatures[i]
		if len(s.Sources) > 0 && !slices.Contains(s.Sources, source) {
			continue
		}
		if slices.ContainsFunc(findings, func(f evidence.Finding) bool { return slices.Contains(s.Unless, f.Rule) }) {
			continue
		}
		used, ok := r.spoken(i, words)
		if !ok {
			continue
		}
		var fit []evidence.Record
		for k := range shapes {
			if s.Record.fits(&shapes[k]) {
				if fit == nil {
					fit = make([]evidence.Record, 0, len(shapes)-k)
				}
				fit = append(fit, found.Records[k])
			}
		}
		if len(fit) < s.MinRecords {
			continue
		}
		findings = append(findings, s.finding(fit, used))
	}
	return findings
}

// A shape is what a record has, each once.
type shape struct {
	kinds  []evidence.Kind
	fields []string
}

// shapesOf returns the shape of each record.
func shapesOf(found *evidence.Result) []shape {
	shapes := make([]shape, len(found.Records))
	kinds := make([]evidence.Kind, 0, len(found.Matches))
	fields := make([]string, 0, len(found.Fields))
	for i := range found.Records {
		r, s := &found.Records[i], &shapes[i]
		k, f := len(kinds), len(fields)
		for j := range r.Matches {
			if kind := r.Matches[j].Kind; !slices.Contains(kinds[k:], kind) {
				kinds = append(kinds, kind)
			}
		}
		for j := range r.Fields {
			if name := r.Fields[j].Name; !slices.Contains(fields[f:], name) {
				fields = append(fields, name)
			}
		}
		s.kinds, s.fields = kinds[k:len(kinds):len(kinds)], fields[f:len(fields):len(fields)]
	}
	return shapes
}

func (need RecordShape) fits(has *shape) bool {
	for _, k := range need.All {
		if !slices.Contains(has.kinds, k) {
			return false
		}
	}
	held := func(k evidence.Kind) bool { return slices.Contains(has.kinds, k) }
	named := func(name string) bool { return slices.Contains(has.fields, name) }
	return len(has.kinds)+len(has.fields) >= need.Parts &&
		(len(need.Any) == 0 || slices.ContainsFunc(need.Any, held)) && (len(need.Fields) == 0 || slices.ContainsFunc(need.Fields, named))
}

// spoken reports whether a word of each group of the ith signature stands
// within its distance, and which words do.
func (r *Rules) spoken(i int, words *wordSet) (used []string, ok bool) {
	groups := r.groups[i]
	if len(groups) == 0 {
		return nil, true
	}
	within := int32(r.signatures[i].Within)
	for first := range words.hits {
		from := words.hits[first].at
		used = used[:0]
		missing := 0
		for _, ids := range groups {
			got := false
			for _, h := range words.hits[first:] {
				if within > 0 && h.at-from > within {
					break
				}
				if slices.Contains(ids, h.word) {
					got = true
					if name := r.names[h.word-1]; !slices.Contains(used, name) {
						used = append(used, name)
					}
				}
			}
			if !got {
				missing++
				break
			}
		}
		if missing == 0 {
			return used, true
		}
		if within == 0 {
			return nil, false
		}
	}
	return nil, false
}

func (s *Signature) finding(fit []evidence.Record, words []string) evidence.Finding {
	f := evidence.Finding{
		Rule: s.ID, RuleVersion: s.Version, RuleHash: s.hash, Title: s.Title, Severity: s.Severity, Words: words, Records: fit,
	}
	passed, failed, labelled, masked := 0, 0, 0, 0
	for _, r := range fit {
		for _, m := range r.Matches {
			switch m.Validity {
			case evidence.CheckPassed:
				passed++
			case evidence.CheckFailed:
				failed++
			case evidence.NoCheck:
			}
			if m.Label != "" {
				labelled++
			}
			if m.Form == evidence.Masked {
				masked++
			}
		}
	}
	// What is left to certainty shrinks with every sign for a leak and grows with
	// every failed check.
	doubt := 1 - s.Confidence
	for range min(passed, 6) {
		doubt *= 0.7
	}
	for range min(labelled, 6) {
		doubt *= 0.9
	}
	for range min(len(fit)-s.MinRecords, 6) {
		doubt *= 0.8
	}
	if failed > passed {
		doubt = min(1, doubt*1.5)
	}
	f.Confidence = float64(int((1-doubt)*100)) / 100
	f.Reasons = reasons(s, fit, words, passed, failed, labelled, masked)
	return f
}

func reasons(s *Signature, fit []evidence.Record, words []string, passed, failed, labelled, masked int) []string {
	var out []string
	say := func(n int, one, many string) {
		switch {
		case n == 1:
			out = append(out, one)
		case n > 1:
			out = append(out, fmt.Sprintf(many, n))
		}
	}
	say(len(fit), "1 record has the shape that the rule asks for", "%d records have the shape that the rule asks for")
	say(passed, "1 identifier passes its check", "%d identifiers pass their checks")
	say(failed, "1 identifier fails its check", "%d identifiers fail their checks")
	say(labelled, "1 identifier has a label that says what it is", "%d identifiers have a label that says what they are")
	say(masked, "1 identifier is half hidden by its writer", "%d identifiers are half hidden by their writer")
	if len(words) > 0 {
		out = append(out, fmt.Sprintf("the text speaks of %s: %s", groupNames(s), quoted(words)))
	}
	return out
}

func groupNames(s *Signature) string {
	out := ""
	for i, g := range s.Words {
		switch {
		case i == 0:
		case i == len(s.Words)-1:
			out += " and "
		default:
			out += ", "
		}
		out += g.Name
	}
	return out
}

func quoted(words []string) string {
	out := ""
	for i, w := range words[:min(len(words), 8)] {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprintf("%q", w)
	}
	return out
}
