package scanner

import (
	"cmp"
	"fmt"
	"time"

	"prahari/evidence"
)

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

// precisely says with a reason of which messages edits and deletions may be missing,
// and from when on; the gap's own time is until when. What was told before a loss is
// the same after a crash, so that the loss told again is the same gap. w.mu is held.
func (w *watched) precisely(reason string, newest int64) string {
	since := "ever"
	if !w.whole.IsZero() {
		since = w.whole.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s: of messages up to %d, since %s; the last versions of the newest %d seen before are read again", reason, newest, since, pageSize)
}

// gap records that a range was missed.
func (r *run) gap(w *watched, missed evidence.Range, reason string) error {
	return r.record.add(func(b *evidence.Batch) {
		b.Gaps = append(b.Gaps, evidence.Gap{SourceID: w.ID, Range: missed, Reason: reason, At: r.scanner.config.Now()})
	})
}

// lose notes that updates were lost, and why, and has the history read again:
// what it shows to be missing is a gap of that reason. The first reason stays
// until then.
func (w *watched) lose(reason string, at time.Time) {
	w.mu.Lock()
	w.lostAt = at
	w.synced = false
	w.losses++
	if w.reason == "" {
		w.reason, w.from = reason, w.heard
	}
	w.mu.Unlock()
	w.nudge()
}

// passedOver records a gap up to the newest message, of what updates did not tell
// of, and has the history read. Where nothing is new, what may have been edited or
// deleted is told: not of a source that nobody read yet, nor twice of one loss.
func (r *run) passedOver(w *watched, newest int64, reason string) error {
	w.mu.Lock()
	missed, again := evidence.Range{Lo: w.heard + 1, Hi: newest}, w.passed || !w.known
	w.told, w.passed, w.heard = true, true, max(w.heard, newest)
	precise := w.precisely(cmp.Or(w.reason, reason), newest)
	w.mu.Unlock()
	w.lose(reason, r.scanner.config.Now())
	if missed.Lo > missed.Hi {
		if again {
			return nil
		}
		missed.Lo = 1
	}
	return r.gap(w, missed, precise)
}

// missed records the gap of a loss when the history is looked at: all from what
// updates told last; or, where nothing is new, all that may have been edited or
// deleted. A source that could not be read has a gap that is open: then it is what
// is missing now.
func (r *run) missed(w *watched, missing []evidence.Range, top int64) error {
	w.mu.Lock()
	reason, told, passed := w.reason, w.told, w.passed
	all := evidence.Range{Lo: w.from + 1, Hi: top}
	if w.told = reason != ""; w.told && !told {
		w.heard = max(w.heard, top)
	}
	precise := w.precisely(reason, top)
	w.mu.Unlock()
	if reason == "" || passed {
		return nil
	}
	if all.Lo > all.Hi {
		all.Lo = 1
	}
	if !told && top > 0 {
		missing = []evidence.Range{all}
	}
	for _, m := range missing {
		if err := r.gap(w, m, precise); err != nil {
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
	w.lose(lostPlace, r.scanner.config.Now())
	// The next push finds its way again. A recorder that failed ends the run by itself.
	_ = r.record.putChannel(channel, func(c *evidence.ChannelState) { c.AccessHash = w.AccessHash })
}
