package scanner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gotd/td/telegram/updates"

	"prahari/evidence"
)

// maxPending bounds what waits for the disk, in pieces of evidence.
const maxPending = 256

// gather is how long a batch is gathered: each transaction costs a wait for the
// disk, and a quarter of the time of a backfill went into small ones.
const gather = 80 * time.Millisecond

// A recorder queues what was seen and what the update state became, in order,
// and commits it in batches: whatever was queued before a state commits with it
// or before it, so that the state never runs ahead of the evidence. After one
// failed commit it takes nothing more, and the run ends.
type recorder struct {
	keeper  Keeper
	account string
	actor   string
	after   func(evidence.Batch)         // called with every committed batch, of its evidence with what is new
	heard   func(int64) []evidence.Heard // of what comes with a channel's updates, or for 0 with the account's, what is new

	mu      sync.Mutex
	wake    *sync.Cond
	pending evidence.Batch
	making  []making            // evidence of pending that waits for files
	taken   int64               // batches handed to the keeper
	done    int64               // batches committed
	writing []evidence.Observed // of the batch that is being committed
	closed  bool
	failed  error
	settles int // callers who wait for what is pending

	state    evidence.UpdateState // as queued
	known    bool
	channels map[int64]evidence.ChannelState
}

func newRecorder(ctx context.Context, k Keeper, account, actor string, after func(evidence.Batch), heard func(int64) []evidence.Heard) (*recorder, error) {
	r := &recorder{keeper: k, account: account, actor: actor, after: after, heard: heard, channels: map[int64]evidence.ChannelState{}}
	r.wake = sync.NewCond(&r.mu)
	state, channels, found, err := k.UpdateState(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("reading the update state of account %s: %w", account, err)
	}
	r.state, r.known = state, found
	r.state.Account = account
	for _, c := range channels {
		r.channels[c.ChannelID] = c
	}
	return r, nil
}

// A piece is evidence: made, or being made while files are fetched.
type piece struct {
	evidence.Evidence
	later <-chan made // nil: it is made
}

type made struct {
	evidence.Evidence
	err error
}

// making is where in a batch what is being made belongs.
type making struct {
	at    int
	later <-chan made
}

// add queues evidence, and what change writes into the batch. It waits while too
// much is pending, and fails when a commit has failed.
func (r *recorder) add(change func(*evidence.Batch), found ...piece) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for (len(r.pending.Evidence) >= maxPending || len(r.making) >= filesWaiting) && r.failed == nil {
		r.wake.Wait()
	}
	if r.failed != nil {
		return r.failed
	}
	if r.closed {
		return errors.New("the recorder is closed")
	}
	for _, p := range found {
		if p.later != nil {
			r.making = append(r.making, making{len(r.pending.Evidence), p.later})
		}
		r.pending.Evidence = append(r.pending.Evidence, p.Evidence)
	}
	change(&r.pending)
	r.wake.Broadcast()
	return nil
}

// waiting returns how many pieces of evidence wait for the disk.
func (r *recorder) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending.Evidence)
}

// fail stops the recording: nothing queued from now on is committed.
func (r *recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = err
	}
	r.wake.Broadcast()
}

// close lets run commit what is pending and return.
func (r *recorder) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.wake.Broadcast()
}

// settle waits until everything that was queued is committed, for a source only if
// something of it is. Where nothing is, nobody waits: with thousands of sources that begin, each would cut a
// batch short and wait for the disk.
func (r *recorder) settle(sourceID string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := func(o evidence.Observed) bool { return o.SourceID == sourceID }
	if sourceID != "" && !slices.ContainsFunc(r.pending.Observed, of) && !slices.ContainsFunc(r.writing, of) {
		return r.failed
	}
	r.settles++
	r.wake.Broadcast()
	defer func() { r.settles-- }()
	target := r.taken
	if !r.pending.Empty() {
		target++
	}
	for r.done < target && r.failed == nil {
		r.wake.Wait()
	}
	return r.failed
}

// run commits until close, whatever becomes of ctx: what was seen is kept.
func (r *recorder) run(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	for {
		batch, waits, ok, err := r.take()
		if !ok {
			return err
		}
		if err := complete(batch, waits); err != nil {
			r.fail(err)
			return err
		}
		fresh, err := r.keeper.Commit(ctx, batch)
		if err != nil {
			err = fmt.Errorf("recording: %w", err)
			r.fail(err)
			return err
		}
		r.mu.Lock()
		r.done++
		r.writing = nil
		r.wake.Broadcast()
		r.mu.Unlock()
		batch.Evidence = fresh
		r.after(batch)
	}
}

// complete waits for the evidence that is still being made. Every file has its
// time limit, which began when it was found.
func complete(b evidence.Batch, waits []making) error {
	for _, w := range waits {
		got := <-w.later
		if got.err != nil {
			return fmt.Errorf("making evidence: %w", got.err)
		}
		b.Evidence[w.at] = got.Evidence
	}
	return nil
}

