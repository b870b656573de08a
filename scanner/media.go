package scanner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// MaxMedia is the most that is fetched of a message's files, in bytes: what
// shows the pattern, and not a dump.
const MaxMedia = 1 << 20

// filesAtOnce bounds the files that are fetched side by side, and filesWaiting
// those that wait for one commit: their bytes are in memory.
const (
	filesAtOnce  = 4
	filesWaiting = 16
)

// filePart is how much is asked for at a time: a divisor of a megabyte, as
// Telegram wants it.
const filePart = 256 << 10

// An attachment is a file under a message, and where it lies.
type attachment struct {
	evidence.Media
	dc int
	at tg.InputFileLocationClass
}

// attachments lists the files under a message. Previews of links are not among
// them, nor are thumbnails: of a photo it is the largest size, the photo itself.
func attachments(class tg.MessageMediaClass) []attachment {
	var out []attachment
	switch m := class.(type) {
	case *tg.MessageMediaDocument:
		if d, ok := m.Document.(*tg.Document); ok {
			out = append(out, attachment{
				evidence.Media{ID: fmt.Sprint(d.ID), MIME: evidence.Caption(d.MimeType, 80), Size: d.Size}, d.DCID,
				&tg.InputDocumentFileLocation{ID: d.ID, AccessHash: d.AccessHash, FileReference: d.FileReference},
			})
		}
	case *tg.MessageMediaPhoto:
		if p, ok := m.Photo.(*tg.Photo); ok {
			kind, size := largest(p.Sizes)
			out = append(out, attachment{
				evidence.Media{ID: fmt.Sprint(p.ID), MIME: "image/jpeg", Size: size}, p.DCID,
				&tg.InputPhotoFileLocation{ID: p.ID, AccessHash: p.AccessHash, FileReference: p.FileReference, ThumbSize: kind},
			})
		}
	case *tg.MessageMediaPaidMedia:
		for _, each := range m.ExtendedMedia {
			if open, ok := each.(*tg.MessageExtendedMedia); ok {
				out = append(out, attachments(open.Media)...)
			}
		}
	}
	return out
}

// largest returns a photo's largest size that can be fetched, and its bytes.
func largest(sizes []tg.PhotoSizeClass) (kind string, bytes int64) {
	for _, class := range sizes {
		switch s := class.(type) {
		case *tg.PhotoSize:
			if int64(s.Size) > bytes {
				kind, bytes = s.Type, int64(s.Size)
			}
		case *tg.PhotoSizeProgressive:
			if n := int64(slices.Max(append(s.Sizes, 0))); n > bytes {
				kind, bytes = s.Type, n
			}
		}
	}
	return kind, bytes
}

// A fetcher fetches the files of messages that hold findings, into memory. It has
// connections of its own: updates come in beside it.
type fetcher struct {
	run    *run
	client *telegram.Client
	within func(func(context.Context)) // starts work that ends with the connection
	slots  chan struct{}
	dial   chan struct{}      // has an element while pools are looked at
	pools  map[int]tg.Invoker // by data centre; 0 is the account's own
}

func newFetcher(ctx context.Context, r *run, client *telegram.Client) *fetcher {
	return &fetcher{
		run: r, client: client, slots: make(chan struct{}, filesAtOnce), dial: make(chan struct{}, 1), pools: map[int]tg.Invoker{},
		within: func(work func(context.Context)) { go work(ctx) },
	}
}

// fetch has the files of a message fetched and then calls made, from another
// goroutine and once: with all of them, or with what they lack and why. The time
// limit counts from now, so that many messages wait no longer than one.
func (f *fetcher) fetch(w *watched, t *tg.Message, m evidence.Message, made func(evidence.Message)) {
	deadline := time.Now().Add(f.run.scanner.config.MediaTime)
	f.within(func(ctx context.Context) {
		limited, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		m.Media = slices.Clone(m.Media)
		if f.kept(limited, m) { // once is enough: this one will be dropped
			made(m)
			return
		}
		left := f.run.scanner.config.MaxMedia
		for i, a := range attachments(t.Media) {
			data, why := []byte(nil), refused(t, a, left)
			if why == "" {
				var err error
				if data, err = f.inTime(limited, w, t.ID, a); err != nil {
					why = f.excuse(ctx, err)
				}
			}
			if why != "" {
				m.Media[i].NotKept = why
				continue
			}
			name := fmt.Sprintf("media/%d-%s", i+1, a.ID)
			m.Media[i].File = name
			m.Files = append(m.Files, evidence.Raw{Name: name, Data: data})
			left -= int64(len(data))
		}
		made(m)
	})
}

// kept reports whether this version of a message is in evidence already.
func (f *fetcher) kept(ctx context.Context, m evidence.Message) bool {
	c := f.run.scanner.config
	versions, err := c.Keeper.Versions(ctx, m.Source.ID, m.ID)
	version := c.Maker.Key.Version(m)
	return err == nil && slices.ContainsFunc(versions, func(e evidence.Evidence) bool { return e.Version == version })
}

// refused says why a file is not asked for, "" where it is.
func refused(t *tg.Message, a attachment, left int64) string {
	switch {
	case len(t.RestrictionReason) > 0:
		return "not copied: Telegram restricts the message"
	case a.Size <= 0:
		return "size only: Telegram gives no size"
	case a.Size > left:
		return fmt.Sprintf("size only: more than the %d bytes that are left of the cap", left)
	}
	return ""
}

