package scanner

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"sync"
	"time"

	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/updates"
	"github.com/gotd/td/tg"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"prahari/evidence"
)

// RunOptions say what Run reads.
type RunOptions struct {
	Sources      []evidence.Source
	BackfillOnly bool // return when the history is read
}

// run is one use of Run.
type run struct {
	scanner  *Scanner
	api      *tg.Client
	invoker  tg.Invoker // what api calls through
	self     int64
	clock    compared
	seed     maphash.Seed
	record   *recorder
	files    *fetcher
	slots    chan struct{}
	polls    *rate.Limiter
	sources  map[string]*watched // by id
	channels map[int64]*watched  // channels and groups by Telegram's id
	dialogs  []*watched          // those whose updates come with the account's own
	names    names
	started  chan struct{} // closed when updates come in order
	streams  streams
	barred   chan error // has an element when the manager's own calls say that the account cannot read
}

// historiesAtOnce bounds the histories that are read side by side.
const historiesAtOnce = 3

// heartbeat is how often an account that may have nothing to ask for asks whether
// it is still signed in: one that is not is pushed nothing, and told nothing.
const heartbeat = time.Minute

// Run reads what is missing of every source's history and records what is
// posted, edited and deleted, until ctx ends. A failed write ends it: nothing is
// read that cannot be kept. An account that Telegram sends from one data centre to
// the other and back is read ever more seldom.
func (s *Scanner) Run(ctx context.Context, o RunOptions) error {
	pause := reconnecting()
	for {
		began := time.Now()
		before, err := s.session().LoadSession(ctx)
		if err != nil && !errors.Is(err, session.ErrNotFound) {
			return err
		}
		err = s.read(ctx, o)
		if !redirected(err) || !s.carried(ctx, before, err) {
			return err
		}
		if time.Since(began) > time.Minute {
			pause.Reset()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// read is Run on one data centre.
func (s *Scanner) read(ctx context.Context, o RunOptions) error {
	r, err := s.newRun(ctx, o.Sources)
	if err != nil {
		return err
	}
	return r.recording(ctx, func() error { return r.online(ctx, o) })
}

// newRun prepares the reading of those of the sources that are the account's.
func (s *Scanner) newRun(ctx context.Context, sources []evidence.Source) (*run, error) {
	if s.config.Finder == nil || s.config.Maker == nil || s.config.Keeper == nil {
		return nil, errors.New("scanner: reading needs a Finder, a Maker and a Keeper")
	}
	r := &run{
		scanner: s, seed: maphash.MakeSeed(), slots: make(chan struct{}, historiesAtOnce),
		sources: map[string]*watched{}, channels: map[int64]*watched{}, started: make(chan struct{}), barred: make(chan error, 1), streams: streams{all: map[int64]*stream{}},
		polls: rate.NewLimiter(rate.Limit(float64(s.config.PollsPerMinute)/60), historiesAtOnce),
	}
	observed, err := s.config.Keeper.Coverage(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("reading what was seen: %w", err)
	}
	heard, err := s.config.Keeper.Heard(ctx, s.config.Account)
	if err != nil {
		return nil, fmt.Errorf("reading what was told: %w", err)
	}
	seen := map[string][]evidence.Observed{}
	for _, o := range observed {
		seen[o.SourceID] = append(seen[o.SourceID], o)
	}
	for _, source := range sources {
		if source.Account != s.config.Account || source.Kind == evidence.File {
			continue
		}
		w := &watched{Source: source, now: source, behind: make(chan struct{}, 1)}
		told, placed := heard[source.ID]
		w.recall(seen[source.ID], told, placed)
		r.sources[source.ID] = w
		r.names.own("", source.Username, w)
		if source.Kind != evidence.Bot {
			r.channels[source.PeerID] = w
		}
		if w.ownStream() {
			r.dialogs = append(r.dialogs, w)
		}
	}
	if len(r.sources) == 0 {
		return nil, fmt.Errorf("account %s reads none of the sources", s.config.Account)
	}
	if r.record, err = newRecorder(ctx, s.config.Keeper, s.config.Account, s.config.Maker.Operator, r.recorded, r.heard); err != nil {
		return nil, err
	}
	s.meter.mu.Lock()
	s.meter.stats.Sources, s.meter.queue = len(r.sources), r.record.waiting
	s.meter.stats.CaughtUp, s.meter.stats.Lost = 0, 0
	s.meter.mu.Unlock()
	return r, nil
}

// recording records what f sees. Whatever ends f, what was seen is committed, and
// a commit that failed is the reason to tell.
func (r *run) recording(ctx context.Context, f func() error) error {
	recording := make(chan error, 1)
	go func() { recording <- r.record.run(ctx) }()
	err := f()
	r.record.close()
	if kept := <-recording; kept != nil {
		return kept
	}
	return err
}

// recorded tells of what was committed.
func (r *run) recorded(b evidence.Batch) {
	for i := range b.Evidence {
		if len(b.Evidence[i].Findings) > 0 {
			r.scanner.events.send(Event{Kind: Found, Source: b.Evidence[i].Source, Evidence: &b.Evidence[i]})
		}
	}
	for _, c := range b.Changes {
		if w := r.sources[c.SourceID]; w != nil {
			r.scanner.events.send(Event{Kind: Changed, Source: w.source(), Change: &c, Detail: c.Says()})
		}
	}
	for _, g := range b.Gaps {
		if w := r.sources[g.SourceID]; w != nil {
			r.scanner.events.send(Event{Kind: Missed, Source: w.source(), Done: g.Lo, Total: g.Hi, Detail: g.Reason})
		}
	}
}

func (r *run) online(ctx context.Context, o RunOptions) error {
	if o.BackfillOnly {
		return r.scanner.signedIn(ctx, link{}, func(ctx context.Context, client *telegram.Client, self *tg.User) error {
			if err := r.begin(ctx, client, self); err != nil {
				return err
			}
			work, ctx := errgroup.WithContext(ctx)
			for _, w := range r.sources {
				work.Go(func() error { return r.follow(ctx, w, func() {}, true) })
			}
			if err := work.Wait(); err != nil {
				return err
			}
			return r.record.settle("") // files are fetched while there is a connection
		})
	}
	manager := updates.New(updates.Config{
		Handler: telegram.UpdateHandlerFunc(r.handle), Storage: r.record, AccessHasher: r.record,
		OnChannelTooLong: func(id int64) {
			if w := r.channels[id]; w != nil {
				w.lose(longDifference, r.scanner.config.Now())
			}
		},
		OnChannelInaccessible: func(id int64) {
			if w := r.channels[id]; w != nil {
				w.lose(unreached+fromHistory, r.scanner.config.Now()) // the history says what has become of it
			}
		},
		OnTooLong:                       func() {}, // passOver told of it
		OnLoadUserStateFailed:           func() {}, // seedDialogs told of it
		OnLoadChannelStateFailed:        r.losePlace,
		Logger:                          r.scanner.libraryLog(),
		MaxChannelDifferenceConcurrency: historiesAtOnce,
	})
	reconnect := make(chan struct{}, 1)
	noted := telegram.UpdateHandlerFunc(func(ctx context.Context, u tg.UpdatesClass) error {
		r.streams.note(u, func(channel int64) bool { return r.channels[channel] != nil })
		return manager.Handle(ctx, u)
	})
	l := link{handler: noted, reconnect: func() {
		select {
		case reconnect <- struct{}{}:
		default:
		}
	}}
	return r.scanner.signedIn(ctx, l, func(ctx context.Context, client *telegram.Client, self *tg.User) error {
		if err := r.begin(ctx, client, self); err != nil {
			return err
		}
		if err := r.seedChannels(ctx); err != nil {
			return err
		}
		if err := r.seedDialogs(ctx); err != nil {
			return err
		}
		work, ctx := errgroup.WithContext(ctx)
		work.Go(func() error {
			return manager.Run(ctx, differences{r.api, r}, self.ID, updates.AuthOptions{OnStart: func(context.Context) { close(r.started) }})
		})
		work.Go(func() error { return r.failing(ctx) })
		work.Go(func() error { return r.catchPushes(ctx, manager) })
		work.Go(func() error {
			select {
			case err := <-r.barred:
				return err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		work.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return context.Cause(ctx)
				case <-time.After(jitter(heartbeat)):
					if _, err := r.api.UpdatesGetState(ctx); err != nil {
						differences{r.api, r}.bar(err)
					}
				case <-reconnect: // what was pushed meanwhile comes by differences
					if err := r.askDifferences(ctx, manager); err != nil {
						return err
					}
				}
			}
		})
		select {
		case <-r.started:
		case <-ctx.Done():
			return work.Wait()
		}
		// From where the updates go on must be on the disk before anybody relies on it.
		if err := r.record.settle(""); err != nil {
			return errors.Join(err, work.Wait())
		}
		var all sync.WaitGroup
		all.Add(len(r.sources))
		for _, w := range r.sources {
			work.Go(func() error { return r.follow(ctx, w, all.Done, false) })
		}
		work.Go(func() error {
			all.Wait()
			if ctx.Err() == nil {
				r.scanner.events.send(Event{Kind: Watching})
			}
			return nil
		})
		return work.Wait()
	})
}

// failing ends the run when the recorder fails.
func (r *run) failing(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		r.record.mu.Lock()
		defer r.record.mu.Unlock()
		r.record.wake.Broadcast()
	})
	defer stop()
	r.record.mu.Lock()
	defer r.record.mu.Unlock()
	for r.record.failed == nil && ctx.Err() == nil {
		r.record.wake.Wait()
	}
	if r.record.failed != nil {
		return r.record.failed
	}
	return context.Cause(ctx)
}

