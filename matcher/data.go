package matcher

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"prahari/evidence"
)

//go:embed data/*.yaml
var dataFiles embed.FS

// labelFile is data/labels.yaml.
type labelFile struct {
	Source     string              `yaml:"source"`
	Confidence string              `yaml:"confidence"`
	Fillers    map[string][]string `yaml:"fillers"`
	Labels     []labelEntry        `yaml:"labels"`
}

type labelEntry struct {
	Name     string              `yaml:"name"`
	Kinds    []evidence.Kind     `yaml:"kinds"`
	Field    bool                `yaml:"field"`
	Personal bool                `yaml:"personal"`
	Begins   bool                `yaml:"begins"`
	Other    bool                `yaml:"other"`
	Words    map[string][]string `yaml:"words"` // by language
}

// listFile is a list of facts: states, banks, handles, issuer prefixes.
type listFile struct {
	Source     string            `yaml:"source"`
	Confidence string            `yaml:"confidence"`
	Values     map[string]string `yaml:"values"`
}

// facts are the data files, read once.
type facts struct {
	lexicon  lexicon
	states   map[string]string // vehicle and licence codes
	banks    map[string]string // first four letters of an IFSC
	handles  map[string]string // UPI handles
	issuers  map[string]string // first digits of payment cards
	pinRange map[string]string // first two digits of PIN codes: the state's code
	samples  map[string]string // values that documentation uses as examples
	names    map[string]string // surnames
}

//nolint:gochecknoglobals // the embedded files never change, so one reading serves all
var loadFacts = sync.OnceValues(readFacts)

func readFacts() (*facts, error) {
	f := &facts{}
	raw, err := dataFiles.ReadFile("data/labels.yaml")
	if err != nil {
		return nil, err
	}
	var labels labelFile
	if err := strictYAML("data/labels.yaml", raw, &labels); err != nil {
		return nil, err
	}
	if err := f.lexicon.build(labels); err != nil {
		return nil, fmt.Errorf("data/labels.yaml: %w", err)
	}
	for name, to := range map[string]*map[string]string{
		"states": &f.states, "banks": &f.banks, "handles": &f.handles, "issuers": &f.issuers,
		"pin-prefixes": &f.pinRange, "samples": &f.samples, "surnames": &f.names,
	} {
		file := "data/" + name + ".yaml"
		raw, err := dataFiles.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var list listFile
		if err := strictYAML(file, raw, &list); err != nil {
			return nil, err
		}
		if list.Source == "" || list.Confidence == "" || len(list.Values) == 0 {
			return nil, fmt.Errorf("%s: source, confidence and values are required", file)
		}
		*to = list.Values
	}
	return f, nil
}

func (x *lexicon) build(file labelFile) error {
	if file.Source == "" || file.Confidence == "" {
		return fmt.Errorf("source and confidence are required")
	}
	fillers, phrases := 0, 0
	for _, words := range file.Fillers {
		fillers += len(words)
	}
	for _, e := range file.Labels {
		for _, words := range e.Words {
			phrases += 2 * len(words)
		}
	}
	x.words, x.phrases = newTable(fillers+phrases), newTable(phrases)
	for _, words := range file.Fillers {
		for _, w := range words {
			x.words.put(hashWord(w), filler)
		}
	}
	x.labels = []label{{}}
	for _, e := range file.Labels {
		l := label{name: e.Name, field: e.Field, personal: e.Personal, begins: e.Begins, other: e.Other}
		for _, name := range e.Kinds {
			id := kindByName(name)
			if id == kNone {
				return fmt.Errorf("label %q names the unknown kind %q", e.Name, name)
			}
			l.kinds |= setOf(id)
		}
		x.labels = append(x.labels, l)
	}
	for i, e := range file.Labels {
		for _, words := range e.Words {
			for _, w := range words {
				if err := x.add(labelID(i+1), w); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// strictYAML decodes one document and refuses keys that out does not have. Its
// errors begin with file:line.
func strictYAML(name string, raw []byte, out any) error {
	err := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict(), yaml.DisallowUnknownField()).Decode(out)
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s%s: %s", name, yamlLine(err), yamlMessage(err))
}

// yamlLine returns ":12" for an error that knows its line.
func yamlLine(err error) string {
	if e, ok := err.(yaml.Error); ok && e.GetToken() != nil { //nolint:errorlint // the decoder does not wrap
		return fmt.Sprintf(":%d", e.GetToken().Position.Line)
	}
	return ""
}

func yamlMessage(err error) string {
	if e, ok := err.(yaml.Error); ok { //nolint:errorlint // the decoder does not wrap
		return e.GetMessage()
	}
	return strings.SplitN(err.Error(), "\n", 2)[0]
}
