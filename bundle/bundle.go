// Package bundle builds and verifies evidence bundles: folders that a court, a
// regulator or an opposing expert can check with sha256sum and ssh-keygen
// alone. A bundle is a BagIt bag (RFC 8493) whose tag manifest is signed
// (SSHSIG); the raw messages inside are sealed (age).
package bundle

import (
	"errors"
	"fmt"
	"iter"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"prahari/evidence"
	"prahari/tsa"
)

// ErrBroken says that a bundle is not what was signed: something in it was
// changed, added, removed or replaced. Verify's Report tells what.
var ErrBroken = errors.New("the bundle does not verify")

// ErrNotBundle says that a folder is no bundle, or is not there.
var ErrNotBundle = errors.New("not an evidence bundle")

// ErrExists says that a bundle of this name is already there. Nothing was
// touched.
var ErrExists = errors.New("a bundle of this name exists already")

// ErrLeak says that the leak gate refused an export. The error is a *LeakError.
var ErrLeak = errors.New("the leak gate refused the export")

// DefaultTLP is the label of everything that holds victims' data.
const DefaultTLP = "TLP:AMBER+STRICT"

// Organisation is who collects and answers for the bundle.
type Organisation struct {
	Name    string // as printed
	Domain  string // "example.org": names the signature's namespace
	Contact string // a person
	Email   string
}

// Input is all that goes into a bundle. Nothing in it is plaintext: texts are
// masked, raw bytes are sealed.
type Input struct {
	Case evidence.Case // required

	// Items yields the case's evidence with its sealed bytes, each once, in rising
	// order of posting and id. It is read once, in a goroutine of its own, and
	// streamed: no more than a few items are held.
	Items iter.Seq2[evidence.Evidence, error] // required

	// Custody yields the workspace's log entries that concern the case in rising
	// order of Seq, with the workspace's Seq and Prev; the bundle re-chains them
	// and keeps place, digest and predecessor of the workspace's line in log_seq,
	// log_sha256 and log_prev.
	Custody iter.Seq2[evidence.Entry, error] // required
	Log     Log                              // required: proves that the entries are in it

	Sources        []evidence.Source   // what coverage speaks of
	Observed       []evidence.Observed // of those sources
	Gaps           []evidence.Gap
	Changes        []evidence.Change   // of those sources, oldest first
	Deletions      []evidence.Deletion // in those sources
	Sightings      []evidence.Sighting // later looks at the items' messages
	Authorisations []evidence.Authorisation
	Notices        []evidence.Notice

	Organisation Organisation     // Name and Domain required
	Operator     string           // who exports: "analyst:a1"
	Tool         evidence.Tool    // that exports
	Host         evidence.Host    // that exports
	Clock        evidence.Clock   // of the exporting host
	Build        *debug.BuildInfo // lists the program's modules; nil: left out

	Further []Further // files that others made of the case

	Profile     Profile         // for whom it is; "": ForCourt
	Tender      Tender          // which set of digests the certificate's draft is about
	Seq         int             // of the case's bundles, from 1
	Prev        string          // SHA-256 of the previous bundle's tagmanifest, "" for the first
	At          time.Time       // required; kept to the second
	Signer      *Signer         // required
	Authorities []tsa.Authority // time-stamp the bundle; one that fails is named in it
	TSA         tsa.Client
	TLP         string      // "": DefaultTLP
	Gate        Gate        // required: looks for unmasked identifiers in every open file
	Allow       []Allowed   // what the gate may find, named in the report
	Archive     ArchiveKind // also write it as one file beside the folder
	NoFolder    bool        // write the archive alone

	// Progress, where set, hears how many items are written.
	Progress func(items int)
}

// A Log is the workspace's custody log as a bundle needs it.
type Log struct {
	Key        string          // its public key: "name+hash+key"
	Checkpoint []byte          // signed with that key, of a log that holds all of Custody
	Tree       tlog.HashReader // its stored hashes
	Stamps     []LogStamp      // of earlier checkpoints; those that cover the case's lines first are taken
}

// An Allowed is a text that may stand in open files although the gate finds it:
// the organisation's own contact line. Every one is named in the report.
type Allowed struct {
	Text     string `json:"text"`
	Reason   string `json:"reason"`
	Approver string `json:"approver"`
}

