package scanner

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

func sourceID(kind evidence.SourceKind, id int64) string { return fmt.Sprintf("%s-%d", kind, id) }

// username is what Telegram allows; short ones are sold.
var username = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{2,31}$`)

// parseRef reads @name, name and links to a public chat or one of its messages.
func parseRef(ref string) (string, error) {
	shown := evidence.Caption(ref, 60)
	name := strings.TrimPrefix(strings.TrimSpace(ref), "@")
	if !strings.Contains(ref, "@") && strings.ContainsAny(name, "/.:") {
		if !strings.Contains(name, "://") {
			name = "https://" + name
		}
		u, err := url.Parse(name)
		if err != nil {
			return "", fmt.Errorf("%s is neither @name nor a t.me link", shown)
		}
		path := strings.Split(strings.Trim(u.Path, "/"), "/")
		switch host := strings.ToLower(strings.TrimPrefix(u.Hostname(), "www.")); {
		case u.Scheme == "tg" && u.Hostname() == "resolve":
			name = u.Query().Get("domain")
		case host != "t.me" && host != "telegram.me" && host != "telegram.dog":
			return "", fmt.Errorf("%s is neither @name nor a t.me link", shown)
		case strings.HasPrefix(path[0], "+") || path[0] == "joinchat" || path[0] == "c":
			return "", fmt.Errorf("%s: %w: prahari reads public sources only, and takes no invitation", shown, ErrSourcePrivate)
		case path[0] == "s" && len(path) > 1:
			name = path[1]
		default:
			name = path[0]
		}
	}
	if !username.MatchString(name) {
		return "", fmt.Errorf("%s is neither @name nor a t.me link: a name has 3 to 32 letters, digits and _", shown)
	}
	return name, nil
}

// Resolve looks a source up by @name or link. It asks Telegram once; the id that
// it returns stays when the name changes.
func (s *Scanner) Resolve(ctx context.Context, ref string) (evidence.Source, error) {
	name, err := parseRef(ref)
	if err != nil {
		return evidence.Source{}, err
	}
	var source evidence.Source
	err = s.signedIn(ctx, link{}, func(ctx context.Context, client *telegram.Client, _ *tg.User) error {
		source, err = s.resolve(ctx, client.API(), name)
		return err
	})
	source.Account = s.config.Account
	return source, err
}

func (s *Scanner) resolve(ctx context.Context, api *tg.Client, name string) (evidence.Source, error) {
	if source, ok, err := s.known(ctx, api, name); ok || err != nil {
		return source, err
	}
	answer, err := s.lookup(ctx, api, name)
	switch {
	case tgerr.Is(err, "USERNAME_NOT_OCCUPIED", "USERNAME_INVALID"):
		return evidence.Source{}, fmt.Errorf("@%s: %w: check the spelling, it may have been renamed or taken down", name, ErrSourceUnknown)
	case tgerr.Is(err, "CHANNEL_PRIVATE"):
		return evidence.Source{}, fmt.Errorf("@%s: %w: prahari reads public sources only", name, ErrSourcePrivate)
	case errors.Is(err, ErrLimit):
		return evidence.Source{}, fmt.Errorf("@%s: %w", name, err)
	case err != nil:
		return evidence.Source{}, fmt.Errorf("looking up @%s: %w", name, err)
	}
	return s.found(ctx, api, name, answer)
}

// found makes a source of what a name was found to be.
func (s *Scanner) found(ctx context.Context, api *tg.Client, name string, answer *tg.ContactsResolvedPeer) (evidence.Source, error) {
	switch peer := answer.Peer.(type) {
	case *tg.PeerChannel:
		for _, chat := range answer.Chats {
			switch c := chat.(type) {
			case *tg.Channel:
				if c.ID == peer.ChannelID {
					return s.channel(ctx, api, name, c)
				}
			case *tg.ChannelForbidden:
				return evidence.Source{}, fmt.Errorf("@%s: %w: prahari reads public sources only", name, ErrSourcePrivate)
			}
		}
	case *tg.PeerUser:
		for _, user := range answer.Users {
			if u, ok := user.(*tg.User); ok && u.ID == peer.UserID {
				return s.bot(ctx, api, name, u)
			}
		}
	}
	return evidence.Source{}, fmt.Errorf("@%s: %w", name, ErrSourceUnknown)
}

func (s *Scanner) channel(ctx context.Context, api *tg.Client, name string, c *tg.Channel) (evidence.Source, error) {
	full, err := api.ChannelsGetFullChannel(ctx, c.AsInput())
	if tgerr.Is(err, "CHANNEL_PRIVATE") {
		return evidence.Source{}, fmt.Errorf("@%s: %w: prahari reads public sources only", name, ErrSourcePrivate)
	}
	if err != nil {
		return evidence.Source{}, fmt.Errorf("looking up @%s: %w", name, err)
	}
	return channelSource(name, c, full), nil
}

func channelSource(name string, c *tg.Channel, full *tg.MessagesChatFull) evidence.Source {
	source := evidence.Source{
		Kind: evidence.Channel, Access: evidence.Public, PeerID: c.ID, AccessHash: c.AccessHash,
		Username: name, Title: evidence.Caption(c.Title, 120), Marks: marks(c),
	}
	if c.Megagroup {
		source.Kind = evidence.Group
	}
	source.ID = sourceID(source.Kind, c.ID)
	if !c.Left {
		source.Access = evidence.Joined
	}
	if f, ok := full.FullChat.(*tg.ChannelFull); ok {
		source.About = evidence.Caption(f.About, 400)
	}
	return source
}

func (s *Scanner) bot(ctx context.Context, api *tg.Client, name string, u *tg.User) (evidence.Source, error) {
	if !u.Bot {
		return evidence.Source{}, notABot(name)
	}
	full, err := api.UsersGetFullUser(ctx, u.AsInput())
	if err != nil {
		return evidence.Source{}, fmt.Errorf("looking up @%s: %w", name, err)
	}
	return botSource(name, u, full.FullUser.About)
}

func notABot(name string) error {
	return fmt.Errorf("@%s is a person's account: prahari reads public channels, groups and bots", name)
}

func botSource(name string, u *tg.User, about string) (evidence.Source, error) {
	if !u.Bot {
		return evidence.Source{}, notABot(name)
	}
	return evidence.Source{
		ID: sourceID(evidence.Bot, u.ID), Kind: evidence.Bot, Access: evidence.BotDialog, PeerID: u.ID, AccessHash: u.AccessHash,
		Username: name, Title: evidence.Caption(strings.TrimSpace(u.FirstName+" "+u.LastName), 120), About: evidence.Caption(about, 400),
	}, nil
}

// Discussion returns the group that holds the comments on a channel's posts; ok is
// false where there is none. It may be without a name, and is read by its id.
func (s *Scanner) Discussion(ctx context.Context, channel evidence.Source) (group evidence.Source, ok bool, err error) {
	err = s.signedIn(ctx, link{}, func(ctx context.Context, client *telegram.Client, _ *tg.User) error {
		full, err := client.API().ChannelsGetFullChannel(ctx, &tg.InputChannel{ChannelID: channel.PeerID, AccessHash: channel.AccessHash})
		if err != nil {
			return fmt.Errorf("looking for the discussion of @%s: %w", channel.Username, err)
		}
		f, is := full.FullChat.(*tg.ChannelFull)
		if !is || f.LinkedChatID == 0 {
			return nil
		}
		for _, chat := range full.Chats {
			if c, is := chat.(*tg.Channel); is && c.ID == f.LinkedChatID {
				group, ok = channelSource(publicName(c), c, &tg.MessagesChatFull{}), true
			}
		}
		return nil
	})
	group.Account = s.config.Account
	return group, ok, err
}

// hasName reports whether a name is one of a peer's own.
func hasName(name, first string, all []tg.Username) bool {
	return strings.EqualFold(name, first) || slices.ContainsFunc(all, func(u tg.Username) bool { return u.Active && strings.EqualFold(name, u.Username) })
}

// Join joins a channel or group, so that its messages are pushed. The
// authorisation must name the method and the source.
func (s *Scanner) Join(ctx context.Context, source evidence.Source, a evidence.Authorisation) (evidence.Source, error) {
	if source.Kind != evidence.Channel && source.Kind != evidence.Group {
		return source, fmt.Errorf("@%s is a %s: only channels and groups can be joined", source.Username, source.Kind)
	}
	err := s.signedIn(ctx, link{}, func(ctx context.Context, client *telegram.Client, _ *tg.User) error {
		result, err := client.API().ChannelsJoinChannel(authorised(ctx, a, ""), &tg.InputChannel{ChannelID: source.PeerID, AccessHash: source.AccessHash})
		switch {
		case tgerr.Is(err, "USER_ALREADY_PARTICIPANT"):
			return nil
		case tgerr.Is(err, "CHANNEL_PRIVATE", "USER_BANNED_IN_CHANNEL"):
			return fmt.Errorf("@%s: %w: its owner keeps this account out", source.Username, ErrSourcePrivate)
		case tgerr.Is(err, "CHANNELS_TOO_MUCH"):
			return errors.New("the account is in as many channels as Telegram allows: leave some with Telegram's app, or watch without --join")
		case tgerr.Is(err, "INVITE_REQUEST_SENT"):
			return fmt.Errorf("@%s: an administrator must let the account in first; until then watch without --join", source.Username)
		case err != nil:
			return fmt.Errorf("joining @%s: %w", source.Username, err)
		}
		if _, ok := result.(*tg.MessagesChatInviteJoinResultOk); !ok {
			return fmt.Errorf("joining @%s: Telegram answered %T, which this build does not know: watch without --join", source.Username, result)
		}
		source.Access = evidence.Joined
		return nil
	})
	if err == nil {
		source.Access = evidence.Joined
	}
	return source, err
}