func (r *run) begin(ctx context.Context, client *telegram.Client, self *tg.User) error {
	r.api, r.invoker, r.self, r.files = client.API(), client, self.ID, newFetcher(ctx, r, client)
	var err error
	r.clock, err = r.scanner.clock(ctx, r.api)
	return err
}

// sourceOf returns the watched source of a message, nil for others.
func (r *run) sourceOf(class tg.MessageClass) *watched {
	m, ok := class.AsNotEmpty()
	if !ok {
		return nil
	}
	switch p := m.GetPeerID().(type) {
	case *tg.PeerChannel:
		return r.channels[p.ChannelID]
	case *tg.PeerUser:
		return r.sources[sourceID(evidence.Bot, p.UserID)]
	}
	return nil
}

const livePush = "push from Telegram (update)"

// handle records what the manager passes on, in order. A message that cannot be
// recorded ends the run before the update state moves past it.
func (r *run) handle(_ context.Context, class tg.UpdatesClass) (err error) {
	select {
	case <-r.started:
	default:
		return nil // not in order yet; the difference brings it again
	}
	var list []tg.UpdateClass
	switch u := class.(type) {
	case *tg.Updates:
		list, err = u.Updates, r.identify(u.Chats, time.Now(), true)
	case *tg.UpdatesCombined:
		list, err = u.Updates, r.identify(u.Chats, time.Now(), true)
	case *tg.UpdateShort:
		list = []tg.UpdateClass{u.Update}
	}
	for i := 0; i < len(list) && err == nil; i++ {
		_, err = r.update(list[i])
	}
	if err != nil {
		r.record.fail(err)
	}
	return err
}

