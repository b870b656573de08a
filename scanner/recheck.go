package scanner

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// looksAtOnce is how many messages one call asks for, Telegram's most.
const looksAtOnce = 100

// Recheck looks at targets again through the account, and says what each shows.
// Versions of messages that were not seen before are recorded as evidence on the
// way. Sources of other accounts are left out.
//
// Telegram answers the same for what was deleted and for what this account may
// not see. So a message is called removed only where the same look could read
// the history it was in, and a channel that is closed to the account is called
// unknown as long as its name is still its own: others can read it.
func (s *Scanner) Recheck(ctx context.Context, sources []evidence.Source, targets []evidence.Target) ([]evidence.Sample, error) {
	r, err := s.newRun(ctx, sources)
	if err != nil {
		return nil, err
	}
	var samples []evidence.Sample
	err = r.recording(ctx, func() error {
		return s.signedIn(ctx, link{}, func(ctx context.Context, client *telegram.Client, self *tg.User) error {
			if err := r.begin(ctx, client, self); err != nil {
				return err
			}
			for _, source := range sources {
				w := r.sources[source.ID]
				if w == nil {
					continue
				}
				mine := slices.DeleteFunc(slices.Clone(targets), func(t evidence.Target) bool { return t.SourceID != source.ID })
				if err := r.polls.Wait(ctx); err != nil {
					return err
				}
				seen, err := r.recheck(ctx, w, mine)
				if err != nil {
					return fmt.Errorf("looking at %s again: %w", source.ID, err)
				}
				samples = append(samples, seen...)
			}
			return r.record.settle("") // files are fetched while there is a connection
		})
	})
	return samples, err
}

// recheck looks at one source and its messages.
func (r *run) recheck(ctx context.Context, w *watched, targets []evidence.Target) ([]evidence.Sample, error) {
	of := evidence.Sample{SourceID: w.ID, At: r.scanner.config.Now().UTC(), Account: r.scanner.config.Account, Username: reportedName(w, targets)}
	look := r.recheckChannel
	if w.Access == evidence.BotDialog {
		look = r.recheckBot
	}
	if err := look(ctx, w, &of); err != nil {
		return nil, err
	}
	samples := []evidence.Sample{of}
	var messages []evidence.Target
	for _, t := range targets {
		if t.MessageID != 0 {
			messages = append(messages, t)
		}
	}
	readable := of.State == evidence.SeenLive || of.State == evidence.SeenRenamed || of.State == evidence.SeenPrivate && of.Control != ""
	if !readable {
		for _, t := range messages { // nothing can be told of them but this
			one := of
			one.MessageID = t.MessageID
			samples = append(samples, one)
		}
		return samples, nil
	}
	for chunk := range slices.Chunk(messages, looksAtOnce) {
		seen, err := r.recheckMessages(ctx, w, of, chunk)
		if err != nil {
			return nil, err
		}
		samples = append(samples, seen...)
	}
	return samples, nil
}

// reportedName is the name that a source was reported under: that of its
// messages' links. A watch may have noted another since.
func reportedName(w *watched, targets []evidence.Target) string {
	for _, t := range targets {
		if name, err := parseRef(t.URL); t.URL != "" && err == nil {
			return name
		}
	}
	return w.Username
}

// recheckChannel asks for a channel by its id, which no rename changes.
func (r *run) recheckChannel(ctx context.Context, w *watched, s *evidence.Sample) error {
	chats, err := r.api.ChannelsGetChannels(ctx, []tg.InputChannelClass{&tg.InputChannel{ChannelID: w.PeerID, AccessHash: w.AccessHash}})
	if err != nil {
		return r.closed(ctx, w, s, err)
	}
	for _, chat := range chats.GetChats() {
		c, ok := chat.(*tg.Channel)
		if !ok || c.ID != w.PeerID {
			continue
		}
		names := activeNames(c.Username, c.Usernames)
		s.State, s.Control = evidence.SeenLive, "the channel's own description"
		switch {
		case c.Restricted && len(c.RestrictionReason) > 0:
			s.State, s.Why, s.Control = evidence.SeenRemoved, "Telegram shows a notice instead: "+restrictedFor(c.RestrictionReason), ""
		case len(names) == 0 && s.Username != "":
			s.State, s.Username, s.Why = evidence.SeenPrivate, "", "it has no public name any more; this account is a member and reads on"
			if c.Left {
				s.Why, s.Control = "it has no public name any more", ""
			}
		case s.Username != "" && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, s.Username) }):
			s.State, s.Why = evidence.SeenRenamed, fmt.Sprintf("@%s is @%s now, with the same id", s.Username, names[0])
			s.Username = names[0]
		}
		return nil
	}
	return r.closed(ctx, w, s, tgerr.New(400, "CHANNEL_PRIVATE"))
}

