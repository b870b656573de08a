package scanner

import (
	"sync"
	"time"

	"github.com/gotd/td/tg"

	"prahari/evidence"
)

// A watched source, and how far it is known.
type watched struct {
	evidence.Source
	gone   bool          // it could not be read when it was last asked for
	behind chan struct{} // has an element when the history must be looked at
	pushed bool          // its updates were followed before

	mu                 sync.Mutex
	now                evidence.Source // what of it may change is here
	altered, alteredAt time.Time       // when that changed last: as recorded, and by this machine's clock
	lostName           string          // a username that it had
	// Live messages say that all before them were seen only while synced: the
	// history was read up to top, and no update was lost since.
	synced bool
	losses int       // how often updates were lost
	reason string    // why updates were lost since the history was last read
	from   int64     // how far they told before that
	told   bool      // a gap of that is recorded
	passed bool      // up to the newest message there was: nothing is left to tell when the history is read
	whole  time.Time // until when, at least, everything was told
	lostAt time.Time // when updates were lost last
	top    int64     // the newest message id known to be seen without a hole
	heard  int64     // the newest that an update told of, or that there was when they began
	kept   int64     // of heard, what is recorded with the place in the updates
	placed bool      // it is recorded

	unreadable []int64 // rising ids of messages that this build cannot decode

	reading bool   // pages of the history are under way
	late    []late // what was told meanwhile, for messages that they may show as they were before

	known  bool           // it was read before
	edited map[int]uint64 // what the edited ones looked like that were read again

	// Of a source that is polled:
	seen  map[int]uint64 // what its newest messages looked like
	pause time.Duration  // before the next look
}

// ownStream reports whether a source's updates come with the account's own: its
// dialogs, and groups that are no channels.
func (w *watched) ownStream() bool { return w.Access == evidence.BotDialog }

func (w *watched) nudge() {
	select {
	case w.behind <- struct{}{}:
	default:
	}
}

// hear notes that an update told of a message.
func (w *watched) hear(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = max(w.heard, id)
}

// begin notes the newest message that there was when updates began.
func (w *watched) begin(newest int64, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard, w.placed = newest, false
	if w.reason == "" {
		w.whole = now
	}
}

// live returns the range that a pushed message completes.
func (w *watched) live(id int64) evidence.Range {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.synced || id <= w.top {
		return evidence.Range{Lo: id, Hi: id}
	}
	r := evidence.Range{Lo: w.top + 1, Hi: id}
	w.top = id
	return r
}

func (w *watched) peer() tg.InputPeerClass {
	if w.Access == evidence.BotDialog {
		return &tg.InputPeerUser{UserID: w.PeerID, AccessHash: w.AccessHash}
	}
	return &tg.InputPeerChannel{ChannelID: w.PeerID, AccessHash: w.AccessHash}
}

// recall takes up how far updates told of the source and until when it was seen.
func (w *watched) recall(seen []evidence.Observed, heard evidence.Heard, placed bool) {
	live := int64(0)
	for _, o := range seen {
		own := o.Account == w.Account
		w.known = w.known || own || !w.ownStream()
		switch {
		case w.Access == evidence.Public, own && o.How == evidence.Live && !placed:
			if o.At.After(w.whole) {
				w.whole = o.At
			}
		}
		if own && o.How == evidence.Live {
			live = max(live, o.Hi)
		}
	}
	covered := w.merge(seen)
	if len(covered) > 0 && covered[0].Lo <= 1 {
		w.top = covered[0].Hi
	}
	switch w.placed = placed; {
	case placed:
		w.heard, w.whole = heard.MessageID, heard.At
	case live > 0: // by a build that did not record it
		w.heard = live
	default:
		w.heard = w.top
	}
	w.kept = w.heard
}

// merge joins what was observed of the source, and notes whether it ever pushed.
// What another account saw of its own dialog with a bot are other messages.
func (w *watched) merge(observed []evidence.Observed) []evidence.Range {
	ranges := make([]evidence.Range, 0, len(observed))
	for _, o := range observed {
		if w.ownStream() && o.Account != w.Account {
			continue
		}
		ranges = append(ranges, o.Range)
		w.pushed = w.pushed || o.How == evidence.Live
	}
	return evidence.Merge(ranges)
}
