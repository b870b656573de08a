package scanner

import (
	"context"
	"slices"
	"time"

	"github.com/gotd/td/tg"

	"prahari/evidence"
)

// recent returns the newest message id of a source and, where it was read before,
// its newest page, which costs no more calls than the id.
func (r *run) recent(ctx context.Context, w *watched) (p page, top int64, err error) {
	if !w.known {
		top, err = r.newest(ctx, w)
		return page{}, top, err
	}
	if p, err = r.pageBelow(ctx, w, 0); err != nil {
		return page{}, 0, err
	}
	if len(p.messages) > 0 {
		top = int64(p.messages[0].GetID())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.unreadable); n > 0 {
		top = max(top, w.unreadable[n-1])
	}
	return p, top, nil
}

// reread records edits of what was seen before that no update told of: those that
// the newest page shows, and where messages are missing those on the page below
// them, for after many new messages the newest page shows none of the old ones.
func (r *run) reread(ctx context.Context, w *watched, recent page, missing []evidence.Range) error {
	if !w.known {
		return nil
	}
	pages := []page{recent}
	if n := len(missing); n > 0 && missing[n-1].Lo > 1 {
		below, err := r.pageBelow(ctx, w, missing[n-1].Lo)
		if err != nil {
			return err
		}
		pages = append(pages, below)
	}
	shown, now := map[int]uint64{}, r.scanner.config.Now()
	for _, p := range pages {
		var found []piece
		for _, m := range p.messages {
			id := int64(m.GetID())
			if !edited(m) || slices.ContainsFunc(missing, func(r evidence.Range) bool { return r.Lo <= id && id <= r.Hi }) {
				continue // there is one version of it, or read takes it
			}
			shown[m.GetID()] = r.print(m)
			if w.edited[m.GetID()] == shown[m.GetID()] {
				continue
			}
			e, ok, err := r.examine(w, m, evidence.Poll, p.request, now)
			if err != nil {
				return err
			}
			if ok {
				found = append(found, e)
			}
		}
		if len(found) == 0 {
			continue
		}
		err := r.record.add(func(b *evidence.Batch) { w.tellLate(b, span(p.messages)) }, found...)
		if err != nil {
			return err
		}
	}
	w.edited = shown
	return nil
}

// span is the range of a page, which goes from the newest to the oldest.
func span(messages []tg.MessageClass) evidence.Range {
	return evidence.Range{Lo: int64(messages[len(messages)-1].GetID()), Hi: int64(messages[0].GetID())}
}

// A late is an edit or a deletion that was told while pages of the history were
// under way. It is kept only of a message that is in evidence, and the page that
// brings the message there, as it was before, may come later than it.
type late struct {
	id   int64
	tell func(*evidence.Batch)
}

// maxLate bounds them: a page is under way for seconds.
const maxLate = 1000

// underWay notes that pages are asked for, until the function that it returns is
// called.
func (w *watched) underWay() func() {
	set := func(reading bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.reading, w.late = reading, nil
	}
	set(true)
	return func() { set(false) }
}

// hold keeps what is to be told again when a page with the message was taken. Like
// tellLate, it is called where things are queued, which makes one of them the first.
func (w *watched) hold(id int64, tell func(*evidence.Batch)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.reading {
		return
	}
	if len(w.late) == maxLate {
		w.late = slices.Delete(w.late, 0, 1)
	}
	w.late = append(w.late, late{id, tell})
}

// tellLate tells again what was held of a range that a page completes.
func (w *watched) tellLate(b *evidence.Batch, seen evidence.Range) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.late {
		if seen.Lo <= l.id && l.id <= seen.Hi {
			l.tell(b)
		}
	}
}

// wholeUntil notes that an update came, and so all before it, unless a loss is
// still to be made up for.
func (w *watched) wholeUntil(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reason == "" {
		w.whole = now
	}
}