// closed tells apart, as far as Telegram does, what is gone, what was made
// private, and what only this account may not read.
func (r *run) closed(ctx context.Context, w *watched, s *evidence.Sample, cause error) error {
	refused, ok := tgerr.As(cause)
	if !ok || !lost(cause) {
		return cause
	}
	if refused.Type == "CHANNEL_INVALID" {
		s.State, s.Why = evidence.SeenRemoved, "Telegram says that its id names nothing any more"
		return nil
	}
	s.State, s.Why = evidence.SeenPrivate, "it is closed to this account, and had no public name"
	name := s.Username
	if name == "" {
		return nil
	}
	switch id, err := r.nameHolder(ctx, name); {
	case err != nil:
		return err
	case id == 0:
		s.Username, s.Why = "", "it is closed to this account and its name is free: it is private, or gone"
	case id == w.PeerID:
		s.State, s.Why = evidence.SeenUnknown, "we lost access: Telegram says "+refused.Type+", and its name is still its own"
	default:
		s.Username, s.Why = "", fmt.Sprintf("it is closed to this account, and @%s belongs to id %d now", name, id)
	}
	return nil
}

// nameHolder returns the id of whatever has a name, 0 for nobody.
func (r *run) nameHolder(ctx context.Context, name string) (int64, error) {
	answer, err := r.scanner.lookup(ctx, r.api, name)
	switch {
	case tgerr.Is(err, "USERNAME_NOT_OCCUPIED", "USERNAME_INVALID"):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("looking up @%s: %w", name, err)
	}
	return peerID(answer.Peer), nil
}

// recheckBot asks for a bot by its id.
func (r *run) recheckBot(ctx context.Context, w *watched, s *evidence.Sample) error {
	users, err := r.api.UsersGetUsers(ctx, []tg.InputUserClass{&tg.InputUser{UserID: w.PeerID, AccessHash: w.AccessHash}})
	if err != nil && !lost(err) {
		return err
	}
	for _, user := range users {
		u, ok := user.(*tg.User)
		if !ok || u.ID != w.PeerID {
			continue
		}
		names := activeNames(u.Username, u.Usernames)
		s.State, s.Control = evidence.SeenLive, "the bot's own description"
		switch {
		case u.Deleted:
			s.State, s.Username, s.Why = evidence.SeenRemoved, "", "Telegram says that the bot's account is deleted"
		case u.Restricted && len(u.RestrictionReason) > 0:
			s.State, s.Why = evidence.SeenRemoved, "Telegram shows a notice instead: "+restrictedFor(u.RestrictionReason)
		case len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, s.Username) }):
			s.State, s.Why = evidence.SeenRenamed, fmt.Sprintf("@%s is @%s now, with the same id", s.Username, names[0])
			s.Username = names[0]
		}
		return nil
	}
	s.State, s.Why = evidence.SeenUnknown, "we lost access: Telegram does not describe the bot to this account, and its name is still its own"
	id, err := r.nameHolder(ctx, s.Username)
	if err == nil && id != w.PeerID {
		s.State, s.Username, s.Why = evidence.SeenRemoved, "", "Telegram does not describe the bot any more, and its name is not its own"
	}
	return err
}

// activeNames are the public names of a channel or bot, the main one first.
func activeNames(main string, others []tg.Username) []string {
	var all []string
	if main != "" {
		all = append(all, main)
	}
	for _, u := range others {
		if u.Active {
			all = append(all, u.Username)
		}
	}
	return slices.DeleteFunc(all, func(name string) bool { return !username.MatchString(name) })
}