// take waits for something to commit; ok is false at the end.
func (r *recorder) take() (b evidence.Batch, waits []making, ok bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.pending.Empty() && !r.closed && r.failed == nil {
		r.wake.Wait()
	}
	until := time.Now().Add(gather)
	stop := time.AfterFunc(gather, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.wake.Broadcast()
	})
	defer stop.Stop()
	for time.Now().Before(until) && len(r.pending.Evidence) < maxPending/2 && len(r.making) < filesWaiting && r.settles == 0 && !r.closed && r.failed == nil {
		r.wake.Wait()
	}
	if r.failed != nil {
		return evidence.Batch{}, nil, false, r.failed
	}
	if r.pending.Empty() {
		return evidence.Batch{}, nil, false, nil
	}
	batch := r.pending
	batch.Actor = r.actor
	waits, r.making = r.making, nil
	r.pending, r.writing = evidence.Batch{}, batch.Observed
	r.taken++
	r.wake.Broadcast()
	return batch, waits, true, nil
}

// The rest is what the update manager keeps its place with.
var (
	_ updates.StateStorage        = (*recorder)(nil)
	_ updates.ChannelAccessHasher = (*recorder)(nil)
)

func (r *recorder) GetState(context.Context, int64) (updates.State, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return updates.State{Pts: r.state.Pts, Qts: r.state.Qts, Date: r.state.Date, Seq: r.state.Seq}, r.known, nil
}

// put queues the state after change.
func (r *recorder) put(change func(*evidence.UpdateState)) error {
	return r.add(func(b *evidence.Batch) {
		before := r.state.Pts
		if change(&r.state); r.state.Pts != before || !r.known {
			r.hear(b, 0)
		}
		r.known = true
		state := r.state
		b.State = &state
	})
}

func (r *recorder) SetState(_ context.Context, user int64, s updates.State) error {
	return r.put(func(u *evidence.UpdateState) {
		u.UserID, u.Pts, u.Qts, u.Date, u.Seq = user, s.Pts, s.Qts, s.Date, s.Seq
	})
}

func (r *recorder) SetPts(_ context.Context, _ int64, pts int) error {
	return r.put(func(u *evidence.UpdateState) { u.Pts = pts })
}

func (r *recorder) SetQts(_ context.Context, _ int64, qts int) error {
	return r.put(func(u *evidence.UpdateState) { u.Qts = qts })
}

func (r *recorder) SetDate(_ context.Context, _ int64, date int) error {
	return r.put(func(u *evidence.UpdateState) { u.Date = date })
}

func (r *recorder) SetSeq(_ context.Context, _ int64, seq int) error {
	return r.put(func(u *evidence.UpdateState) { u.Seq = seq })
}

func (r *recorder) SetDateSeq(_ context.Context, _ int64, date, seq int) error {
	return r.put(func(u *evidence.UpdateState) { u.Date, u.Seq = date, seq })
}

// hear queues with a new place in a channel's updates, or for 0 in the account's,
// how far they told of what comes with them.
func (r *recorder) hear(b *evidence.Batch, channel int64) {
	for _, h := range r.heard(channel) {
		same := func(other evidence.Heard) bool { return other.SourceID == h.SourceID }
		if i := slices.IndexFunc(b.Heard, same); i >= 0 {
			b.Heard[i] = h
			continue
		}
		b.Heard = append(b.Heard, h)
	}
}

// putChannel queues a channel's state after change. Only a channel with both
// places is kept: one without the access hash could not be read again.
func (r *recorder) putChannel(id int64, change func(*evidence.ChannelState)) error {
	return r.add(func(b *evidence.Batch) {
		c := r.channels[id]
		c.Account, c.ChannelID = r.account, id
		before := c.Pts
		change(&c)
		r.channels[id] = c
		if c.Pts == 0 || c.AccessHash == 0 {
			return
		}
		if c.Pts != before {
			r.hear(b, id)
		}
		for i := range b.Channels {
			if b.Channels[i].ChannelID == id {
				b.Channels[i] = c
				return
			}
		}
		b.Channels = append(b.Channels, c)
	})
}

func (r *recorder) GetChannelPts(_ context.Context, _, id int64) (int, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.channels[id]
	return c.Pts, c.Pts != 0, nil
}

func (r *recorder) SetChannelPts(_ context.Context, _, id int64, pts int) error {
	return r.putChannel(id, func(c *evidence.ChannelState) { c.Pts = pts })
}

func (r *recorder) ForEachChannels(ctx context.Context, _ int64, f func(context.Context, int64, int) error) error {
	r.mu.Lock()
	var known []evidence.ChannelState
	for _, c := range r.channels {
		if c.Pts != 0 { // one without its hash is told as lost
			known = append(known, c)
		}
	}
	r.mu.Unlock()
	for _, c := range known {
		if err := f(ctx, c.ChannelID, c.Pts); err != nil {
			return err
		}
	}
	return nil
}

func (r *recorder) GetChannelAccessHash(_ context.Context, _, id int64) (int64, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.channels[id]
	return c.AccessHash, c.AccessHash != 0, nil
}

func (r *recorder) SetChannelAccessHash(_ context.Context, _, id, hash int64) error {
	r.mu.Lock()
	same := r.channels[id].AccessHash == hash
	r.mu.Unlock()
	if same {
		return nil
	}
	return r.putChannel(id, func(c *evidence.ChannelState) { c.AccessHash = hash })
}
