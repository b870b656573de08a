package bundle

import (
	"fmt"
	"slices"
	"strings"
)

// A Profile says for whom a bundle is, and so how much of the case is in it.
type Profile string

// Profiles, from the least to the most. A platform gets what it needs to find
// and remove the items: addresses and a few masked samples. A regulator gets
// everything masked, with counts, coverage and custody. A court gets the sealed
// originals and the certificate's drafts too.
const (
	ForPlatform  Profile = "platform"
	ForRegulator Profile = "regulator"
	ForCourt     Profile = "court"
)

// Profiles lists them, the least first.
func Profiles() []Profile { return []Profile{ForPlatform, ForRegulator, ForCourt} }

// ParseProfile reads a profile's name.
func ParseProfile(s string) (Profile, error) {
	if p := Profile(s); slices.Contains(Profiles(), p) {
		return p, nil
	}
	return "", fmt.Errorf("a profile is one of platform, regulator and court")
}

// A part is something of a case that not every profile holds.
type part int

const (
	allTexts        part = iota // masked text of every item, not of a few samples only
	identifiers                 // kinds and masks of each record's identifiers, reasons of findings
	counts                      // totals, and numbers of distinct values
	tokens                      // keyed tokens, which link equal values
	surroundings                // sender, forward, reply, views, attachments, what the source says of itself
	stateChecks                 // later looks at a message
	method                      // operator, program, clock and request of the collection
	collectorSelf               // account, its user id, host names
	commitments                 // digests of the containers under seal
	sealedOriginals             // the containers
	custodyLog
	coverageMap
	authorisations
	surroundingSystem // environment and SBOM
	certificateDrafts
	allNotices // not only those to the platform
)

// has is the matrix: the least profile that holds a part. docs/legal-guide.md
// shows it as a table.
func (p Profile) has(what part) bool {
	least := ForRegulator
	switch what {
	case tokens, collectorSelf, sealedOriginals, certificateDrafts:
		least = ForCourt
	}
	return p.atLeast(least)
}

func (p Profile) atLeast(least Profile) bool {
	return slices.Index(Profiles(), p) >= slices.Index(Profiles(), least)
}

// platformSamples is how many items show their masked text to a platform: as
// many samples as an XARF report may carry.
const platformSamples = 5

// toPlatform reports whether a kind of notice goes to the platform itself.
func toPlatform(kind string) bool { return strings.HasPrefix(kind, "telegram") }

// parts names what the profile holds, for templates.
func (p Profile) parts() map[string]bool {
	return map[string]bool{
		"sealed": p.has(sealedOriginals), "commitments": p.has(commitments), "custody": p.has(custodyLog), "coverage": p.has(coverageMap),
		"authorization": p.has(authorisations), "environment": p.has(surroundingSystem), "certificate": p.has(certificateDrafts),
		"texts": p.has(allTexts),
	}
}