func restrictedFor(reasons []tg.RestrictionReason) string {
	var all []string
	for _, r := range reasons {
		all = append(all, fmt.Sprintf("%s (%s, %s)", r.Text, r.Reason, r.Platform))
	}
	return evidence.Caption(strings.Join(all, "; "), 300)
}

// recheckMessages asks for messages by their ids. The history's newest message
// is the control: where it can be read, what is missing was removed.
func (r *run) recheckMessages(ctx context.Context, w *watched, of evidence.Sample, targets []evidence.Target) ([]evidence.Sample, error) {
	ids := make([]tg.InputMessageClass, len(targets))
	for i, t := range targets {
		ids[i] = &tg.InputMessageID{ID: int(t.MessageID)}
	}
	answer, err := r.api.ChannelsGetMessages(ctx, &tg.ChannelsGetMessagesRequest{Channel: &tg.InputChannel{ChannelID: w.PeerID, AccessHash: w.AccessHash}, ID: ids})
	if err != nil && !lost(err) {
		return nil, err
	}
	var there []tg.MessageClass
	switch a := answer.(type) {
	case *tg.MessagesChannelMessages:
		there = a.Messages
	case *tg.MessagesMessages:
		there = a.Messages
	}
	control, err := r.control(ctx, w)
	if err != nil {
		return nil, err
	}
	found := map[int64]tg.NotEmptyMessage{}
	for _, class := range there {
		if m, ok := class.AsNotEmpty(); ok {
			found[int64(m.GetID())] = m
		}
	}
	samples := make([]evidence.Sample, 0, len(targets))
	for _, t := range targets {
		one := of
		one.MessageID, one.Why, one.Control = t.MessageID, "", control
		m, ok := found[t.MessageID]
		switch {
		case !ok && control != "":
			one.State, one.Why = evidence.SeenRemoved, "Telegram has no such message, and the same look could read the history"
		case !ok:
			one.State, one.Why = evidence.SeenUnknown, "Telegram gives no such message, nor anything else of the history"
		case editedSince(m, t.Version):
			one.State, one.Edited = evidence.SeenEdited, editTime(m)
			one.Why = "edited since it was reported; the version is recorded"
		default:
			one.State = evidence.SeenLive
		}
		samples = append(samples, one)
	}
	return samples, r.keepVersions(w, there, fmt.Sprintf("channels.getMessages id=%d…", targets[0].MessageID))
}

// control says what else of the history can be read now, "" for nothing.
func (r *run) control(ctx context.Context, w *watched) (string, error) {
	p, err := r.page(ctx, w, 0, 0, 1)
	switch {
	case isUnreadable(err):
		return "the newest message is there, and of a kind that this build cannot decode", nil
	case lost(err):
		return "", nil
	case err != nil:
		return "", err
	case len(p.messages) == 0:
		return "the history answers, and is empty", nil
	}
	return "message " + strconv.Itoa(p.messages[0].GetID()) + " can be read", nil
}

// keepVersions records what messages say now; a version that is there is one.
func (r *run) keepVersions(w *watched, messages []tg.MessageClass, request string) error {
	now := r.scanner.config.Now()
	var found []piece
	for _, class := range messages {
		e, ok, err := r.examine(w, class, evidence.Poll, request, now)
		if err != nil {
			return err
		}
		if ok {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return r.record.add(func(*evidence.Batch) {}, found...)
}

// editedSince reports whether Telegram gives a message another edit time than the
// version that was reported has.
func editedSince(m tg.NotEmptyMessage, version string) bool {
	reported, _, _ := strings.Cut(version, "-")
	now := "0"
	if at := editTime(m); !at.IsZero() {
		now = strconv.FormatInt(at.Unix(), 10)
	}
	return version != "" && now != reported
}

func editTime(m tg.NotEmptyMessage) time.Time {
	if t, ok := m.(*tg.Message); ok && t.EditDate != 0 {
		return time.Unix(int64(t.EditDate), 0).UTC()
	}
	return time.Time{}
}
