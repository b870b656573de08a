package scanner

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// Profile reads what a bot says of itself, without writing to it.
func (s *Scanner) Profile(ctx context.Context, ref string) (evidence.BotProfile, error) {
	name, err := parseRef(ref)
	if err != nil {
		return evidence.BotProfile{}, err
	}
	var p evidence.BotProfile
	err = s.signedIn(ctx, link{}, func(ctx context.Context, client *telegram.Client, _ *tg.User) error {
		source, err := s.resolve(ctx, client.API(), name)
		if err != nil {
			return err
		}
		if source.Kind != evidence.Bot {
			return fmt.Errorf("@%s is a %s, not a bot", name, source.Kind)
		}
		p, err = profile(ctx, client.API(), source)
		return err
	})
	return p, err
}

// ProfileCalls names the methods that Profile asks Telegram with; a name need not
// be looked up again.
func ProfileCalls(ref string) ([]string, error) {
	_, err := parseRef(ref)
	return []string{"contacts.resolveUsername", "users.getFullUser"}, err
}

func profile(ctx context.Context, api *tg.Client, source evidence.Source) (evidence.BotProfile, error) {
	full, err := api.UsersGetFullUser(ctx, &tg.InputUser{UserID: source.PeerID, AccessHash: source.AccessHash})
	if err != nil {
		return evidence.BotProfile{}, fmt.Errorf("reading the profile of @%s: %w", source.Username, err)
	}
	p := evidence.BotProfile{
		SourceID: source.ID, Username: source.Username, About: evidence.Caption(full.FullUser.About, 400), Commands: []evidence.BotCommand{}, At: time.Now().UTC(),
	}
	for _, user := range full.Users {
		if u, ok := user.(*tg.User); ok && u.ID == source.PeerID {
			p.Name = evidence.Caption(strings.TrimSpace(u.FirstName+" "+u.LastName), 120)
			p.Verified, p.Scam, p.Fake, p.Restricted = u.Verified, u.Scam, u.Fake, u.Restricted
		}
	}
	info := full.FullUser.BotInfo
	p.Description = evidence.Caption(info.Description, 600)
	for _, c := range info.Commands {
		p.Commands = append(p.Commands, evidence.BotCommand{Command: evidence.Caption(c.Command, 40), Description: evidence.Caption(c.Description, 120)})
	}
	if menu, ok := info.MenuButton.(*tg.BotMenuButton); ok {
		p.Menu = evidence.Caption(menu.Text+" "+menu.URL, 200)
	}
	return p, nil
}

// ProbeOptions say what is sent to which bot, and who allowed it.
type ProbeOptions struct {
	Bot           evidence.Source
	Canary        evidence.Canary
	Value         evidence.Text // the canary's value, sent as it is
	Authorisation evidence.Authorisation
	Note          string        // goes into the collection record: ids, no values
	Settle        time.Duration // how long the bot must be silent to be done; 0: 10 seconds
	AtMost        time.Duration // how long to wait in all; 0: 2 minutes
}

// Probe sends a canary to a bot, once, and records what it answers until it is
// silent. The canary's token is the caller's to check; that the canary and the
// authorisation hold for this bot now is checked here too, before anything is
// sent. It returns how many messages came back; ErrUnsent: the canary certainly was
// not sent.
func (s *Scanner) Probe(ctx context.Context, o ProbeOptions) (replies int, err error) {
	sent := false // or may be
	defer func() {
		if err != nil && !sent {
			err = unsent{err}
		}
	}()
	now := time.Now()
	if err := errors.Join(o.Canary.MaySend(o.Bot.Username, now), o.Authorisation.Holds(now)); err != nil {
		return 0, err
	}
	if o.Authorisation.Canary != o.Canary.ID || o.Bot.Kind != evidence.Bot {
		return 0, fmt.Errorf("authorisation %s is for canary %s and a bot: %w", o.Authorisation.ID, o.Authorisation.Canary, ErrNotAllowed)
	}
	if o.Settle <= 0 {
		o.Settle = 10 * time.Second
	}
	if o.AtMost <= 0 {
		o.AtMost = 2 * time.Minute
	}
	r, err := s.newRun(ctx, []evidence.Source{o.Bot})
	if err != nil {
		return 0, err
	}
	err = r.recording(ctx, func() error {
		return s.signedIn(ctx, link{}, func(ctx context.Context, client *telegram.Client, self *tg.User) error {
			if err := r.begin(ctx, client, self); err != nil {
				return err
			}
			w := r.sources[o.Bot.ID]
			base, err := r.latest(ctx, w)
			if err != nil {
				return fmt.Errorf("reading @%s: %w", o.Bot.Username, err)
			}
			err = r.send(ctx, w, o)
			if sent = !errors.Is(err, ErrUnsent); err != nil {
				return err
			}
			if replies, err = r.answers(ctx, w, o, base); err != nil {
				return err
			}
			return r.record.settle("") // files are fetched while there is a connection
		})
	})
	return replies, err
}

