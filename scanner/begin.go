package scanner

import (
	"context"
	"fmt"
	"math"

	"github.com/gotd/td/tg"

	"prahari/evidence"
)

// seedChannels gives the update manager a place to begin in channels that it
// never followed: it would take the first push it happens to handle for the
// start, and drop those before it. What came earlier is read from history.
func (r *run) seedChannels(ctx context.Context) error {
	for _, w := range r.sources {
		if w.Access != evidence.Joined {
			continue
		}
		if _, known, _ := r.record.GetChannelPts(ctx, r.self, w.PeerID); known {
			continue
		}
		p, err := r.page(ctx, w, 0, 0, 1)
		newest := int64(0)
		if p.messages = r.sane(w, p.messages, evidence.Range{Lo: 1, Hi: math.MaxInt32}); len(p.messages) > 0 {
			newest = int64(p.messages[0].GetID())
		}
		if isUnreadable(err) {
			if newest, err = r.newest(ctx, w); err == nil { // first: what is posted meanwhile is to be told
				p.pts, err = r.channelPts(ctx, &tg.InputChannel{ChannelID: w.PeerID, AccessHash: w.AccessHash})
			}
		}
		if lost(err) {
			continue // follow tells of it
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", w.ID, err)
		}
		if err := r.beginAt(w, newest, w.pushed, lostPlace); err != nil {
			return err
		}
		err = r.record.putChannel(w.PeerID, func(c *evidence.ChannelState) { c.AccessHash, c.Pts = w.AccessHash, p.pts })
		if err != nil {
			return err
		}
	}
	return nil
}

// beginAt notes the newest message that there is when updates begin; or that they
// begin again, which is a gap of what they did not tell of.
func (r *run) beginAt(w *watched, newest int64, again bool, reason string) error {
	var err error
	if again && newest > 0 {
		err = r.passedOver(w, newest, reason)
	}
	w.begin(newest, r.scanner.config.Now())
	return err
}

// seedDialogs notes where updates begin to tell of the account's dialogs: of all,
// where its place in them is not known, and else of those that are new.
func (r *run) seedDialogs(ctx context.Context) error {
	_, known, _ := r.record.GetState(ctx, r.self)
	for _, w := range r.dialogs {
		if known && (w.placed || w.known) {
			continue
		}
		newest, err := r.newest(ctx, w)
		if lost(err) || r.refused(err) {
			continue // follow tells of it
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", w.ID, err)
		}
		if err := r.beginAt(w, newest, w.known, lostState); err != nil {
			return err
		}
	}
	if !known { // it is recorded with the place that is asked for now
		return nil
	}
	return r.record.add(func(b *evidence.Batch) { r.record.hear(b, 0) })
}

// heard returns how far updates told of what comes with those of a channel, or
// for 0 with the account's, where that is not recorded yet.
func (r *run) heard(channel int64) (news []evidence.Heard) {
	all := r.dialogs
	if channel != 0 {
		all = nil
		if w := r.channels[channel]; w != nil {
			all = []*watched{w}
		}
	}
	for _, w := range all {
		w.mu.Lock()
		if !w.placed || w.kept != w.heard {
			w.placed, w.kept = true, w.heard
			news = append(news, evidence.Heard{Account: r.scanner.config.Account, SourceID: w.ID, MessageID: w.heard, At: r.scanner.config.Now()})
		}
		w.mu.Unlock()
	}
	return news
}
