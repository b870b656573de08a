package scanner

import (
	"context"
	"sync"
	"time"

	"github.com/gotd/td/telegram/updates"
	"github.com/gotd/td/tg"
)

// overdue is how long a push may wait for those before it until they are asked
// for. gotd asks half a second after it saw a gap, but for one case: where the
// push that closes a gap leaves another behind it, what waits there is forgotten
// until something more is pushed (sequenceBox.applyPending in v0.160.0).
const overdue = 5 * time.Second

// accountStream stands for the account's own updates where others go by the id of
// their channel.
const accountStream = 0

// A stream is how far the pushes of a channel, or of the account, have come.
type stream struct {
	told  int       // the newest place that one named
	asked int       // told, when what is before it was asked for: once for each, for a server may name any
	since time.Time // since when the recorded place is behind it; zero: it is not
}

// streams are those of an account that anything was pushed of.
type streams struct {
	mu  sync.Mutex
	all map[int64]*stream
}

// note takes up the places that pushes name, on their way to the update manager.
func (s *streams) note(class tg.UpdatesClass, watched func(channel int64) bool) {
	var list []tg.UpdateClass
	switch u := class.(type) {
	case *tg.Updates:
		list = u.Updates
	case *tg.UpdatesCombined:
		list = u.Updates
	case *tg.UpdateShort:
		list = []tg.UpdateClass{u.Update}
	case *tg.UpdateShortMessage:
		s.tell(accountStream, u.Pts)
	}
	for _, u := range list {
		if channel, pts, _, ok, err := tg.IsChannelPtsUpdate(u); ok {
			if err == nil && watched(channel) {
				s.tell(channel, pts)
			}
		} else if pts, _, ok := tg.IsPtsUpdate(u); ok {
			s.tell(accountStream, pts)
		}
	}
}

func (s *streams) tell(id int64, pts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[id] == nil {
		s.all[id] = &stream{}
	}
	s.all[id].told = max(s.all[id].told, pts)
}

// late returns the streams whose pushes have waited too long, which are to be
// asked for what is before them. place is how far a stream is recorded.
func (s *streams) late(now time.Time, place func(id int64) int) (ids []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, one := range s.all {
		switch {
		case place(id) >= one.told:
			one.since = time.Time{}
		case one.since.IsZero():
			one.since = now
		case now.Sub(one.since) >= overdue && one.asked < one.told:
			one.asked = one.told
			ids = append(ids, id)
		}
	}
	return ids
}

// catchPushes asks, until ctx ends, for what late pushes wait for.
func (r *run) catchPushes(ctx context.Context, manager *updates.Manager) error {
	place := func(id int64) int {
		if id == accountStream {
			state, _, _ := r.record.GetState(ctx, r.self)
			return state.Pts
		}
		pts, _, _ := r.record.GetChannelPts(ctx, r.self, id)
		return pts
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case now := <-time.After(time.Second):
			for _, id := range r.streams.late(now, place) {
				var ask tg.UpdatesClass = &tg.UpdatesTooLong{}
				if id != accountStream {
					ask = &tg.Updates{Updates: []tg.UpdateClass{&tg.UpdateChannelTooLong{ChannelID: id}}}
				}
				if err := manager.Handle(ctx, ask); err != nil {
					return err
				}
			}
		}
	}
}
