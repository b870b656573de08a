package scanner

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// pageSize is the most that messages.getHistory gives.
const pageSize = 100

// joinedInterval is how often the history of sources that push is checked: a
// backstop, for pushes are not all that a server may lose.
const joinedInterval = 10 * time.Minute

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
	told   bool      // the gap of that is recorded
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
func (w *watched) begin(newest int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard, w.placed = newest, false
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
		w.synced, w.top, w.reason, w.told, w.known = true, max(w.top, top), "", false, true
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
	w.synced, w.reason, w.told = false, reason+fromHistory, true
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
