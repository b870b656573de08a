package scanner

import (
	"strings"
	"sync"

	"github.com/gotd/td/tg"
)

// maxNames bounds the usernames that are remembered.
const maxNames = 100_000

// names remembers the usernames of channels that came along with messages: a
// forwarded message names its origin by id only.
type names struct {
	mu    sync.Mutex
	byID  map[int64]string
	owned map[string]*watched // by username in lower case: those of sources
}

// own notes that a source has a username, and another no more.
func (n *names) own(was, now string, w *watched) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.owned == nil {
		n.owned = map[string]*watched{}
	}
	if was = strings.ToLower(was); n.owned[was] == w {
		delete(n.owned, was)
	}
	if now != "" {
		n.owned[strings.ToLower(now)] = w
	}
}

// owner returns the source that had a username last, nil where none did.
func (n *names) owner(name string) *watched {
	if name == "" {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.owned[strings.ToLower(name)]
}

func (n *names) learn(chats []tg.ChatClass) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byID == nil || len(n.byID) > maxNames {
		n.byID = map[int64]string{}
	}
	for _, chat := range chats {
		if c, ok := chat.(*tg.Channel); ok {
			if name := publicName(c); name != "" {
				n.byID[c.ID] = name
			}
		}
	}
}

// of returns a channel's username, "" where it is not known.
func (n *names) of(id int64) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byID[id]
}