// update records one update; known is false for kinds that do not concern us.
func (r *run) update(class tg.UpdateClass) (known bool, err error) {
	switch u := class.(type) {
	case *tg.UpdateNewChannelMessage:
		return true, r.pushed(u.Message, false)
	case *tg.UpdateNewMessage:
		return true, r.pushed(u.Message, false)
	case *tg.UpdateEditChannelMessage:
		return true, r.pushed(u.Message, true)
	case *tg.UpdateEditMessage:
		return true, r.pushed(u.Message, true)
	case *tg.UpdateDeleteChannelMessages:
		if w := r.channels[u.ChannelID]; w != nil {
			return true, r.deleted(w, u.Messages)
		}
		return true, nil
	case *tg.UpdateDeleteMessages: // of the account's dialogs; Telegram does not say which
		for _, w := range r.dialogs {
			if err := r.deleted(w, u.Messages); err != nil {
				return true, err
			}
		}
		return true, nil
	}
	return false, nil
}

func (r *run) pushed(class tg.MessageClass, edit bool) error {
	w := r.sourceOf(class)
	if w == nil || len(r.sane(w, []tg.MessageClass{class}, evidence.Range{Lo: 1, Hi: math.MaxInt32})) == 0 {
		return nil
	}
	now := r.scanner.config.Now()
	if t, ok := class.(*tg.Message); ok {
		r.scanner.meter.count(func(s *Stats) {
			s.Messages[evidence.Live]++
			if !edit {
				s.Lag = max(now.Sub(time.Unix(int64(t.Date), 0)), 0)
			}
		})
	}
	e, found, err := r.examine(w, class, evidence.Live, livePush, now)
	if err != nil {
		return err
	}
	if !edit {
		w.hear(int64(class.GetID()))
	}
	w.wholeUntil(now)
	var pieces []piece
	if found {
		pieces = append(pieces, e)
	}
	return r.record.add(func(b *evidence.Batch) {
		if found && edit && e.later == nil && len(e.Findings) == 0 { // others are kept in any case
			w.hold(int64(class.GetID()), func(b *evidence.Batch) { b.Evidence = append(b.Evidence, e.Evidence) })
		}
		if !edit {
			observe(b, evidence.Observed{SourceID: w.ID, Range: w.live(int64(class.GetID())), How: evidence.Live, Account: r.scanner.config.Account, At: now})
		}
	}, pieces...)
}

func (r *run) deleted(w *watched, ids []int) error {
	r.scanner.events.send(Event{Kind: Deleted, Source: w.source(), Total: int64(len(ids))})
	now := r.scanner.config.Now()
	return r.record.add(func(b *evidence.Batch) {
		var runs []evidence.Range
		for _, id := range ids {
			seen := evidence.Sighting{SourceID: w.ID, MessageID: int64(id), State: "deleted", At: now}
			b.Sightings = append(b.Sightings, seen)
			w.hold(seen.MessageID, func(b *evidence.Batch) { b.Sightings = append(b.Sightings, seen) })
			runs = append(runs, evidence.Range{Lo: int64(id), Hi: int64(id)})
		}
		for _, run := range evidence.Merge(runs) {
			if !w.ownStream() { // there Telegram does not say in which dialog
				b.Deletions = append(b.Deletions, evidence.Deletion{SourceID: w.ID, Range: run, At: now})
			}
		}
	})
}
