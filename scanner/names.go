package scanner

import (
	"sync"

	"github.com/gotd/td/tg"
)

// maxNames bounds the usernames that are remembered.
const maxNames = 100_000

// names remembers the usernames of channels that came along with messages: a
// forwarded message names its origin by id only.
type names struct {
	mu   sync.Mutex
	byID map[int64]string
}

func (n *names) learn(chats []tg.ChatClass) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byID == nil || len(n.byID) > maxNames {
		n.byID = map[int64]string{}
	}
	for _, chat := range chats {
		if c, ok := chat.(*tg.Channel); ok && c.Username != "" {
			n.byID[c.ID] = c.Username
		}
	}
}

// of returns a channel's username, "" where it is not known.
func (n *names) of(id int64) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byID[id]
}
