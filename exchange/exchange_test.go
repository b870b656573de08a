package exchange_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"prahari/evidence"
	"prahari/exchange"
	"prahari/fixtures"
)

var at = time.Date(2026, 11, 24, 4, 30, 0, 0, time.UTC)

// example is a case of a channel with two messages and a bot with one; every
// text of Telegram in it is title.
func example(title string) exchange.Case {
	channel := evidence.Source{ID: "channel-1", Kind: evidence.Channel, PeerID: 1, Username: "leaks_demo", Title: title}
	bot := evidence.Source{ID: "bot-2", Kind: evidence.Bot, PeerID: 2, Username: "lookup_demo_bot", Title: title}
	item := func(s evidence.Source, id int64) evidence.Evidence {
		posted := at.Add(time.Duration(id) * time.Minute)
		evID := fmt.Sprintf("ev-%s-%d", s.ID, id)
		return evidence.Evidence{
			ID: evID, Source: s, MessageID: id, URL: evidence.MessageURL(s, id), PostedAt: posted, CapturedAt: posted.Add(time.Hour), Masked: title,
			SealedSHA: strings.Repeat("ab", 32), SealedSize: 100, Collection: evidence.Collection{Request: "channels.getMessages"},
			Findings: []evidence.Kept{{ID: "f-" + evID, EvidenceID: evID, Rule: "cowin-reply", Title: title, Severity: evidence.High, Confidence: 0.9, Records: []evidence.KeptRecord{{
				Identifiers: []evidence.KeptIdentifier{{Kind: evidence.Aadhaar, Masked: "XXXX XXXX 7058", Token: "token-of-a-person"}, {Kind: evidence.Mobile, Masked: "XXXXXX5678"}}, Fields: []string{"name"},
			}}}},
		}
	}
	bare := item(channel, 8)
	bare.Findings = nil
	return exchange.Case{
		Case:  evidence.Case{ID: "CASE0001", Title: title, OpenedAt: at, Status: evidence.Approved},
		Items: []evidence.Evidence{item(bot, 3), item(channel, 7), bare, item(channel, 9)}, Distinct: map[evidence.Kind]int{evidence.Aadhaar: 2, evidence.Mobile: 1},
		Organisation: exchange.Organisation{Name: "Example Trust & Safety", Email: "desk@example.org", Domain: "example.org"},
		Tool:         evidence.Tool{Name: "prahari", Version: "test"}, TLP: "TLP:AMBER+STRICT", At: at.Add(24 * time.Hour),
	}
}

func export(t *testing.T, c exchange.Case, format string) []exchange.File {
	t.Helper()
	files, err := c.Export(format)
	if err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return files
}

