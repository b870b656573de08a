package evidence_test

import (
	"slices"
	"strings"
	"testing"

	"prahari/evidence"
)

func TestLeads(t *testing.T) {
	for text, want := range map[string][]string{
		"buy at https://t.me/Data_Shop/12 and t.me/s/mirror_ch":            {"link data_shop", "link mirror_ch"},
		"bot: https://t.me/lookup_bot?start=ref tg://resolve?domain=other": {"link lookup_bot", "link other"},
		"@First,@second and (@third). @fourth":                             {"mention first", "mention second", "mention third", "mention fourth"},
		"mail a.b@example.org or pay name@upibank":                         nil,
		"@domain.example is no name":                                       nil,
		"https://t.me/joinchat/AbCd https://t.me/+AbCd t.me/c/123/4":       nil,
		"https://example.org/@someone not t.me here":                       nil,
		"@user9812345678 holds a number":                                   nil,
		"@twice @Twice t.me/twice":                                         {"link twice"},
	} {
		var got []string
		for _, l := range evidence.Leads(text) {
			got = append(got, string(l.How)+" "+l.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if n := len(evidence.Leads(strings.Repeat("@name_", 1) + manyNames())); n > 50 {
		t.Errorf("%d leads from one message", n)
	}
}

func manyNames() string {
	var b strings.Builder
	for c := range 26 * 26 {
		b.WriteString(" @chan_" + string(rune('a'+c/26)) + string(rune('a'+c%26)))
	}
	return b.String()
}
