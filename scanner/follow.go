package scanner

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"time"

	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// joinedInterval is how often the history of sources that push is checked: a
// backstop, for pushes are not all that a server may lose.
const joinedInterval = 10 * time.Minute

// look polls a source that pushes nothing: the newest page, for new messages and
// for edits of recent ones.
func (r *run) look(ctx context.Context, w *watched) error {
	p, err := r.pageBelow(ctx, w, 0)
	if err != nil {
		return err
	}
	w.pause = pause(dates(p.messages), r.scanner.config.Now(), r.scanner.config.PollInterval, r.scanner.config.MaxPollInterval)
	if err := r.vanished(w, w.seen, p); err != nil || len(p.messages) == 0 {
		return err
	}
	newest, oldest := int64(p.messages[0].GetID()), int64(p.messages[len(p.messages)-1].GetID())
	fresh := p
	fresh.messages = nil
	seen := make(map[int]uint64, len(p.messages))
	for _, m := range p.messages {
		print := r.print(m)
		seen[m.GetID()] = print
		if w.seen[m.GetID()] != print {
			fresh.messages = append(fresh.messages, m)
		}
	}
	w.seen = seen
	for _, part := range w.readable([]evidence.Range{{Lo: oldest, Hi: newest}}) {
		if err := r.take(w, fresh, evidence.Poll, part); err != nil {
			return err
		}
		fresh.messages = nil
	}
	w.mu.Lock()
	hole := oldest > w.top+1
	if !hole {
		w.top = max(w.top, newest)
	}
	w.mu.Unlock()
	if hole {
		return r.catchUp(ctx, w)
	}
	return nil
}

func (r *run) print(class tg.MessageClass) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	if t, ok := class.(*tg.Message); ok {
		_, _ = fmt.Fprintln(&h, t.EditDate)
	}
	text, _ := shown(class)
	_, _ = h.WriteString(text)
	return h.Sum64() | 1
}

// lost reports whether an error says that the source can no longer be read.
func lost(err error) bool {
	return tgerr.Is(err, "CHANNEL_PRIVATE", "CHANNEL_INVALID", "CHANNEL_PUBLIC_GROUP_NA", "USER_BANNED_IN_CHANNEL", "PEER_ID_INVALID", "CHAT_FORBIDDEN")
}

// refused reports whether Telegram answered with an error that is about this one
// source, of a kind that says nothing of the account and of what has become of it.
func (r *run) refused(err error) bool {
	if _, ok := tgerr.As(err); !ok || lost(err) || errors.Is(err, ErrFloodWait) || tgerr.IsCode(err, 303, 401, 420) {
		return false
	}
	said := r.scanner.explain(err)
	return !errors.Is(said, ErrBanned) && !errors.Is(said, ErrSignedOut)
}

// follow reads the history of a source, says so, and then looks at it again
// whenever updates were lost, and from time to time. One that cannot be read any
// more is asked for seldom: it may come back.
func (r *run) follow(ctx context.Context, w *watched, caughtUp func(), once bool) error {
	again := r.catchUp
	for first := true; ; first = false {
		err := r.withSlot(ctx, func() error {
			defer w.underWay()()
			return again(ctx, w)
		})
		switch {
		case err == nil:
			if err = r.back(w); err == nil {
				err = r.wonder(ctx, w)
			}
		case lost(err), r.refused(err):
			err = r.away(ctx, w, err)
		}
		if first {
			caughtUp()
			if err == nil && !w.gone {
				r.scanner.events.send(Event{Kind: CaughtUp, Source: w.source()})
			}
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", w.ID, err)
		}
		if once {
			return nil
		}
		if again, err = r.pause(ctx, w); err != nil {
			return err
		}
	}
}

// pause waits until a source must be looked at again, and returns how.
func (r *run) pause(ctx context.Context, w *watched) (func(context.Context, *watched) error, error) {
	every, public := joinedInterval, w.source().Access == evidence.Public
	switch {
	case w.gone:
		every, public = jitter(w.pause), false
	case public:
		every = jitter(max(w.pause, r.scanner.config.PollInterval))
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-w.behind:
	case <-time.After(every):
		if public {
			if r.polls.Wait(ctx) != nil {
				return nil, context.Cause(ctx)
			}
			return r.look, nil
		}
	}
	return r.catchUp, nil
}

// away finds out what has become of a source, and opens a gap: what is posted
// from now on is not seen.
func (r *run) away(ctx context.Context, w *watched, cause error) error {
	reason := unreached
	w.pause = r.scanner.config.MaxPollInterval
	if lost(cause) {
		if err := r.diagnose(ctx, w, cause); err != nil {
			return err
		}
	} else { // it may pass
		reason = "Telegram answered " + rpcType(cause) + "; "
		w.pause = min(w.pause, joinedInterval)
	}
	if w.gone {
		return nil
	}
	w.gone = true
	w.mu.Lock()
	w.synced, w.reason, w.told, w.passed = false, reason+fromHistory, true, false
	open := evidence.Range{Lo: w.top + 1}
	w.mu.Unlock()
	r.scanner.events.send(Event{Kind: Inaccessible, Source: w.source(), Detail: "Telegram says " + rpcType(cause)})
	return r.gap(w, open, reason+"what was posted from then on was not seen when it was posted")
}

// back notes that a source can be read, where it could not before.
func (r *run) back(w *watched) error {
	switch state := w.source().State; {
	case w.gone, state == evidence.Privatised, state == evidence.Erased, state == evidence.Barred:
	default:
		return nil
	}
	w.gone, w.pause = false, 0
	r.scanner.events.send(Event{Kind: Regained, Source: w.source()})
	return r.alter(w, time.Now(), func(a *alteration) { a.add(evidence.Readable, "", "", "") })
}

// dates returns when the messages were posted.
func dates(messages []tg.MessageClass) []time.Time {
	var all []time.Time
	for _, class := range messages {
		if m, ok := class.AsNotEmpty(); ok {
			all = append(all, time.Unix(int64(m.GetDate()), 0))
		}
	}
	return all
}

// jitter keeps sources with one rhythm from being looked at all at once.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// withSlot keeps the number of histories read at once small. The work has a
// goroutine of its own: each source has one that waits, and with 5,000 of them
// stacks that had once grown for a call to Telegram took half of all memory.
func (r *run) withSlot(ctx context.Context, f func() error) error {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-r.slots }()
	done := make(chan error, 1)
	go func() { done <- f() }()
	return <-done
}