// A Further is a file that another part of the program made of the case: a
// machine format, a page for readers. It passes the leak gate as all open files.
type Further struct {
	Path  string // below data/machine/, data/custody/, data/report/, data/certificate/ or data/notices/
	Data  []byte
	Least Profile // the least profile that holds it; "": all
}

func (f Further) check() error {
	for _, dir := range []string{"machine", "custody", "report", "certificate", "notices"} {
		if rest, ok := strings.CutPrefix(f.Path, "data/"+dir+"/"); ok && rest != "" {
			return nil
		}
	}
	return fmt.Errorf("%q is not a place for a further file of a bundle", f.Path)
}

// Result names what Build made.
type Result struct {
	Name              string    `json:"bundle"`
	Profile           Profile   `json:"profile"`
	Dir               string    `json:"dir,omitempty"`     // of the folder, unless only the archive was asked for
	Archive           string    `json:"archive,omitempty"` // path of the archive, where asked for
	TagManifestSHA256 string    `json:"tagmanifest_sha256"`
	ArchiveSHA256     string    `json:"archive_sha256,omitempty"`
	CustodyHead       string    `json:"custody_head"`
	SignerFingerprint string    `json:"signer_fingerprint"`
	Stamps            []Stamped `json:"stamps"`
	Unstamped         []string  `json:"unstamped"` // why an authority gave none
	Items             int       `json:"items"`
	Files             int       `json:"files"`
	Bytes             int64     `json:"bytes"` // of the payload
}

// Name returns the bundle's name, which is also its folder's:
// EB-CASE0001-0001-20261120T062200Z.
func Name(caseID string, seq int, at time.Time) string {
	return fmt.Sprintf("EB-%s-%04d-%s", caseID, seq, at.UTC().Format("20060102T150405Z"))
}

// Namespace returns the signature's namespace of an organisation's domain.
// Signatures made for another purpose have another one.
func Namespace(domain string) string { return "evidence-bundle@" + domain }

// AttestNamespace is that of the signature over what stands beside the bag: its
// time stamps and the first signature.
func AttestNamespace(domain string) string { return "evidence-attest@" + domain }

// Identity returns the signer's name in allowed_signers.
func Identity(domain string) string { return "collector@" + domain }

// Each yields the elements of a slice, for Items and Custody.
func Each[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, one := range all {
			if !yield(one, nil) {
				return
			}
		}
	}
}

var (
	plainName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,79}$`)
	hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)
	domainRE  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
)

// check finds what Build cannot work with.
func (in *Input) check() error {
	switch {
	case in.Items == nil || in.Custody == nil:
		return errors.New("bundle: Items and Custody are required")
	case in.Log.Tree == nil:
		return errors.New("bundle: Log is required")
	case in.Signer == nil:
		return errors.New("bundle: a Signer is required")
	case in.Gate == nil:
		return errors.New("bundle: a Gate is required")
	case in.At.IsZero():
		return errors.New("bundle: At is required")
	case in.Seq < 1 || in.Seq > 9999:
		return fmt.Errorf("bundle number %d is not between 1 and 9999", in.Seq)
	case !slices.Contains(Profiles(), in.Profile):
		return errors.New("the bundle's profile is not one of platform, regulator and court")
	case in.Archive != NoArchive && in.Archive != Tar && in.Archive != Zip:
		return errors.New("a bundle's archive is a tar or a zip")
	case in.NoFolder && in.Archive == NoArchive:
		return errors.New("a bundle without its folder has to be a tar or a zip")
	case in.Tender != TenderOpen && in.Tender != TenderRedacted && in.Tender != TenderOriginals:
		return errors.New("what a certificate tenders is the redacted exhibits or the originals")
	case slices.ContainsFunc(in.Allow, func(a Allowed) bool { return blank(a.Text) || blank(a.Reason) || blank(a.Approver) }):
		return errors.New("an exception from the leak gate needs its text, a reason and who approved it")
	case !plainName.MatchString(in.Case.ID):
		return errors.New("the case's id is not letters, digits, dot, hyphen and underscore")
	case blank(in.Organisation.Name):
		return errors.New("the organisation has no name: a bundle says who made it")
	case !domainRE.MatchString(in.Organisation.Domain):
		return errors.New("the organisation's domain is not one such as example.org: it names the signature")
	case in.Prev != "" && !hexSHA256.MatchString(in.Prev):
		return errors.New("the previous bundle's digest is not 64 hex digits")
	}
	return checkAuthorities(in.Authorities)
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
