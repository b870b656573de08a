package scanner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// A Pace says which waits an account keeps; a longer one ends the work.
type Pace struct {
	MaxWait time.Duration            `json:"max_flood_wait_ns"`
	Methods map[string]time.Duration `json:"flood_waits_ns,omitempty"` // instead of MaxWait, for single methods
	Rest    time.Duration            `json:"peer_flood_rest_ns"`       // how long nothing is written after PEER_FLOOD
	InARow  int                      `json:"waits_in_a_row"`           // of one call, before it is given up
}

// newPace checks a pace and fills in what is not said.
func newPace(maxWait time.Duration, methods map[string]time.Duration, rest time.Duration) (Pace, error) {
	p := Pace{MaxWait: cmp.Or(max(maxWait, 0), 10*time.Minute), Methods: methods, Rest: cmp.Or(max(rest, 0), 24*time.Hour), InARow: 20}
	for method := range methods {
		if !slices.Contains(reads, method) && !slices.Contains(signIns, method) && !slices.Contains(writes, method) {
			return p, fmt.Errorf("there is no method %q: 'prahari status' names those that were called, such as messages.getHistory", evidence.Caption(method, 60))
		}
	}
	return p, nil
}

// most is the longest wait for a method that is kept.
func (p Pace) most(method string) time.Duration {
	if own, ok := p.Methods[method]; ok {
		return own
	}
	return p.MaxWait
}

// asked reads how long a method may not be called from Telegram's answer; the
// reason is "" where it says nothing of it. SLOWMODE_WAIT is a chat's own, but an
// account writes to one chat at a time.
func (p Pace) asked(err error) (wait time.Duration, reason string) {
	if tgerr.Is(err, "PEER_FLOOD") {
		return p.Rest, "PEER_FLOOD"
	}
	for _, name := range []string{tgerr.ErrFloodWait, tgerr.ErrPremiumFloodWait, "SLOWMODE_WAIT"} {
		if rpc, ok := tgerr.AsType(err, name); ok {
			const year = 365 * 24 * 60 * 60 // no server's number makes a time that is none
			return time.Duration(min(max(rpc.Argument, 1), year)) * time.Second, name
		}
	}
	return 0, ""
}

// invoke makes a call when Telegram lets the account make it. It obeys what was
// asked of this method before, also by an earlier process, and fails with
// ErrFloodWait where that is more than the pace allows.
func (g *guard) invoke(ctx context.Context, method string, call func() error) error {
	for range g.pace.InARow {
		if err := g.due(ctx, method); err != nil {
			return err
		}
		g.mu.Lock()
		g.calls[method]++
		g.mu.Unlock()
		err := call()
		wait, reason := g.pace.asked(err)
		if reason == "" {
			return err
		}
		g.put(method, wait, reason)
	}
	return fmt.Errorf("%w: %s was put off %d times in a row", ErrFloodWait, method, g.pace.InARow)
}

// put notes a wait and tells of it.
func (g *guard) put(method string, wait time.Duration, reason string) {
	w := evidence.Wait{Account: g.account, Method: method, Until: time.Now().Add(wait), Reason: reason}
	if reason == "PEER_FLOOD" && slices.Contains(writes, method) {
		w.Method = evidence.AnyWrite
	}
	g.mu.Lock()
	g.waits[w.Method] = w
	g.mu.Unlock()
	kind := Waiting
	if reason == "PEER_FLOOD" || wait > g.pace.most(method) {
		kind = Resting
	}
	g.events(Event{Kind: kind, Method: method, Wait: wait, Detail: reason, Until: w})
}

// due waits until a method may be called.
func (g *guard) due(ctx context.Context, method string) error {
	g.mu.Lock()
	w := g.waits[method]
	if all := g.waits[evidence.AnyWrite]; slices.Contains(writes, method) && all.Until.After(w.Until) {
		w = all
	}
	g.mu.Unlock()
	wait := time.Until(w.Until)
	switch {
	case wait <= 0:
		return nil
	case w.Reason == "PEER_FLOOD":
		return fmt.Errorf("%w: it holds what account %s wrote for too much (PEER_FLOOD); %s rests until %s", ErrFloodWait, g.account, method, w.Until.UTC().Format(time.RFC3339))
	case wait > g.pace.most(method):
		return fmt.Errorf("%w: %s may be called again in %s, the cap is %s", ErrFloodWait, method, wait.Round(time.Second), g.pace.most(method))
	}
	if deadline, limited := ctx.Deadline(); limited && deadline.Before(w.Until) {
		return fmt.Errorf("%w: %s may be called again in %s, which is too late", ErrFloodWait, method, wait.Round(time.Second))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// resting lists the waits that last, by method.
func (g *guard) resting() []evidence.Wait {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := []evidence.Wait{}
	for _, method := range slices.Sorted(maps.Keys(g.waits)) {
		if w := g.waits[method]; time.Now().Before(w.Until) {
			out = append(out, w)
		}
	}
	return out
}
