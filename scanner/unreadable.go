package scanner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tg"

	"prahari/evidence"
)

// An unreadableError says that Telegram answered in a form that this build does
// not know: the answer cannot be taken apart, and asking again does not help.
type unreadableError struct{ err error }

func (e *unreadableError) Error() string {
	return fmt.Sprintf("the answer is of a kind that layer %d does not know (%v): upgrade prahari", Layer, e.err)
}

func (e *unreadableError) Unwrap() error { return e.err }

func isUnreadable(err error) bool {
	var e *unreadableError
	return errors.As(err, &e)
}

// decoding tells an answer that cannot be decoded from a call that failed.
type decoding struct{ bin.Decoder }

func (d decoding) Decode(b *bin.Buffer) error {
	if err := d.Decoder.Decode(b); err != nil {
		return &unreadableError{err}
	}
	return nil
}

// pageAround reads the newest messages between two ids as page does. Where
// Telegram answers with what cannot be decoded it asks for fewer; when not even
// one can be, unreadable is the id of the newest message there.
func (r *run) pageAround(ctx context.Context, w *watched, offset, after int64, limit int) (p page, unreadable int64, err error) {
	for n := limit; n > 0; n /= 2 {
		if p, err = r.page(ctx, w, offset, after, n); !isUnreadable(err) {
			return p, 0, err
		}
	}
	return r.newestUnreadable(ctx, w, offset, after)
}

// newestUnreadable finds the id of the newest message between two ids, which
// cannot be decoded: an answer that does not hold it can. The search widens from
// where the id is likely, and then halves. The page is one that could be read
// after all, because something was posted or deleted meanwhile.
func (r *run) newestUnreadable(ctx context.Context, w *watched, offset, after int64) (page, int64, error) {
	// Whether the newest message has an id above m.
	above := func(m int64) (bool, page, error) {
		p, err := r.page(ctx, w, offset, m, 1)
		if isUnreadable(err) {
			return true, page{}, nil
		}
		return false, p, err
	}
	lo, hi := after, offset-1
	up := offset <= 0
	if up {
		hi = math.MaxInt32
	}
	for step := int64(1); hi-lo > 1; {
		m := lo + (hi-lo)/2
		switch {
		case step > 0 && up && lo+step < m:
			m = lo + step
		case step > 0 && !up && hi-step > m:
			m = hi - step
		}
		is, p, err := above(m)
		if err != nil || len(p.messages) > 0 {
			return p, 0, err
		}
		if is {
			lo = m
		} else {
			hi = m
		}
		if is == up { // still widening
			step *= 2
		} else {
			step = 0
		}
	}
	if lo > after {
		return page{}, hi, nil
	}
	is, p, err := above(lo)
	if err != nil || !is { // nothing is above what was there before
		return p, 0, err
	}
	return page{}, hi, nil
}

// skip notes a message that cannot be read, so that this run does not ask for it
// again, and records the gap.
func (r *run) skip(w *watched, id int64) error {
	w.mu.Lock()
	known := slices.Contains(w.unreadable, id)
	if !known {
		w.unreadable = append(w.unreadable, id)
		slices.Sort(w.unreadable)
	}
	w.mu.Unlock()
	if known {
		return nil
	}
	r.scanner.meter.count(func(s *Stats) { s.Unreadable++ })
	return r.gap(w, evidence.Range{Lo: id, Hi: id}, newerMessage)
}

// readable takes from missing ranges what this run found to be unreadable.
func (w *watched) readable(missing []evidence.Range) []evidence.Range {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.unreadable) == 0 {
		return missing
	}
	skip := make([]evidence.Range, len(w.unreadable))
	for i, id := range w.unreadable {
		skip[i] = evidence.Range{Lo: id, Hi: id}
	}
	skip = evidence.Merge(skip)
	var out []evidence.Range
	for _, m := range missing {
		out = append(out, evidence.Missing(m, skip)...)
	}
	return out
}

// pageBelow reads the newest messages of a source below an id, or without one (0)
// of all, as many as Telegram gives at once, around those that cannot be read.
func (r *run) pageBelow(ctx context.Context, w *watched, id int64) (page, error) {
	var all page
	for offset, left := id, pageSize; left > 0; {
		after := int64(0)
		w.mu.Lock()
		for _, id := range w.unreadable {
			if offset == 0 || id < offset {
				after = id
			}
		}
		w.mu.Unlock()
		p, unreadable, err := r.pageAround(ctx, w, offset, after, left)
		if err != nil {
			return page{}, err
		}
		whole := p.asked == left
		p.messages = r.sane(w, p.messages, evidence.Range{Lo: after + 1, Hi: math.MaxInt32})
		all.messages, all.request, all.pts = append(all.messages, p.messages...), p.request, max(all.pts, p.pts)
		left -= len(p.messages)
		switch {
		case unreadable != 0:
			if err := r.skip(w, unreadable); err != nil {
				return page{}, err
			}
			offset = unreadable
			left, all.passed = left-1, all.passed+1
		case whole && len(p.messages) < p.asked && after == 0, len(p.messages) == 0 && after == 0:
			return all, nil
		case len(p.messages) < p.asked: // down to the next one that is known to be unreadable
			offset = after
			left, all.passed = left-1, all.passed+1
		default:
			offset = int64(p.messages[len(p.messages)-1].GetID())
		}
	}
	return all, nil
}

// sane drops, and tells of, messages that no history may hold: ids out of the
// range that was asked for. What is left goes from the newest to the oldest.
func (r *run) sane(w *watched, messages []tg.MessageClass, asked evidence.Range) []tg.MessageClass {
	ok := func(m tg.MessageClass) bool {
		return int64(m.GetID()) >= max(asked.Lo, 1) && int64(m.GetID()) <= asked.Hi
	}
	newer := func(a, b tg.MessageClass) int { return b.GetID() - a.GetID() }
	if !slices.ContainsFunc(messages, func(m tg.MessageClass) bool { return !ok(m) }) && slices.IsSortedFunc(messages, newer) {
		return messages
	}
	var kept []tg.MessageClass
	for _, m := range messages {
		if ok(m) {
			kept = append(kept, m)
			continue
		}
		id := int64(m.GetID())
		r.scanner.events.send(Event{Kind: Unreadable, Source: w.source(), Done: id, Total: id, Detail: strangeHistory})
	}
	slices.SortStableFunc(kept, newer)
	return kept
}

// channelPts asks for a channel's place in its updates by the way that holds no
// message.
func (r *run) channelPts(ctx context.Context, input tg.InputChannelClass) (int, error) {
	full, err := r.api.ChannelsGetFullChannel(ctx, input)
	if err != nil {
		return 0, err
	}
	f, ok := full.FullChat.(*tg.ChannelFull)
	if !ok {
		return 0, fmt.Errorf("channels.getFullChannel answered %T", full.FullChat)
	}
	return f.Pts, nil
}