// schema compiles a definition that is kept with its source.
func schema(t *testing.T, main string, others ...string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	id := ""
	for i, name := range append([]string{main}, others...) {
		raw, err := os.Open(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(raw)
		_ = raw.Close()
		if err != nil {
			t.Fatal(err)
		}
		of, ok := doc.(map[string]any)["$id"].(string)
		if !ok {
			of = "https://schema.invalid/" + name
		}
		if err := c.AddResource(of, doc); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			id = of
		}
	}
	s, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func schemas(t *testing.T) map[string]*jsonschema.Schema {
	return map[string]*jsonschema.Schema{
		"xarf": schema(t, "xarf/content-exposed-data.json", "xarf/content-base.json", "xarf/xarf-core.json"),
		"stix": schema(t, "stix/bundle.json"),
		"case": schema(t, "case/graph.json"),
	}
}

func parsed(t *testing.T, content []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestExportsAreValid(t *testing.T) {
	for format, s := range schemas(t) {
		files := export(t, example("Leaks"), format)
		for _, f := range files {
			if err := s.Validate(parsed(t, f.Content)); err != nil {
				t.Errorf("%s: %s is not valid: %v", format, f.Name, err)
			}
		}
		if n := len(files); (format == "xarf") != (n == 2) || n == 0 {
			t.Errorf("%s has %d files", format, n)
		}
	}
}

// The schemas refuse what is wrong: a validation that cannot fail shows nothing.
func TestSchemasRefuse(t *testing.T) {
	for format, change := range map[string]func(map[string]any){
		"xarf": func(m map[string]any) { m["data_types"] = []any{"aadhaar"} },
		"stix": func(m map[string]any) { delete(m["objects"].([]any)[1].(map[string]any), "created") },
		"case": func(m map[string]any) { delete(m["@graph"].([]any)[2].(map[string]any), "uco-core:name") },
	} {
		v := parsed(t, export(t, example("Leaks"), format)[0].Content)
		change(v.(map[string]any))
		if schemas(t)[format].Validate(v) == nil {
			t.Errorf("the schema of %s takes anything", format)
		}
	}
}

// MISP's definitions of objects are no JSON schemas: relations, types, what is
// required, and what may be there once.
func TestMISPObjectsAreAsDefined(t *testing.T) {
	var doc struct {
		Event struct {
			UUID, Info, Date, Distribution string
			Tag                            []struct{ Name string }
			Object                         []struct {
				Name            string
				MetaCategory    string `json:"meta-category"`
				TemplateUUID    string `json:"template_uuid"`
				TemplateVersion string `json:"template_version"`
				Attribute       []struct {
					Relation string `json:"object_relation"`
					Type     string
					Value    string
				}
			}
		}
	}
	if err := json.Unmarshal(export(t, example("Leaks"), "misp")[0].Content, &doc); err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, o := range doc.Event.Object {
		names[o.Name]++
		raw, err := os.ReadFile(filepath.Join("testdata/misp", filepath.Base(o.Name)+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			Name          string
			Version       int
			UUID          string
			MetaCategory  string `json:"meta-category"`
			Required      []string
			RequiredOneOf []string
			Attributes    map[string]struct {
				Type     string `json:"misp-attribute"`
				Multiple bool
				Default  []string `json:"sane_default"`
			}
		}
		if err := json.Unmarshal(raw, &d); err != nil {
			t.Fatal(err)
		}
		if o.TemplateUUID != d.UUID || o.TemplateVersion != fmt.Sprint(d.Version) || o.MetaCategory != d.MetaCategory {
			t.Errorf("%s is made of another template", o.Name)
		}
		seen := map[string]int{}
		for _, a := range o.Attribute {
			known, ok := d.Attributes[a.Relation]
			if !ok || known.Type != a.Type || a.Value == "" {
				t.Errorf("%s: attribute %s of type %s is not in the template, or empty", o.Name, a.Relation, a.Type)
			}
			if seen[a.Relation]++; seen[a.Relation] > 1 && !known.Multiple {
				t.Errorf("%s: attribute %s is there twice", o.Name, a.Relation)
			}
			if len(known.Default) > 0 && !slices.Contains(known.Default, a.Value) {
				t.Errorf("%s: %s is not one of the template's values", o.Name, a.Relation)
			}
			if a.Relation == "token" || a.Relation == "phone" {
				t.Errorf("%s fills %s", o.Name, a.Relation)
			}
		}
		for _, r := range d.Required {
			if seen[r] == 0 {
				t.Errorf("%s lacks %s", o.Name, r)
			}
		}
		if len(d.RequiredOneOf) > 0 && !slices.ContainsFunc(d.RequiredOneOf, func(r string) bool { return seen[r] > 0 }) {
			t.Errorf("%s has none of %v", o.Name, d.RequiredOneOf)
		}
	}
	if names["telegram-bot"] != 1 || names["instant-message-group"] != 1 || names["chat-message"] != 3 || doc.Event.Tag[0].Name != "tlp:amber+strict" || doc.Event.Distribution != "0" {
		t.Errorf("the event has %v, tag %v", names, doc.Event.Tag)
	}
}

// Whatever a title holds: every format stays valid, marked and inert.
func TestNoAttackActs(t *testing.T) {
	all := schemas(t)
	for _, a := range fixtures.Attacks() {
		t.Run(a.Name, func(t *testing.T) {
			c := example(evidence.Caption(a.Text, 200)) // as titles come from the store
			c.Items[0].Source.Title, c.Items[0].Masked, c.Case.Title = a.Text, a.Text, a.Text
			for _, format := range exchange.Formats() {
				for _, f := range export(t, c, format) {
					if !strings.Contains(strings.ToUpper(string(f.Content)), "TLP:AMBER+STRICT") {
						t.Errorf("%s carries no label", f.Name)
					}
					if strings.ContainsFunc(string(f.Content), func(r rune) bool {
						return r != '\n' && unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
					}) {
						t.Errorf("%s has control characters", f.Name)
					}
					if strings.Contains(string(f.Content), "token-of-a-person") {
						t.Errorf("%s links people by their tokens", f.Name)
					}
					if s := all[format]; s != nil {
						if err := s.Validate(parsed(t, f.Content)); err != nil {
							t.Errorf("%s: %v", f.Name, err)
						}
					}
					if strings.HasSuffix(f.Type, "json") && bytes.Contains(f.Content, []byte("<")) {
						t.Errorf("%s holds a tag that a page would take", f.Name)
					}
				}
			}
			rows, err := csv.NewReader(bytes.NewReader(export(t, c, "csv")[0].Content)).ReadAll()
			if err != nil || len(rows) != 4 {
				t.Fatalf("CSV has %d rows: %v", len(rows), err)
			}
			for _, row := range rows {
				for _, cell := range row {
					if strings.IndexAny(strings.TrimSpace(cell), "=+-@＝＋－＠") == 0 {
						t.Errorf("the cell %q is a formula", cell)
					}
				}
			}
			lines := bytes.Split(bytes.TrimSpace(export(t, c, "ndjson")[0].Content), []byte("\n"))
			if len(lines) != 6 {
				t.Errorf("NDJSON has %d lines", len(lines))
			}
			for _, line := range lines {
				var v struct{ Type string }
				if err := json.Unmarshal(line, &v); err != nil || v.Type == "" {
					t.Errorf("%v: %s", err, line)
				}
			}
		})
	}
}

func TestExportsAreTheSameAndRefuse(t *testing.T) {
	for _, format := range exchange.Formats() {
		a, b := export(t, example("Leaks"), format), export(t, example("Leaks"), format)
		for i := range a {
			if !bytes.Equal(a[i].Content, b[i].Content) {
				t.Errorf("%s differs from run to run", a[i].Name)
			}
		}
	}
	if _, err := example("Leaks").Export("iodef\x1b"); !errors.Is(err, exchange.ErrNoFormat) || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("got %v", err)
	}
	private := example("Leaks")
	private.Items = private.Items[:1]
	private.Items[0].Source.Username = ""
	if _, err := private.Export("xarf"); err == nil || !strings.Contains(err.Error(), "no public source") {
		t.Errorf("a private source: %v", err)
	}
	for name, change := range map[string]func(*exchange.Case){
		"no finding":   func(c *exchange.Case) { c.Items = nil },
		"organisation": func(c *exchange.Case) { c.Organisation.Email = "" },
	} {
		c := example("Leaks")
		change(&c)
		if _, err := c.Export("stix"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
