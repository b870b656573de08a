package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"prahari/evidence"
	"prahari/exchange"
)

// Ids are hexadecimal digits that spell whatever chance wants. None of the many
// of a large case looks like a person's identifier to the leak gate.
func TestIdsOfExportsPassTheGate(t *testing.T) {
	c := exchange.Case{
		Case: evidence.Case{ID: "CASE0001", Title: "Leaks", OpenedAt: time.Unix(1e9, 0)}, At: time.Unix(1e9, 0), TLP: "TLP:AMBER+STRICT",
		Organisation: exchange.Organisation{Name: "Example", Email: "desk@example.org", Domain: "example.org"},
	}
	for i := range 300 {
		id := fmt.Sprintf("ev-%c%c", 'a'+i%26, 'a'+i/26)
		s := evidence.Source{ID: "channel-" + id, Kind: evidence.Channel, PeerID: int64(i + 1), Username: "leaks_" + id[3:], Title: "Leaks"}
		c.Items = append(c.Items, evidence.Evidence{
			ID: id, Source: s, MessageID: 7, URL: evidence.MessageURL(s, 7), PostedAt: time.Unix(1e9, 0), CapturedAt: time.Unix(1e9, 0),
			SealedSHA: evidence.Digest([]byte(id)), Findings: []evidence.Kept{{ID: "f-" + id, Title: "Record", Records: []evidence.KeptRecord{{}}}},
		})
	}
	for _, format := range exchange.Formats() {
		files, err := c.Export(format)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text := strings.ReplaceAll(string(f.Content), c.Organisation.Email, "")
			for _, m := range leaks(text) {
				t.Errorf("%s: %s looks like %s", f.Name, text[m.Start:m.End], m.Kind)
			}
		}
	}
}