// A flaw is a reason that may be recorded: it holds nothing of the server's.
type flaw string

func (f flaw) Error() string { return string(f) }

// excuse says in the record's words why a file could not be fetched.
func (f *fetcher) excuse(ctx context.Context, err error) string {
	var known flaw
	switch {
	case ctx.Err() != nil:
		return "failed: the reading ended before it came"
	case errors.As(err, &known):
		return "failed: " + string(known)
	case errors.Is(err, ErrFloodWait):
		return "failed: Telegram asks to wait for longer than a file may take"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("failed: it did not come within %s", f.run.scanner.config.MediaTime)
	}
	if _, ok := tgerr.As(err); ok {
		return "failed: Telegram says " + rpcType(err)
	}
	return "failed: the data centre with it could not be read"
}

// inTime is download that returns when ctx ends: making a connection to another
// data centre heeds no end before its keys are exchanged, and the recorder waits.
func (f *fetcher) inTime(ctx context.Context, w *watched, message int, a attachment) ([]byte, error) {
	type got struct {
		data []byte
		err  error
	}
	done := make(chan got, 1)
	go func() {
		data, err := f.download(ctx, w, message, a)
		done <- got{data, err}
	}()
	select {
	case g := <-done:
		return g.data, g.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// download fetches a file, whose reference it renews once and which it follows
// to another data centre.
func (f *fetcher) download(ctx context.Context, w *watched, message int, a attachment) ([]byte, error) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	dc, renewed, moved := a.dc, false, false
	if f.known(ctx, dc) == nil { // only Telegram's own word opens a connection elsewhere
		dc = 0
	}
	for {
		pool, err := f.pool(ctx, dc)
		if err != nil {
			return nil, err
		}
		data, err := f.read(ctx, pool, a)
		migrate, elsewhere := tgerr.AsType(err, "FILE_MIGRATE")
		switch {
		case elsewhere && !moved:
			moved, dc = true, migrate.Argument
		case tgerr.Is(err, "FILE_REFERENCE_EXPIRED", "FILE_REFERENCE_INVALID", "FILE_REFERENCE_EMPTY") && !renewed:
			renewed = true
			if a, err = f.renew(ctx, w, message, a); err != nil {
				return nil, err
			}
		default:
			return data, err
		}
	}
}

// known returns the connections to a data centre that there are already.
func (f *fetcher) known(ctx context.Context, dc int) tg.Invoker {
	select {
	case f.dial <- struct{}{}:
		defer func() { <-f.dial }()
		return f.pools[dc]
	case <-ctx.Done():
		return nil
	}
}

// pool returns connections to a data centre. The account's login is carried there
// by auth.exportAuthorization, which passes the guard as every call does.
func (f *fetcher) pool(ctx context.Context, dc int) (tg.Invoker, error) {
	select {
	case f.dial <- struct{}{}:
		defer func() { <-f.dial }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p := f.pools[dc]; p != nil {
		return p, nil
	}
	var p telegram.CloseInvoker // the client closes it
	var err error
	if dc == 0 {
		p, err = f.client.Pool(0)
	} else {
		p, err = f.client.DC(ctx, dc, 0)
	}
	if err != nil {
		return nil, err
	}
	f.pools[dc] = f.run.scanner.guard.Handle(p)
	return f.pools[dc], nil
}

// read reads a file of the size that Telegram said.
func (f *fetcher) read(ctx context.Context, from tg.Invoker, a attachment) ([]byte, error) {
	api := tg.NewClient(from)
	data := make([]byte, 0, a.Size)
	for {
		answer, err := api.UploadGetFile(ctx, &tg.UploadGetFileRequest{Location: a.at, Offset: int64(len(data)), Limit: filePart})
		if err != nil {
			return nil, err
		}
		part, ok := answer.(*tg.UploadFile)
		if !ok {
			return nil, flaw("it lies on a content network that this build does not read")
		}
		switch got := int64(len(data) + len(part.Bytes)); {
		case len(part.Bytes) > filePart, got > a.Size:
			return nil, flaw("more came than the size that Telegram said")
		case got < a.Size && len(part.Bytes) < filePart:
			return nil, flaw(fmt.Sprintf("only %d bytes came", got))
		case got == a.Size:
			return append(data, part.Bytes...), nil
		}
		data = append(data, part.Bytes...)
	}
}

// renew reads a message again, for the new reference of its file.
func (f *fetcher) renew(ctx context.Context, w *watched, message int, a attachment) (attachment, error) {
	var answer tg.MessagesMessagesClass
	var err error
	if ids := []tg.InputMessageClass{&tg.InputMessageID{ID: message}}; w.ownStream() {
		answer, err = f.run.api.MessagesGetMessages(ctx, ids)
	} else {
		answer, err = f.run.api.ChannelsGetMessages(ctx, &tg.ChannelsGetMessagesRequest{Channel: &tg.InputChannel{ChannelID: w.PeerID, AccessHash: w.AccessHash}, ID: ids})
	}
	if err != nil {
		return a, err
	}
	modified, ok := answer.AsModified()
	if !ok {
		return a, flaw("its reference expired, and the message cannot be read again")
	}
	for _, class := range modified.GetMessages() {
		t, ok := class.(*tg.Message)
		if !ok || t.ID != message {
			continue
		}
		for _, fresh := range attachments(t.Media) {
			if fresh.ID == a.ID && fresh.Size == a.Size {
				return fresh, nil
			}
		}
	}
	return a, flaw("its reference expired, and the message no longer has it")
}
