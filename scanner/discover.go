package scanner

import (
	"context"
	"fmt"
	"strings"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// A Discovered is a public channel, group or bot that Telegram's search gave.
type Discovered struct {
	Username string              `json:"name"`
	Kind     evidence.SourceKind `json:"kind"`
	Title    string              `json:"title"` // masked
	Members  int                 `json:"members,omitempty"`
}

// maxDiscovered is how many results are asked for.
const maxDiscovered = 50

// Discover searches for public channels, groups and bots with Telegram's own
// methods: by name; for a query that begins with #, by the hashtag in their posts;
// and for one that is @name, those that Telegram recommends beside that channel. The
// query goes to Telegram: it must hold no identifier, which the caller sees to.
// People's accounts among the results are left out.
func (s *Scanner) Discover(ctx context.Context, query string) ([]Discovered, error) {
	query = strings.TrimSpace(query)
	var out []Discovered
	err := s.signedIn(ctx, link{}, func(ctx context.Context, client *telegram.Client, _ *tg.User) (err error) {
		switch {
		case strings.HasPrefix(query, "#"):
			out, err = byHashtag(ctx, client.API(), strings.TrimPrefix(query, "#"))
		case strings.HasPrefix(query, "@"):
			out, err = s.like(ctx, client.API(), strings.TrimPrefix(query, "@"))
		default:
			out, err = byName(ctx, client.API(), query)
		}
		return err
	})
	return out, err
}

// DiscoverCalls names the methods that Discover asks Telegram with; a name need
// not be looked up again.
func DiscoverCalls(query string) ([]string, error) {
	query = strings.TrimSpace(query)
	switch name, like := strings.CutPrefix(query, "@"); {
	case strings.HasPrefix(query, "#"):
		return []string{"channels.searchPosts"}, nil
	case like:
		_, err := parseRef(name)
		return []string{"contacts.resolveUsername", "channels.getFullChannel", "channels.getChannelRecommendations"}, err
	}
	return []string{"contacts.search"}, nil
}

func byName(ctx context.Context, api *tg.Client, query string) ([]Discovered, error) {
	answer, err := api.ContactsSearch(ctx, &tg.ContactsSearchRequest{Q: query, Limit: maxDiscovered})
	if tgerr.Is(err, "QUERY_TOO_SHORT", "SEARCH_QUERY_EMPTY") {
		return nil, fmt.Errorf("Telegram wants a longer query than %q", evidence.Caption(query, 40)) //nolint:staticcheck // a name
	}
	if err != nil {
		return nil, fmt.Errorf("searching: %w", err)
	}
	out := discovered(answer.Chats)
	for _, user := range answer.Users {
		if u, ok := user.(*tg.User); ok && u.Bot && u.Username != "" {
			out = append(out, Discovered{Username: u.Username, Kind: evidence.Bot, Title: evidence.Caption(strings.TrimSpace(u.FirstName+" "+u.LastName), 120)})
		}
	}
	return out, nil
}

// byHashtag finds the channels whose public posts carry a hashtag. A search of all
// their words costs stars, which prahari has none of and does not spend.
func byHashtag(ctx context.Context, api *tg.Client, tag string) ([]Discovered, error) {
	req := &tg.ChannelsSearchPostsRequest{OffsetPeer: &tg.InputPeerEmpty{}, Limit: maxDiscovered}
	req.SetHashtag(tag)
	answer, err := api.ChannelsSearchPosts(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("searching posts with #%s: %w", evidence.Caption(tag, 40), err)
	}
	found, ok := answer.AsModified()
	if !ok {
		return nil, fmt.Errorf("channels.searchPosts answered %T, which this build does not know", answer)
	}
	return discovered(found.GetChats()), nil
}

// like finds the channels that Telegram recommends beside one.
func (s *Scanner) like(ctx context.Context, api *tg.Client, name string) ([]Discovered, error) {
	name, err := parseRef(name)
	if err != nil {
		return nil, err
	}
	source, err := s.resolve(ctx, api, name)
	if err != nil {
		return nil, err
	}
	if source.Kind != evidence.Channel {
		return nil, fmt.Errorf("@%s is a %s: Telegram recommends something beside channels only", name, source.Kind)
	}
	req := &tg.ChannelsGetChannelRecommendationsRequest{}
	req.SetChannel(&tg.InputChannel{ChannelID: source.PeerID, AccessHash: source.AccessHash})
	answer, err := api.ChannelsGetChannelRecommendations(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("asking what is like @%s: %w", name, err)
	}
	return discovered(answer.GetChats()), nil
}

// discovered keeps the public channels and groups.
func discovered(chats []tg.ChatClass) []Discovered {
	var out []Discovered
	for _, chat := range chats {
		c, ok := chat.(*tg.Channel)
		if !ok || c.Username == "" {
			continue
		}
		d := Discovered{Username: c.Username, Kind: evidence.Channel, Title: evidence.Caption(c.Title, 120), Members: c.ParticipantsCount}
		if c.Megagroup {
			d.Kind = evidence.Group
		}
		out = append(out, d)
	}
	return out
}
