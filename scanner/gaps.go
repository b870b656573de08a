package scanner

import "prahari/evidence"

// Reasons of gaps. What was missed when it was posted is read from history, which
// shows no edit and no deletion that came before the reading.
const (
	fromHistory     = "messages were read from history, edits and deletions before it were not seen"
	longDifference  = "Telegram's difference was too long to be told; " + fromHistory
	longDialogs     = "Telegram's difference of the account's dialogs was too long to be told; " + fromHistory
	lostPlace       = "the place in the channel's updates was not known any more; " + fromHistory
	lostState       = "the account's place in its updates was not known any more; " + fromHistory
	newerDifference = "Telegram told of changes in a form that this build does not know; " + fromHistory
	newerMessage    = "Telegram sent it in a form that this build does not know: upgrade prahari, the next watch reads it"
	strangeHistory  = "Telegram answered with messages that were not asked for"
	unreached       = "Telegram gave no access to the source; "
)

// gap records that a range was missed.
func (r *run) gap(w *watched, missed evidence.Range, reason string) error {
	return r.record.add(func(b *evidence.Batch) {
		b.Gaps = append(b.Gaps, evidence.Gap{SourceID: w.ID, Range: missed, Reason: reason, At: r.scanner.config.Now()})
	})
}

// lose notes that updates were lost, and why, and has the history read again:
// what it shows to be missing is a gap of that reason. The first reason stays
// until then. It returns the newest message id that was seen without a hole
// before.
func (w *watched) lose(reason string) (top int64) {
	w.mu.Lock()
	top = w.top
	w.synced = false
	w.losses++
	if w.reason == "" {
		w.reason = reason
	}
	w.mu.Unlock()
	w.nudge()
	return top
}

// passedOver records a gap up to the newest message, of what updates did not tell
// of, and has the history read again. Where the history was read already, what may
// have been edited or deleted is told.
func (r *run) passedOver(w *watched, newest int64, reason string) error {
	w.mu.Lock()
	missed := evidence.Range{Lo: w.heard + 1, Hi: newest}
	w.told, w.heard = true, max(w.heard, newest)
	w.mu.Unlock()
	if missed.Lo > missed.Hi {
		missed.Lo = 1
	}
	w.lose(reason)
	return r.gap(w, missed, reason)
}

// missed records the gaps of a loss when the history is looked at: what is
// missing now; or, where nothing is, all that may have been edited or deleted.
func (r *run) missed(w *watched, missing []evidence.Range, top int64) error {
	w.mu.Lock()
	reason, told := w.reason, w.told
	w.told = reason != ""
	w.mu.Unlock()
	if reason == "" {
		return nil
	}
	if len(missing) == 0 && !told && top > 0 {
		missing = []evidence.Range{{Lo: 1, Hi: top}}
	}
	for _, m := range missing {
		if err := r.gap(w, m, reason); err != nil {
			return err
		}
	}
	return nil
}

// losePlace is for a channel of which no place in its updates is known.
func (r *run) losePlace(channel int64) {
	w := r.channels[channel]
	if w == nil {
		return
	}
	w.lose(lostPlace)
	// The next push finds its way again. A recorder that failed ends the run by itself.
	_ = r.record.putChannel(channel, func(c *evidence.ChannelState) { c.AccessHash = w.AccessHash })
}

// loseState is for an account of which no place in its updates is known: nothing
// new where it watches for the first time.
func (r *run) loseState() {
	for _, w := range r.sources {
		w.mu.Lock()
		seen := w.top > 0
		w.mu.Unlock()
		if w.ownStream() && seen {
			w.lose(lostState)
		}
	}
}
