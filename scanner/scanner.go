// Package scanner reads public Telegram channels, groups and bot dialogs over
// MTProto and hands what its finder finds to its keeper, as evidence. It writes
// nothing to Telegram, but for a sign-in, for joining a channel and for sending a
// bot a canary, where a recorded authorisation names channel or bot.
//
// Messages come in by history pages, by pushed updates and by polling, and take
// one way: found, made into evidence, queued, committed together with coverage
// and update state (record.go). Coverage is the cursor: what no committed range
// covers is read again, so a kill repeats work and loses none.
package scanner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"filippo.io/age"
	"github.com/gotd/td/crypto"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/tg"

	"prahari/evidence"
)

// Layer is the version of Telegram's API that this build speaks.
const Layer = tg.Layer

const library = "github.com/gotd/td"

// Library names the module that speaks to Telegram, with its version.
func Library() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == library {
				return m.Path + "@" + m.Version
			}
		}
	}
	return library
}

// Errors that a caller can act on. They come wrapped with what happened.
var (
	// ErrSignedOut says that the account has no valid session: sign in.
	ErrSignedOut = errors.New("not signed in to Telegram")
	// ErrBanned says that Telegram banned the account or revoked its session.
	ErrBanned = errors.New("the account is banned or its session was revoked")
	// ErrFloodWait says that Telegram asks for a longer wait than MaxFloodWait.
	ErrFloodWait = errors.New("rate-limited by Telegram")
	// ErrWrongCode says that the sign-in code is not the one Telegram sent.
	ErrWrongCode = errors.New("the code is wrong or has expired")
	// ErrWrongPassword says that the two-step verification failed.
	ErrWrongPassword = errors.New("the password of the two-step verification is wrong")
	// ErrPhoneUnknown says that no account has the number.
	ErrPhoneUnknown = errors.New("no Telegram account has this number")
	// ErrSourceUnknown says that nothing has the name.
	ErrSourceUnknown = errors.New("nobody has this name on Telegram")
	// ErrSourcePrivate says that the source cannot be read without an invitation.
	ErrSourcePrivate = errors.New("the source is private")
	// ErrNotAllowed says that a method would write to Telegram without a recorded
	// authorisation.
	ErrNotAllowed = errors.New("method refused: it is not on the read-only list and no authorisation names it")
	// ErrUnsent says of a write that certainly nothing was written.
	ErrUnsent = errors.New("nothing was sent")
	// ErrUnreachable says that no data centre answered.
	ErrUnreachable = errors.New("no answer from Telegram")
)

// A Finder finds identifiers and findings in a text; matcher.Matcher is one.
type Finder interface {
	Find(text string, kind evidence.SourceKind) evidence.Result
}

// A Keeper keeps what a scanner sees; store.DB is one.
type Keeper interface {
	// Commit keeps a batch in one transaction, and returns of its evidence what was
	// not kept before.
	Commit(ctx context.Context, b evidence.Batch) ([]evidence.Evidence, error)
	// UpdateState returns an account's place in Telegram's stream of updates.
	UpdateState(ctx context.Context, account string) (evidence.UpdateState, []evidence.ChannelState, bool, error)
	// Heard returns by source how far updates told an account of it.
	Heard(ctx context.Context, account string) (map[string]evidence.Heard, error)
	// Coverage lists what was observed of a source, or of all for "".
	Coverage(ctx context.Context, sourceID string) ([]evidence.Observed, error)
	// Versions lists what is kept of a message.
	Versions(ctx context.Context, sourceID string, messageID int64) ([]evidence.Evidence, error)
}

// A Server is a data centre that is not one of Telegram's own.
type Server struct {
	DC      int
	Address string // host:port
}

// Config configures a Scanner. Login, Resolve and Join need neither Finder nor
// Maker.
type Config struct {
	Account     string // label
	APIID       int
	APIHash     string
	SessionPath string
	SessionKey  *age.X25519Identity // seals the session's file; nil: it is kept as it is
	DC          int                 // the first data centre to call, with Servers and PublicKeys; 0: Telegram's own
	Servers     []Server            // none: Telegram's own
	PublicKeys  [][]byte            // PEM; none: Telegram's own
	Proxy       Proxy               // zero: none
	Keeper      Keeper
	Directory   Directory // nil: names are looked up each time, and not counted
	Finder      Finder
	Maker       *evidence.Maker
	Events      func(Event) // may be nil; is called from many goroutines, one at a time
	Log         *slog.Logger
	AppVersion  string
	Now         func() time.Time // the machine's clock; nil: time.Now

	MaxFloodWait    time.Duration            // longer waits end the work; 0: 10 minutes
	FloodWaits      map[string]time.Duration // instead of MaxFloodWait, for single methods
	PeerFloodRest   time.Duration            // how long nothing is written after PEER_FLOOD; 0: a day
	Waits           []evidence.Wait          // that Telegram asked for before, as Resting and Waiting events told
	PollInterval    time.Duration            // least time between looks at a source read without joining; 0: 1 minute
	MaxPollInterval time.Duration            // the most, for one that is silent; 0: 6 hours
	LookupsPerDay   int                      // of names by the account; 0: as limits.yaml says
	PollsPerMinute  int                      // looks of the account at all such sources; 0: 30
	ConnectTimeout  time.Duration            // for the first answer; 0: 30 seconds
	MaxMedia        int64                    // bytes fetched of a message's files, MaxMedia at most; 0: MaxMedia; below: none
	MediaTime       time.Duration            // for the files of one message; 0: 10 seconds
}