// latest is the id of a dialog's last message, 0 where there is none.
func (r *run) latest(ctx context.Context, w *watched) (int64, error) {
	p, err := r.page(ctx, w, 0, 0, 1)
	if err != nil || len(p.messages) == 0 {
		return 0, err
	}
	return int64(p.messages[0].GetID()), nil
}

// send sends the canary.
func (r *run) send(ctx context.Context, w *watched, o ProbeOptions) error {
	var id [8]byte
	_, _ = rand.Read(id[:])
	_, err := r.api.MessagesSendMessage(authorised(ctx, o.Authorisation, o.Value), &tg.MessagesSendMessageRequest{
		Peer: w.peer(), Message: o.Value.Reveal(), RandomID: int64(binary.LittleEndian.Uint64(id[:])), //nolint:gosec // any number will do
	})
	switch {
	case tgerr.Is(err, "USER_IS_BLOCKED", "YOU_BLOCKED_USER"):
		return fmt.Errorf("@%s: the account and the bot are blocked from each other: %w", o.Bot.Username, err)
	case err != nil:
		return fmt.Errorf("sending the canary to @%s: %w", o.Bot.Username, err)
	}
	return nil
}

// answers records what the bot says after a message until it is silent.
func (r *run) answers(ctx context.Context, w *watched, o ProbeOptions, base int64) (replies int, err error) {
	seen := map[int]uint64{}
	for began, last := time.Now(), time.Now(); time.Since(last) < o.Settle && time.Since(began) < o.AtMost; {
		p, err := r.page(ctx, w, 0, base, pageSize)
		if err != nil {
			return replies, fmt.Errorf("reading the answer of @%s: %w", o.Bot.Username, err)
		}
		if err := r.vanished(w, seen, p); err != nil {
			return replies, err
		}
		fresh := p
		fresh.messages, fresh.request = nil, o.Note+"; "+p.request
		for _, m := range p.messages {
			print := r.print(m)
			if seen[m.GetID()] == print {
				continue
			}
			if full, ok := m.(*tg.Message); ok && !full.Out && seen[m.GetID()] == 0 {
				replies++
			}
			seen[m.GetID()] = print
			fresh.messages = append(fresh.messages, m)
		}
		if len(fresh.messages) > 0 {
			last = time.Now()
			whole := evidence.Range{Lo: base + 1, Hi: int64(p.messages[0].GetID())}
			if len(p.messages) == pageSize { // what is before them, watch reads
				whole.Lo = int64(p.messages[len(p.messages)-1].GetID())
			}
			if err := r.take(w, fresh, evidence.Poll, whole); err != nil {
				return replies, err
			}
		}
		select {
		case <-ctx.Done():
			return replies, context.Cause(ctx)
		case <-time.After(min(o.Settle/4, 2*time.Second)):
		}
	}
	return replies, nil
}

// vanished records what was taken back after it was seen: what the page should
// hold and does not.
func (r *run) vanished(w *watched, seen map[int]uint64, p page) error {
	there := make(map[int]bool, len(p.messages))
	for _, m := range p.messages {
		there[m.GetID()] = true
	}
	w.mu.Lock()
	for _, id := range w.unreadable { // it is there, and cannot be decoded
		there[int(id)] = true
	}
	w.mu.Unlock()
	oldest := math.MaxInt32 // a full page on which nothing can be read says nothing
	if n := len(p.messages); len(p.messages)+p.passed < pageSize {
		oldest = 0
	} else if n > 0 {
		oldest = p.messages[n-1].GetID()
	}
	var gone []int
	for id := range seen {
		if !there[id] && id > oldest {
			gone = append(gone, id)
			delete(seen, id)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	slices.Sort(gone)
	return r.deleted(w, gone)
}
