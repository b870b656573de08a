package scanner

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gotd/td/tg"

	"prahari/evidence"
)

// pageSize is the most that messages.getHistory gives.
const pageSize = 100

// page is a part of a history, newest first.
type page struct {
	messages []tg.MessageClass
	pts      int
	request  string
	asked    int // for how many
	passed   int // places of it that were passed over, for what cannot be read
}

func (r *run) page(ctx context.Context, w *watched, offset, after int64, limit int) (page, error) {
	if offset > math.MaxInt32 { // beyond the last id that there can be
		offset = 0
	}
	req := &tg.MessagesGetHistoryRequest{Peer: w.peer(), OffsetID: int(offset), MinID: int(after), Limit: limit}
	asked := time.Now()
	answer, err := r.api.MessagesGetHistory(ctx, req)
	if err != nil {
		return page{}, err
	}
	p := page{request: requestOf(offset, after, limit), asked: limit}
	switch a := answer.(type) {
	case *tg.MessagesChannelMessages:
		p.messages, p.pts = a.Messages, a.Pts
		err = r.identify(a.Chats, asked, false)
	case *tg.MessagesMessages:
		p.messages = a.Messages
		err = r.identify(a.Chats, asked, false)
	case *tg.MessagesMessagesSlice:
		p.messages = a.Messages
		err = r.identify(a.Chats, asked, false)
	default:
		return page{}, fmt.Errorf("messages.getHistory answered %T, which this build does not know", answer)
	}
	return p, err
}

// requestOf says by which call a page came.
func requestOf(offset, after int64, limit int) string {
	return fmt.Sprintf("messages.getHistory offset_id=%d min_id=%d limit=%d", offset, after, limit)
}

// catchUp reads what no committed range covers, up to the newest message. After
// it, live messages continue the range, unless updates were lost meanwhile.
func (r *run) catchUp(ctx context.Context, w *watched) error {
	began := r.scanner.config.Now()
	w.mu.Lock()
	losses := w.losses
	w.mu.Unlock()
	recent, top, err := r.recent(ctx, w)
	if err != nil {
		return err
	}
	if err := r.record.settle(w.ID); err != nil {
		return err
	}
	covered, err := r.covered(ctx, w)
	if err != nil {
		return err
	}
	missing := w.readable(evidence.Missing(evidence.Range{Lo: 1, Hi: top}, covered))
	if err := r.missed(w, missing, top); err != nil {
		return err
	}
	if err := r.reread(ctx, w, recent, missing); err != nil {
		return err
	}
	var done, total int64
	for _, m := range missing {
		total += m.Hi - m.Lo + 1
	}
	for i := len(missing) - 1; i >= 0; i-- { // the newest first: they matter most
		err := r.read(ctx, w, missing[i], func(seen evidence.Range) {
			done += seen.Hi - seen.Lo + 1
			r.scanner.events.send(Event{Kind: Reading, Source: w.source(), Done: done, Total: total})
		})
		if err != nil {
			return err
		}
	}
	w.mu.Lock()
	if w.losses == losses {
		switch {
		case w.reason != "": // the updates went on from there
			w.whole = w.lostAt
		case w.whole.IsZero():
			w.whole = began
		}
		w.synced, w.top, w.reason, w.told, w.passed, w.known = true, max(w.top, top), "", false, false, true
	} else {
		defer w.nudge()
	}
	w.mu.Unlock()
	return nil
}

// newest returns the newest message id of a source.
func (r *run) newest(ctx context.Context, w *watched) (int64, error) {
	p, err := r.page(ctx, w, 0, 0, 1)
	w.mu.Lock()
	top := w.top
	w.mu.Unlock()
	if isUnreadable(err) {
		var id int64
		p, id, err = r.newestUnreadable(ctx, w, 0, top)
		if err == nil && id != 0 {
			return id, r.skip(w, id)
		}
		if err == nil && len(p.messages) == 0 { // it is known already
			return top, nil
		}
	}
	if p.messages = r.sane(w, p.messages, evidence.Range{Lo: 1, Hi: math.MaxInt32}); err != nil || len(p.messages) == 0 {
		return 0, err
	}
	return int64(p.messages[0].GetID()), nil
}