// An EventKind says what an Event tells.
type EventKind string

// Kinds of event.
const (
	Connected    EventKind = "connected"    // the data centre answers
	Disconnected EventKind = "disconnected" // the connection broke; it is made anew
	Waiting      EventKind = "flood_wait"   // Telegram asked to wait, and the call waits
	Resting      EventKind = "rest"         // Telegram asked for more than the pace allows: the method is not called
	Reading      EventKind = "reading"      // a page of history was read: Done of Total message ids
	CaughtUp     EventKind = "caught_up"    // the history of a source is read
	Watching     EventKind = "watching"     // all histories are read, updates are coming in
	Found        EventKind = "finding"      // a finding is recorded
	Missed       EventKind = "gap"          // messages were missed and are read from history
	Inaccessible EventKind = "inaccessible" // a source can no longer be read
	Regained     EventKind = "regained"     // it can be read again
	Changed      EventKind = "changed"      // a source has another title, name, state: Change says which
	Deleted      EventKind = "deleted"      // messages were deleted at the source
	Unreadable   EventKind = "unreadable"   // of messages Done to Total something could not be looked at: Detail says what
)

// An Event tells of the work. Nothing in it is plaintext.
type Event struct {
	Kind        EventKind
	Source      evidence.Source
	Done, Total int64
	Wait        time.Duration
	Until       evidence.Wait // of Waiting and Resting
	Method      string
	Detail      string
	Evidence    *evidence.Evidence // of a finding
	Change      *evidence.Change   // of a source
}

// A Scanner reads through one account.
type Scanner struct {
	config Config
	keys   []telegram.PublicKey
	guard  *guard
	events eventSink
	meter  meter

	matches atomic.Int64
}

// New checks the configuration. It does no I/O.
func New(c Config) (*Scanner, error) {
	if c.APIID == 0 || c.APIHash == "" {
		return nil, errors.New("api_id and api_hash are missing: take them from https://my.telegram.org")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.PollInterval <= 0 {
		c.PollInterval = time.Minute
	}
	if c.MaxPollInterval <= 0 {
		c.MaxPollInterval = 6 * time.Hour
	}
	c.MaxPollInterval = max(c.MaxPollInterval, c.PollInterval)
	if c.LookupsPerDay <= 0 {
		limits, err := Limits(nil)
		if err != nil {
			return nil, err
		}
		for _, l := range limits {
			if l.ID == UsernameLookups {
				c.LookupsPerDay = l.Value
			}
		}
	}
	if c.PollsPerMinute <= 0 {
		c.PollsPerMinute = 30
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = 30 * time.Second
	}
	if c.MaxMedia == 0 || c.MaxMedia > MaxMedia {
		c.MaxMedia = MaxMedia
	}
	if c.MediaTime <= 0 {
		// Less than a connection may be without an answer: a file that does not come
		// holds the reading up for so long at most.
		c.MediaTime = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Scanner{config: c}
	for _, pem := range c.PublicKeys {
		keys, err := crypto.ParseRSAPublicKeys(pem)
		if err != nil || len(keys) == 0 {
			return nil, fmt.Errorf("the data centre's public key is not an RSA key in PEM: %w", errors.Join(err, errors.ErrUnsupported))
		}
		for _, k := range keys {
			s.keys = append(s.keys, telegram.PublicKey{RSA: k})
		}
	}
	s.meter.stats = Stats{Since: time.Now(), Messages: map[evidence.Origin]int64{}, FloodWaits: map[string]int64{}}
	s.events.to = func(e Event) {
		s.meter.event(e)
		if c.Events != nil {
			c.Events(e)
		}
	}
	pace, err := newPace(c.MaxFloodWait, c.FloodWaits, c.PeerFloodRest)
	if err != nil {
		return nil, err
	}
	s.guard = newGuard(c.Account, pace, c.Waits, s.events.send)
	return s, nil
}

// Calls returns how often each method was called.
func (s *Scanner) Calls() map[string]int { return s.guard.counts() }
