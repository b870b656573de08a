package scanner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// source returns what is known of a source now: title and names may change while
// it is watched, its id does not.
func (w *watched) source() evidence.Source {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// publicName is a channel's @name, "" where it has none. Of several it is the one
// that its owner may edit.
func publicName(c *tg.Channel) string {
	name := c.Username
	for _, u := range c.Usernames {
		if u.Active && (name == "" || u.Editable) {
			name = u.Username
		}
	}
	if !username.MatchString(name) {
		return ""
	}
	return name
}

// marks are how Telegram marks a channel.
func marks(c *tg.Channel) string {
	var all []string
	for mark, is := range map[string]bool{"fake": c.Fake, "scam": c.Scam, "verified": c.Verified} {
		if is {
			all = append(all, mark)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// restriction puts Telegram's reasons into one line: what is shown instead, to
// which programs.
func restriction(reasons []tg.RestrictionReason) string {
	var all []string
	for _, r := range reasons {
		all = append(all, fmt.Sprintf("%s (%s, %s)", r.Text, r.Reason, r.Platform))
	}
	return evidence.Caption(strings.Join(all, "; "), 300)
}

// An alteration is what an answer of Telegram changes of what is known.
type alteration struct {
	source  evidence.Source
	changes []evidence.Change
	at      time.Time
	pushed  bool
}

func (a *alteration) add(kind evidence.ChangeKind, was, now, detail string) {
	a.changes = append(a.changes, evidence.Change{
		SourceID: a.source.ID, Kind: kind, Was: was, Now: now, Detail: detail, Account: a.source.Account, At: a.at,
	})
	a.at = a.at.Add(time.Millisecond)
	switch kind {
	case evidence.Retitled, evidence.Renamed, evidence.NameTaken, evidence.Marked, evidence.Migrated:
	case evidence.Lifted, evidence.Readable:
		a.source.State = ""
	case evidence.Privatised:
		if a.source.Access != evidence.Joined { // a member reads on
			a.source.State = kind
		}
	default:
		a.source.State = kind
	}
}

func at(name string) string {
	if name == "" {
		return ""
	}
	return "@" + name
}

// alter lets change look at what is known of a source, and records what it
// changes. What was asked for before the last change is old, and says nothing.
func (r *run) alter(w *watched, asked time.Time, change func(*alteration)) error {
	w.mu.Lock()
	if asked.Before(w.alteredAt) {
		w.mu.Unlock()
		return nil
	}
	a := alteration{source: w.now, at: r.scanner.config.Now()}
	if a.at.Before(w.altered) { // so that they keep their order
		a.at = w.altered
	}
	change(&a)
	if len(a.changes) == 0 {
		w.mu.Unlock()
		return nil
	}
	before := w.now
	w.now, w.altered, w.alteredAt = a.source, a.at, time.Now()
	if before.Username != "" && before.Username != a.source.Username && !slices.ContainsFunc(a.changes, isTaken) {
		w.lostName = before.Username
	}
	w.mu.Unlock()
	if before.Username != a.source.Username {
		r.names.own(before.Username, a.source.Username, w)
	}
	w.nudge() // it may have to be read in another way, or its old name looked up
	return r.record.add(func(b *evidence.Batch) {
		b.Changes, b.Sources = append(b.Changes, a.changes...), append(b.Sources, a.source)
	})
}

func isTaken(c evidence.Change) bool { return c.Kind == evidence.NameTaken }

// wonder asks who has the name that a source no longer has: a name may be handed
// over, and what is posted under it then is another's.
func (r *run) wonder(ctx context.Context, w *watched) error {
	w.mu.Lock()
	name := w.lostName
	w.lostName = ""
	w.mu.Unlock()
	if name == "" {
		return nil
	}
	answer, err := r.scanner.lookup(ctx, r.api, name)
	if _, refused := tgerr.As(err); refused && !errors.Is(err, ErrFloodWait) || errors.Is(err, ErrLimit) {
		return nil // nobody has it, or it cannot be asked for today
	}
	if err != nil || peerID(answer.Peer) == w.PeerID {
		return err
	}
	return r.alter(w, time.Now(), func(a *alteration) { a.add(evidence.NameTaken, at(name), peerName(answer), "") })
}

// identify compares what came along with an answer or a push to what is known of
// the sources.
func (r *run) identify(chats []tg.ChatClass, asked time.Time, pushed bool) error {
	r.names.learn(chats)
	for _, chat := range chats {
		var err error
		switch c := chat.(type) {
		case *tg.Channel:
			if c.Min { // not all of it is told
				continue
			}
			if w := r.channels[c.ID]; w != nil {
				err = r.alter(w, asked, func(a *alteration) { a.pushed = pushed; a.compare(c) })
			}
			if w := r.names.owner(publicName(c)); err == nil && w != nil && w.PeerID != c.ID {
				err = r.alter(w, asked, func(a *alteration) { a.nameTaken(publicName(c), channelID(c)) })
			}
		case *tg.ChannelForbidden:
			if w := r.channels[c.ID]; w != nil {
				err = r.alter(w, asked, func(a *alteration) { a.forbidden(c) })
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func channelID(c *tg.Channel) string {
	if c.Megagroup {
		return sourceID(evidence.Group, c.ID)
	}
	return sourceID(evidence.Channel, c.ID)
}

// compare finds what a channel's own description changes.
func (a *alteration) compare(c *tg.Channel) {
	s := &a.source
	if title := evidence.Caption(c.Title, 120); title != s.Title && title != "" {
		a.add(evidence.Retitled, s.Title, title, "")
		s.Title = title
	}
	if name := publicName(c); s.Username == "" && name != "" || s.Username != "" && !hasName(s.Username, c.Username, c.Usernames) {
		was := s.Username
		s.Username = name
		if name == "" {
			a.add(evidence.Privatised, at(was), "", "")
		} else {
			a.add(evidence.Renamed, at(was), at(name), "")
			if s.State == evidence.Privatised {
				s.State = ""
			}
		}
	}
	if now := marks(c); now != s.Marks {
		a.add(evidence.Marked, s.Marks, now, "")
		s.Marks = now
	}
	switch restricted := c.Restricted && len(c.RestrictionReason) > 0; {
	case restricted && s.State != evidence.Restricted:
		a.add(evidence.Restricted, "", "", restriction(c.RestrictionReason))
	case !restricted && s.State == evidence.Restricted:
		a.add(evidence.Lifted, "", "", "")
	}
	if c.Left && s.Access == evidence.Joined { // it may be public, and is read without joining then
		s.Access = evidence.Public
		a.add(evidence.Expelled, "", "", "Telegram says that it left or was removed")
	} else if !c.Left && s.State == evidence.Expelled && !a.pushed { // pushes may overtake each other
		s.Access = evidence.Joined
		a.add(evidence.Readable, "", "", "the account is a member again")
	}
}

// migrated records from which basic group a supergroup came, at the time of the
// message that says so. Basic groups have no public name and are no sources; what
// was written in one stays under its own id.
func (r *run) migrated(w *watched, class tg.MessageClass) error {
	m, ok := class.(*tg.MessageService)
	if !ok {
		return nil
	}
	from, ok := m.Action.(*tg.MessageActionChannelMigrateFrom)
	if !ok {
		return nil
	}
	c := evidence.Change{
		SourceID: w.ID, Kind: evidence.Migrated, Was: fmt.Sprintf("chat-%d", from.ChatID), Now: w.ID, Detail: evidence.Caption(from.Title, 120),
		Account: w.Account, At: time.Unix(int64(m.Date), 0).UTC(),
	}
	return r.record.add(func(b *evidence.Batch) { b.Changes = append(b.Changes, c) })
}

func (a *alteration) forbidden(c *tg.ChannelForbidden) {
	if a.source.State == evidence.Barred {
		return
	}
	detail := "Telegram says that the channel is forbidden to it"
	if c.UntilDate > 0 {
		detail += ", until " + time.Unix(int64(c.UntilDate), 0).UTC().Format("2006-01-02 15:04Z")
	}
	a.add(evidence.Barred, "", "", detail)
}

func (a *alteration) nameTaken(name, by string) {
	if strings.EqualFold(a.source.Username, name) {
		a.add(evidence.NameTaken, at(a.source.Username), by, "")
		a.source.Username = ""
	}
}

// diagnose asks what has become of a source that cannot be read any more, and
// records it. What Telegram does not tell apart is told as what it is.
func (r *run) diagnose(ctx context.Context, w *watched, cause error) error {
	said := "Telegram says " + rpcType(cause)
	now := func(kind evidence.ChangeKind, detail string) error {
		return r.alter(w, time.Now(), func(a *alteration) {
			if a.source.State != kind {
				a.add(kind, at(a.source.Username), "", detail)
				a.source.State = kind
			}
		})
	}
	s := w.source()
	if w.Access == evidence.BotDialog {
		return now(evidence.Erased, said)
	}
	asked := time.Now()
	chats, err := r.api.ChannelsGetChannels(ctx, []tg.InputChannelClass{&tg.InputChannel{ChannelID: s.PeerID, AccessHash: s.AccessHash}})
	switch {
	case tgerr.Is(err, "CHANNEL_INVALID"):
		return now(evidence.Erased, "Telegram says that its id names nothing any more")
	case err == nil:
		if err := r.identify(chats.GetChats(), asked, false); err != nil {
			return err
		}
		for _, chat := range chats.GetChats() {
			if c, ok := chat.(*tg.Channel); ok && c.ID == s.PeerID && publicName(c) != "" {
				return now(evidence.Barred, said+", and it is public")
			}
		}
		if w.source().State.Lost() { // what came along said it
			return nil
		}
	case !lost(err):
		return err
	}
	gone := evidence.Privatised
	if s.Access == evidence.Joined || s.State == evidence.Expelled { // a member reads what is private
		gone = evidence.Expelled
	}
	if s.Username == "" {
		return now(gone, said)
	}
	answer, err := r.scanner.lookup(ctx, r.api, s.Username)
	switch {
	case tgerr.Is(err, "USERNAME_NOT_OCCUPIED", "USERNAME_INVALID"):
		return now(gone, said+", and its name is free: it is private, or gone")
	case err != nil && !lost(err):
		return now(gone, said) // who has the name now is not known
	case err == nil && peerID(answer.Peer) == s.PeerID:
		return now(evidence.Barred, said+", and its name is still its own")
	case err == nil:
		if err := r.alter(w, time.Now(), func(a *alteration) { a.nameTaken(s.Username, peerName(answer)) }); err != nil {
			return err
		}
	}
	return now(gone, said)
}

// peerName is the id of what a name belongs to, as sources have it.
func peerName(answer *tg.ContactsResolvedPeer) string {
	for _, chat := range answer.Chats {
		if c, ok := chat.(*tg.Channel); ok && c.ID == peerID(answer.Peer) {
			return channelID(c)
		}
	}
	if _, ok := answer.Peer.(*tg.PeerUser); ok {
		return fmt.Sprintf("user-%d", peerID(answer.Peer))
	}
	return sourceID(evidence.Channel, peerID(answer.Peer))
}

// rpcType is what Telegram calls an error.
func rpcType(err error) string {
	if rpc, ok := tgerr.As(err); ok {
		return evidence.OneLine(rpc.Type, 60)
	}
	return "nothing of it"
}