// covered returns the merged ranges that are committed.
func (r *run) covered(ctx context.Context, w *watched) ([]evidence.Range, error) {
	observed, err := r.scanner.config.Keeper.Coverage(ctx, w.ID)
	if err != nil {
		return nil, fmt.Errorf("reading what was seen of %s: %w", w.ID, err)
	}
	return w.merge(observed), nil
}

// A part is a page of a missing range, with what it completes.
type part struct {
	page
	skim       skim // of a page with nothing strange about it, which is then empty but for its request
	seen       evidence.Range
	unreadable int64          // the message below seen that cannot be read; 0: none
	strange    evidence.Range // what could not be read because Telegram answers with something else
	err        error
}

// read reads a missing range from its newest page on, and asks for each page
// while the one before it is examined. taken is called with what each completed.
func (r *run) read(ctx context.Context, w *watched, missing evidence.Range, taken func(evidence.Range)) error {
	ctx, stop := context.WithCancel(ctx)
	parts := make(chan part, 1)
	go func() {
		defer close(parts)
		for left := missing; left.Lo <= left.Hi; {
			p := r.readPage(ctx, w, left)
			left.Hi = p.seen.Lo - 1
			switch {
			case p.unreadable != 0:
				left.Hi = p.unreadable - 1
			case p.strange.Hi != 0:
				left.Hi = 0
			}
			select {
			case parts <- p:
			case <-ctx.Done():
				return
			}
			if p.err != nil {
				return
			}
		}
	}()
	defer func() {
		stop()
		for range parts { // until the reader has ended
		}
	}()
	for p := range parts {
		if p.err != nil {
			return p.err
		}
		if ctx.Err() != nil { // whoever stops waits for what is made of this page
			return context.Cause(ctx)
		}
		if p.seen.Lo <= p.seen.Hi {
			if p.messages == nil {
				var err error
				if p.messages, err = r.worth(p.skim, w.Kind); err != nil {
					return err
				}
			}
			if err := r.take(w, p.page, evidence.Backfill, p.seen); err != nil {
				return err
			}
			taken(p.seen)
		}
		if p.unreadable != 0 {
			if err := r.skip(w, p.unreadable); err != nil {
				return err
			}
		}
		if p.strange.Hi != 0 {
			if err := r.gap(w, p.strange, strangeHistory); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// readPage reads the newest page of a missing range.
func (r *run) readPage(ctx context.Context, w *watched, left evidence.Range) part {
	s, request, err := r.skim(ctx, w, left)
	switch {
	case err == nil && s.sane(left):
		seen := left // an empty page says that nothing is left
		if n := len(s.glances); n > 0 {
			seen.Lo = int64(s.glances[n-1].id)
		}
		return part{page: page{request: request}, skim: s, seen: seen}
	case err != nil && !isUnreadable(err):
		return part{err: err}
	}
	// Something is strange about it: ask again, and look closely.
	p, unreadable, err := r.pageAround(ctx, w, left.Hi+1, left.Lo-1, pageSize)
	if err != nil {
		return part{err: err}
	}
	if unreadable != 0 {
		return part{seen: evidence.Range{Lo: unreadable + 1, Hi: left.Hi}, unreadable: unreadable}
	}
	seen, answered := left, len(p.messages) // an empty page says that nothing is left
	p.messages = r.sane(w, p.messages, left)
	switch n := len(p.messages); {
	case n > 0:
		seen.Lo = int64(p.messages[n-1].GetID())
	case answered > 0:
		return part{seen: evidence.Range{Lo: left.Hi + 1, Hi: left.Hi}, strange: left}
	}
	return part{page: p, seen: seen}
}

// take makes evidence of a page and queues it together with what it covers.
func (r *run) take(w *watched, p page, origin evidence.Origin, seen evidence.Range) error {
	r.scanner.meter.count(func(s *Stats) { s.Messages[origin] += int64(len(p.messages)) })
	now := r.scanner.config.Now()
	var found []piece
	for _, class := range p.messages {
		e, ok, err := r.examine(w, class, origin, p.request, now)
		if err != nil {
			return err
		}
		if ok {
			found = append(found, e)
		}
	}
	return r.record.add(func(b *evidence.Batch) {
		w.tellLate(b, seen)
		observe(b, evidence.Observed{SourceID: w.ID, Range: seen, How: origin, Account: r.scanner.config.Account, At: now})
	}, found...)
}

// observe adds what was seen to a batch, in one with the last of its source where
// they touch: pages and pushes come in order.
func observe(b *evidence.Batch, o evidence.Observed) {
	for i := len(b.Observed) - 1; i >= 0 && i >= len(b.Observed)-2*historiesAtOnce; i-- {
		last := &b.Observed[i]
		if last.SourceID == o.SourceID && last.How == o.How && last.Account == o.Account && o.Lo <= last.Hi+1 && o.Hi >= last.Lo-1 {
			last.Lo, last.Hi, last.At = min(last.Lo, o.Lo), max(last.Hi, o.Hi), o.At
			return
		}
	}
	b.Observed = append(b.Observed, o)
}

// examine makes evidence of a message that holds findings, and of an edited one
// that no longer does: the keeper drops that where it never did. Most messages
// hold nothing, and nothing more than their text is looked at.
func (r *run) examine(w *watched, class tg.MessageClass, origin evidence.Origin, request string, now time.Time) (piece, bool, error) {
	full, ok := class.AsNotEmpty()
	if !ok { // a deleted place has no content
		return piece{}, false, nil
	}
	if err := r.migrated(w, class); err != nil {
		return piece{}, false, err
	}
	text, left := shown(class)
	if left != "" {
		r.scanner.events.send(Event{Kind: Unreadable, Source: w.source(), Done: int64(class.GetID()), Total: int64(class.GetID()), Detail: left})
	}
	result := r.scanner.config.Finder.Find(text, w.Kind)
	if n := len(result.Matches); n > 0 {
		r.scanner.matches.Add(int64(n))
	}
	if len(result.Findings) == 0 && (origin == evidence.Backfill || !edited(class)) {
		return piece{}, false, nil
	}
	m := convert(w.source(), full, text, origin, request, now)
	m.Forward, m.Egress = r.names.of(m.Context.ForwardFrom), r.scanner.config.Proxy.Egress()
	e, err := r.make(w, full, m, result, r.clock.at(now))
	if err != nil {
		return e, false, fmt.Errorf("making evidence: %w", err)
	}
	return e, true, nil
}

// make makes evidence: at once, or where the message has files, when these are
// fetched.
func (r *run) make(w *watched, class tg.NotEmptyMessage, m evidence.Message, result evidence.Result, clock evidence.Clock) (piece, error) {
	seal := func(m evidence.Message) (evidence.Evidence, error) {
		return r.scanner.config.Maker.Make(m, result, r.scanner.config.Account, r.self, clock)
	}
	t, ok := class.(*tg.Message)
	if !ok || len(m.Media) == 0 || len(result.Findings) == 0 {
		e, err := seal(m)
		return piece{Evidence: e}, err
	}
	if r.scanner.config.MaxMedia < 0 {
		for i := range m.Media {
			m.Media[i].NotKept = "size only: fetching is turned off"
		}
		e, err := seal(m)
		return piece{Evidence: e}, err
	}
	later := make(chan made, 1)
	r.files.fetch(w, t, m, func(m evidence.Message) {
		e, err := seal(m)
		later <- made{e, err}
	})
	return piece{later: later}, nil
}

// edited reports whether a message was ever edited, also where Telegram does not
// show that: bots edit in silence.
func edited(class tg.MessageClass) bool {
	t, ok := class.(*tg.Message)
	return ok && t.EditDate != 0
}
