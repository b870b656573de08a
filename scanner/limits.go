package scanner

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// ErrLimit says that the account is at one of the limits that prahari keeps to.
var ErrLimit = errors.New("the account is at a limit")

// A Limit is what Telegram allows an account, with how sure that is.
type Limit struct {
	ID         string `yaml:"id" json:"limit"`
	Title      string `yaml:"title" json:"title"`
	Value      int    `yaml:"value" json:"value"`
	Premium    int    `yaml:"premium" json:"premium"` // of an account with Telegram Premium
	Source     string `yaml:"source" json:"source"`
	Confidence string `yaml:"confidence" json:"confidence"`
	VerifiedOn string `yaml:"verified_on" json:"verified_on"`
	Note       string `yaml:"note" json:"note,omitempty"`
}

// Limits that are kept to.
const (
	JoinedChannels  = "joined_channels"
	UsernameLookups = "username_lookups"
)

//go:embed limits.yaml
var limitsFile []byte

// Limits reads the data file of limits, with other values where set names them.
func Limits(set map[string]int) ([]Limit, error) {
	var file struct {
		Limits []Limit `yaml:"limits"`
	}
	if err := yaml.NewDecoder(bytes.NewReader(limitsFile), yaml.Strict()).Decode(&file); err != nil {
		return nil, fmt.Errorf("limits.yaml: %s", yaml.FormatError(err, false, true))
	}
	known := map[string]bool{}
	for i, l := range file.Limits {
		known[l.ID] = true
		if v, ok := set[l.ID]; ok {
			if v < 1 {
				return nil, fmt.Errorf("limits.%s is %d: it must be 1 or more", l.ID, v)
			}
			file.Limits[i].Value, file.Limits[i].Premium, file.Limits[i].Source, file.Limits[i].Confidence = v, v, "prahari.yaml", "set by you"
		}
	}
	for id := range set {
		if !known[id] {
			return nil, fmt.Errorf("limits.%s: there is no such limit; 'prahari account limits' lists them", evidence.Caption(id, 40))
		}
	}
	return file.Limits, nil
}

// Of returns the value for an account.
func (l Limit) Of(premium bool) int {
	if premium {
		return l.Premium
	}
	return l.Value
}

// A Directory keeps what each account looked up by name; store.DB is one.
type Directory interface {
	// Peer returns what an account found under a name, in lower case.
	Peer(ctx context.Context, account, name string) (evidence.Peer, bool, error)
	// PutPeer keeps what an account found under a name.
	PutPeer(ctx context.Context, p evidence.Peer) error
	// CountLookup counts a look-up, unless the account made so many within a day: ok
	// is false then, and free says when the next may be made.
	CountLookup(ctx context.Context, account, name string, limit int) (free time.Time, ok bool, err error)
}

// lookup asks Telegram who has a name. It counts, and refuses past the limit.
func (s *Scanner) lookup(ctx context.Context, api *tg.Client, name string) (*tg.ContactsResolvedPeer, error) {
	if d := s.config.Directory; d != nil {
		limit := s.config.LookupsPerDay
		free, ok, err := d.CountLookup(ctx, s.config.Account, name, limit)
		if err != nil {
			return nil, fmt.Errorf("counting look-ups: %w", err)
		}
		if !ok {
			return nil, fmt.Errorf("account %s looked up %d names within 24 hours: %w; the next is possible from %s on: wait, use another account, or raise limits.%s in prahari.yaml",
				s.config.Account, limit, ErrLimit, free.UTC().Format("2006-01-02 15:04Z"), UsernameLookups)
		}
	}
	answer, err := api.ContactsResolveUsername(ctx, &tg.ContactsResolveUsernameRequest{Username: name})
	if err != nil {
		return nil, err
	}
	return answer, s.keep(ctx, name, answer)
}

// known looks at what the account found under a name before, by its id and access
// hash. ok is false where the name must be looked up, because it never was, or is
// another's now.
func (s *Scanner) known(ctx context.Context, api *tg.Client, name string) (source evidence.Source, ok bool, err error) {
	d := s.config.Directory
	if d == nil {
		return source, false, nil
	}
	p, found, err := d.Peer(ctx, s.config.Account, name)
	if err != nil || !found {
		return source, false, err
	}
	if p.Kind == evidence.Bot {
		full, err := api.UsersGetFullUser(ctx, &tg.InputUser{UserID: p.PeerID, AccessHash: p.AccessHash})
		if _, refused := tgerr.As(err); refused {
			return source, false, nil
		}
		if err != nil {
			return source, false, fmt.Errorf("looking at @%s: %w", name, err)
		}
		for _, class := range full.Users {
			if u, is := class.(*tg.User); is && u.ID == p.PeerID && hasName(name, u.Username, u.Usernames) {
				source, err = botSource(name, u, full.FullUser.About)
				return source, err == nil, err
			}
		}
		return source, false, nil
	}
	full, err := api.ChannelsGetFullChannel(ctx, &tg.InputChannel{ChannelID: p.PeerID, AccessHash: p.AccessHash})
	if lost(err) {
		return source, false, nil
	}
	if err != nil {
		return source, false, fmt.Errorf("looking at @%s: %w", name, err)
	}
	for _, class := range full.Chats {
		if c, is := class.(*tg.Channel); is && c.ID == p.PeerID && hasName(name, c.Username, c.Usernames) {
			return channelSource(name, c, full), true, nil
		}
	}
	return source, false, nil
}

// keep remembers what a name was found to be.
func (s *Scanner) keep(ctx context.Context, name string, answer *tg.ContactsResolvedPeer) error {
	if s.config.Directory == nil {
		return nil
	}
	p := evidence.Peer{Account: s.config.Account, Name: name, PeerID: peerID(answer.Peer), At: s.config.Now()}
	for _, chat := range answer.Chats {
		if c, ok := chat.(*tg.Channel); ok && c.ID == p.PeerID {
			p.Kind, p.AccessHash = evidence.Channel, c.AccessHash
		}
	}
	for _, user := range answer.Users {
		if u, ok := user.(*tg.User); ok && u.ID == p.PeerID {
			p.Kind, p.AccessHash = evidence.Bot, u.AccessHash
		}
	}
	if p.Kind == "" {
		return nil
	}
	if err := s.config.Directory.PutPeer(ctx, p); err != nil {
		return fmt.Errorf("keeping what @%s is: %w", name, err)
	}
	return nil
}
