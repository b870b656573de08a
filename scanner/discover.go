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

// Discover searches for public channels, groups and bots by name. The query goes
// to Telegram: it must hold no identifier, which the caller sees to. People's
// accounts among the results are left out.
func (s *Scanner) Discover(ctx context.Context, query string) ([]Discovered, error) {
	var out []Discovered
	err := s.signedIn(ctx, link{}, func(ctx context.Context, client *telegram.Client, _ *tg.User) error {
		answer, err := client.API().ContactsSearch(ctx, &tg.ContactsSearchRequest{Q: query, Limit: maxDiscovered})
		if tgerr.Is(err, "QUERY_TOO_SHORT", "SEARCH_QUERY_EMPTY") {
			return fmt.Errorf("Telegram wants a longer query than %q", evidence.Caption(query, 40)) //nolint:staticcheck // a name
		}
		if err != nil {
			return fmt.Errorf("searching: %w", err)
		}
		for _, chat := range answer.Chats {
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
		for _, user := range answer.Users {
			if u, ok := user.(*tg.User); ok && u.Bot && u.Username != "" {
				out = append(out, Discovered{Username: u.Username, Kind: evidence.Bot, Title: evidence.Caption(strings.TrimSpace(u.FirstName+" "+u.LastName), 120)})
			}
		}
		return nil
	})
	return out, err
}
