package scanner

import (
	"context"
	"errors"
	"slices"

	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/telegram/updates"
	"github.com/gotd/td/tg"

	"prahari/evidence"
)

// askDifferences has the manager ask what happened while nothing could be pushed:
// Telegram tells it of no channel by itself.
func (r *run) askDifferences(ctx context.Context, manager *updates.Manager) error {
	all := &tg.Updates{}
	for _, w := range r.sources {
		switch w.Access {
		case evidence.Joined:
			all.Updates = append(all.Updates, &tg.UpdateChannelTooLong{ChannelID: w.PeerID})
		case evidence.BotDialog:
			w.nudge() // the account's own updates may be lost on the way: its history is the backstop
		}
	}
	if err := manager.Handle(ctx, all); err != nil {
		return err
	}
	return manager.Handle(ctx, &tg.UpdatesTooLong{})
}

// differences stands between the manager and Telegram's differences. The manager
// hands edits and deletions of a difference to another goroutine and may save
// the new state before they are handled; here they are recorded before it sees
// them, behind the new messages that they may be about.
type differences struct {
	*tg.Client
	run *run
}

// record records the new messages, then what it knows of the other updates, and
// returns the rest.
func (d differences) record(messages []tg.MessageClass, chats []tg.ChatClass, all []tg.UpdateClass) (rest []tg.UpdateClass, err error) {
	d.run.names.learn(chats)
	slices.SortStableFunc(messages, func(a, b tg.MessageClass) int { return a.GetID() - b.GetID() })
	for _, m := range messages {
		if err := d.run.pushed(m, false); err != nil {
			d.run.record.fail(err)
			return nil, err
		}
	}
	for _, u := range all {
		switch u.(type) {
		case *tg.UpdateEditChannelMessage, *tg.UpdateEditMessage, *tg.UpdateDeleteChannelMessages, *tg.UpdateDeleteMessages:
			if _, err := d.run.update(u); err != nil {
				d.run.record.fail(err)
				return nil, err
			}
		default:
			rest = append(rest, u)
		}
	}
	return rest, nil
}

// bar ends the run where an error says that the account cannot read: the manager
// would log it and wait for the next push.
func (d differences) bar(err error) {
	if !errors.Is(err, ErrFloodWait) && !auth.IsUnauthorized(err) {
		return
	}
	select {
	case d.run.barred <- err:
	default:
	}
}

func (d differences) UpdatesGetChannelDifference(ctx context.Context, req *tg.UpdatesGetChannelDifferenceRequest) (tg.UpdatesChannelDifferenceClass, error) {
	answer, err := d.Client.UpdatesGetChannelDifference(ctx, req)
	reason := longDifference
	if isUnreadable(err) { // the manager would ask for the same again and again
		reason = newerDifference
		var pts int
		if pts, err = d.run.channelPts(ctx, req.Channel); err == nil {
			dialog := &tg.Dialog{}
			dialog.SetPts(pts)
			answer = &tg.UpdatesChannelDifferenceTooLong{Final: true, Dialog: dialog}
		}
	}
	if err != nil {
		d.bar(err)
		return answer, err
	}
	switch a := answer.(type) {
	case *tg.UpdatesChannelDifference:
		a.OtherUpdates, err = d.record(a.NewMessages, a.Chats, a.OtherUpdates)
		a.NewMessages = nil
	case *tg.UpdatesChannelDifferenceTooLong:
		input, ok := req.Channel.(*tg.InputChannel)
		if !ok {
			break
		}
		w := d.run.channels[input.ChannelID]
		dialog, ok := a.Dialog.(*tg.Dialog)
		if w == nil || !ok {
			break
		}
		// The history may be read already, so what was missed is told here.
		if dialog.TopMessage == 0 { // not told: the history will
			w.lose(reason, d.run.scanner.config.Now())
		} else {
			err = d.run.passedOver(w, int64(dialog.TopMessage), reason)
		}
	}
	return answer, err
}

func (d differences) UpdatesGetDifference(ctx context.Context, req *tg.UpdatesGetDifferenceRequest) (tg.UpdatesDifferenceClass, error) {
	answer, err := d.Client.UpdatesGetDifference(ctx, req)
	if isUnreadable(err) {
		var state *tg.UpdatesState
		if state, err = d.UpdatesGetState(ctx); err == nil {
			return &tg.UpdatesDifferenceTooLong{Pts: state.Pts}, d.passOver(ctx, newerDifference)
		}
	}
	if err != nil {
		d.bar(err)
		return answer, err
	}
	switch a := answer.(type) {
	case *tg.UpdatesDifference:
		a.OtherUpdates, err = d.record(a.NewMessages, a.Chats, a.OtherUpdates)
		a.NewMessages = nil
	case *tg.UpdatesDifferenceSlice:
		a.OtherUpdates, err = d.record(a.NewMessages, a.Chats, a.OtherUpdates)
		a.NewMessages = nil
	case *tg.UpdatesDifferenceTooLong:
		err = d.passOver(ctx, longDialogs)
	}
	return answer, err
}

// passOver records what a difference of the account's own updates does not tell,
// before the manager saves the place behind it: a kill in between would lose the
// reason.
func (d differences) passOver(ctx context.Context, reason string) error {
	for _, w := range d.run.dialogs {
		newest, err := d.run.newest(ctx, w)
		if lost(err) {
			continue // its history tells of it
		}
		if err == nil && newest > 0 {
			err = d.run.passedOver(w, newest, reason)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
