package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"prahari/evidence"
)

const (
	itemsPath       = "data/items.csv"
	itemsHead       = "url,username,peer_id,msg_id,first_seen,last_seen,status,item_id,signature"
	commitmentsPath = "data/sealed/commitments.csv"
	commitmentsHead = "item_id,sha256,size,recipient_types,nonce_inside"
	hashReportPath  = "data/hash-report.csv"
	hashReportHead  = "record_id,name,bytes,sha256,computed_at_ist,computed_by"
	annexPath       = "data/certificate/annex-I-particulars.txt"
)

// sealedContent names the container under the seal, whose digest is the
// commitment. It is no file of the bundle.
func sealedContent(item string) string { return "raw-" + item + ".tar (under seal)" }

func toolName(t evidence.Tool) string { return line(t.Name + " " + t.Version) }

// made is what an item adds to the bundle beside its own files.
type made struct {
	item    evidence.Evidence // without sealed bytes
	files   itemEntry
	content [itemKinds][]byte // of its files, for the archive
	rows    [3][]byte         // of items.csv, commitments.csv and hash-report.csv
	annex   string
	local   ids // ids that the tables name
	leaks   []Leak
}

// tables are the files that grow by a row with every item.
type tables struct {
	files [3]*file // nil where the profile has none
	annex *annex
}

// allItems writes each item's open files, its sealed original, and its rows in
// the tables. Items are made by several workers and put together in order, so
// that no more than a few are held.
func (b *builder) allItems() (err error) {
	t, err := b.openTables()
	if err != nil {
		return err
	}
	type job struct {
		first int // number of the first item
		items []evidence.Evidence
		to    chan []made
	}
	g, ctx := errgroup.WithContext(b.ctx)
	jobs, order := make(chan job), make(chan chan []made, 2*workers())
	g.Go(func() error {
		defer close(jobs)
		defer close(order)
		next := 1
		return b.eachBatch(ctx, func(items []evidence.Evidence) error {
			to := make(chan []made, 1)
			if err := send(ctx, order, to); err != nil {
				return err
			}
			first := next
			next += len(items)
			return send(ctx, jobs, job{first, items, to})
		})
	})
	for range workers() {
		g.Go(func() error {
			with := newEncoder()
			for j := range jobs {
				all := make([]made, len(j.items))
				for i := range j.items {
					var err error
					if all[i], err = b.item(j.first+i, &j.items[i], with); err != nil {
						return err
					}
				}
				j.to <- all
			}
			return nil
		})
	}
	g.Go(b.custodyText) // nobody waits for it
	sync := make(chan struct{}, 1)
	g.Go(func() error {
		for range sync {
			if err := b.syncEarly(); err != nil {
				return err
			}
		}
		return nil
	})
	theirs := ids{}
	g.Go(func() error {
		defer close(sync)
		synced := int64(0)
		for to := range order {
			if b.tree.items.bytes-synced > syncBytes {
				synced = b.tree.items.bytes
				select {
				case sync <- struct{}{}:
				default: // the disk has not kept up
				}
			}
			select {
			case all := <-to:
				for _, m := range all {
					if err := b.take(t, m); err != nil {
						return err
					}
					for key := range m.local {
						theirs[key] = struct{}{}
					}
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	err = g.Wait()
	b.collected = nil // every item has its own
	b.gate.items = theirs
	switch twice := b.tree.items.twice(); {
	case err != nil:
	case b.items == 0:
		err = fmt.Errorf("case %s has no evidence: there is nothing to export", b.in.Case.ID)
	case twice != "":
		err = fmt.Errorf("item %s would be in the bundle twice", twice)
	}
	return errors.Join(err, b.closeTables(t, err != nil))
}

// syncEarly begins to make durable what is written of the items' files already,
// so that less is to be waited for in the end.
func (b *builder) syncEarly() error {
	if !b.in.NoFolder {
		return syncEarly(b.tree.root)
	}
	if err := b.archive.f.Sync(); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	return nil
}

func send[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// What is handed to a worker at once: it costs less than items one by one.
const (
	batchItems = 16
	batchBytes = 256 << 10 // of sealed files, if not of one

	syncBytes = 32 << 20 // of files, after which the disk may begin
)

// eachBatch reads the items, a few at a time.
func (b *builder) eachBatch(ctx context.Context, each func([]evidence.Evidence) error) error {
	var batch []evidence.Evidence
	size := 0
	err := b.eachItem(ctx, func(e evidence.Evidence) error {
		batch, size = append(batch, e), size+len(e.Sealed)
		if len(batch) < batchItems && size < batchBytes {
			return nil
		}
		full := batch
		batch, size = nil, 0
		return each(full)
	})
	if err != nil || len(batch) == 0 {
		return err
	}
	return each(batch)
}

// eachItem reads the items and holds them to their order.
func (b *builder) eachItem(ctx context.Context, each func(evidence.Evidence) error) error {
	var last evidence.Evidence
	for e, err := range b.in.Items {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("reading the case's evidence: %w", err)
		}
		if c := e.PostedAt.Compare(last.PostedAt); last.ID != "" && (c < 0 || c == 0 && e.ID <= last.ID) {
			if e.ID == last.ID {
				return fmt.Errorf("item %s would be in the bundle twice", e.ID)
			}
			return fmt.Errorf("item %s is not behind item %s in the order of posting and id", e.ID, last.ID)
		}
		last = evidence.Evidence{ID: e.ID, PostedAt: e.PostedAt}
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) openTables() (*tables, error) {
	t := &tables{}
	if err := b.tree.folder(path.Dir(itemsDir)); err != nil {
		return nil, err
	}
	if b.in.Profile.has(sealedOriginals) {
		if err := b.tree.folder(path.Dir(sealedPrefix)); err != nil {
			return nil, err
		}
	}
	for i, table := range []struct{ name, head string }{{itemsPath, itemsHead}, {commitmentsPath, commitmentsHead}, {hashReportPath, hashReportHead}} {
		if table.name == commitmentsPath && !b.in.Profile.has(commitments) {
			continue
		}
		f, err := b.tree.create(table.name)
		if err != nil {
			return nil, errors.Join(err, b.closeTables(t, true))
		}
		t.files[i] = f
		if _, err := io.WriteString(f, table.head+"\n"); err != nil {
			return nil, errors.Join(err, b.closeTables(t, true))
		}
	}
	if b.in.Profile.has(certificateDrafts) {
		f, err := b.tree.create(annexPath)
		if err != nil {
			return nil, errors.Join(err, b.closeTables(t, true))
		}
		t.annex = b.beginAnnex(f)
	}
	return t, nil
}

// closeTables finishes the tables, or lets go of them after an error.
func (b *builder) closeTables(t *tables, failed bool) error {
	var err error
	for _, f := range t.files {
		switch {
		case f == nil:
		case failed:
			err = errors.Join(err, f.f.Close())
		default:
			err = errors.Join(err, f.close())
		}
	}
	switch {
	case t.annex == nil:
	case failed:
		err = errors.Join(err, t.annex.file.f.Close())
	default:
		err = errors.Join(err, t.annex.end(b))
	}
	return err
}

// take adds an item's rows to the tables and counts it.
func (b *builder) take(t *tables, m made) error {
	for i, f := range t.files {
		if f != nil {
			if _, err := f.Write(m.rows[i]); err != nil {
				return fmt.Errorf("writing %s: %w", f.name, err)
			}
		}
	}
	if b.archive != nil {
		if err := b.archive.putItem(&m); err != nil {
			return err
		}
	}
	b.tree.items.add(m.files)
	b.totals.add(&m.item)
	b.showItem(&m.item)
	if t.annex != nil {
		t.annex.item(b.totals.collectedWith(&m.item), m)
	} else {
		b.totals.collectedWith(&m.item)
	}
	b.gate.add(m.leaks)
	b.items++
	if b.in.Progress != nil {
		b.in.Progress(b.items)
	}
	return nil
}

// item makes an item's files and rows. Open files pass the gate before they
// touch the disk. It runs concurrently, and only reads what b holds.
func (b *builder) item(n int, e *evidence.Evidence, with *encoder) (made, error) {
	sum := sha256.Sum256(e.Sealed)
	if err := checkItem(e, sum); err != nil {
		return made{}, err
	}
	sealed, err := readSealed(bytes.NewReader(e.Sealed), int64(len(e.Sealed)))
	if err != nil {
		return made{}, fmt.Errorf("sealed bytes of item %s: %w", e.ID, err)
	}
	m := made{local: ids{}, files: itemEntry{id: e.ID}}
	b.gate.enter(m.local, idsOf(e)...)
	if err := b.itemFolder(e.ID); err != nil {
		return made{}, err
	}
	var text written
	if n <= platformSamples || b.in.Profile.has(allTexts) {
		if text, err = b.openFile(&m, messageFile, with, b.message(e)); err != nil {
			return made{}, err
		}
	}
	record, err := b.openFile(&m, recordFile, with, b.record(e, sealed, text))
	if err != nil {
		return made{}, err
	}
	done := []written{record}
	if text.size > 0 {
		done = append(done, text)
	}
	if b.in.Profile.has(sealedOriginals) {
		m.leaks = append(m.leaks, b.lookAtName(&m, sealedPath(e.ID))...)
		w, err := b.putItem(&m, sealedFile, sum, e.Sealed)
		if err != nil {
			return made{}, err
		}
		done = append(done, w)
	}
	if err := b.itemFolderDone(e.ID); err != nil {
		return made{}, err
	}
	b.rows(&m, e, sealed, done)
	m.item = *e
	m.item.Sealed = nil
	return m, nil
}

// openFile writes one of an item's open files once it has passed the gate. Of a
// refused export, nothing more reaches the disk.
func (b *builder) openFile(m *made, kind int, with *encoder, v any) (written, error) {
	name := itemFile(m.files.id, kind)
	if err := with.encode(v); err != nil {
		return written{}, fmt.Errorf("%s: %w", name, err)
	}
	data := with.out
	m.leaks = append(m.leaks, b.lookAtName(m, name)...)
	m.leaks = append(m.leaks, b.gate.inspect(name, data, 0, m.local)...)
	sum := sha256.Sum256(data)
	if len(m.leaks) > 0 {
		return written{name, sum, int64(len(data))}, nil
	}
	if b.archive != nil {
		data = bytes.Clone(data) // the next file goes where it lies
	}
	return b.putItem(m, kind, sum, data)
}

func (b *builder) lookAtName(m *made, name string) []Leak {
	return b.gate.look(name, "name", []byte(name), 0, m.local)
}

// rows renders an item's rows in the tables.
func (b *builder) rows(m *made, e *evidence.Evidence, sealed sealedInfo, files []written) {
	lastSeen, status := b.lastLook(e)
	rule := ""
	if len(e.Findings) > 0 {
		rule = e.Findings[0].Rule
	}
	m.rows[0] = csvRow(e.URL, e.Source.Username, id(e.Source.PeerID), id(e.MessageID), utc(e.CapturedAt), utc(lastSeen), status, e.ID, rule)
	size := strconv.FormatInt(sealed.plainSize, 10)
	m.rows[1] = csvRow(e.ID, e.Commitment, size, sealed.kinds(), "yes")
	for _, f := range files {
		m.rows[2] = append(m.rows[2], csvRow(e.ID, f.name, strconv.FormatInt(f.size, 10), f.sha256(), ist(b.in.At), toolName(b.in.Tool))...)
	}
	if b.in.Profile.has(commitments) {
		m.rows[2] = append(m.rows[2], csvRow(e.ID, sealedContent(e.ID), size, e.Commitment, ist(e.CapturedAt), toolName(e.Collection.Tool))...)
	}
	m.annex = fmt.Sprintf("   collected %s by %s\n   request   %s\n   sealed in %s\n   SHA-256 of the container under the seal\n             %s\n",
		ist(e.CapturedAt), line(e.Collection.Operator), line(e.Collection.Request), sealedPath(e.ID), e.Commitment)
	if e.URL != "" {
		m.annex += fmt.Sprintf("   address   %s\n", line(e.URL))
	}
}

// lastLook tells when a message was last seen and in which state.
func (b *builder) lastLook(e *evidence.Evidence) (at time.Time, status string) {
	at, status = e.CapturedAt, "present"
	if !e.EditedAt.IsZero() {
		status = "edited"
	}
	for _, s := range b.sightings[messageKey{e.Source.ID, e.MessageID}] {
		if !s.At.Before(at) {
			status = s.State
			if s.State != "deleted" {
				at = s.At
			}
		}
	}
	return at, status
}

// idsOf lists an item's numbers and names that are ids, for the gate.
func idsOf(e *evidence.Evidence) []string {
	names := []string{e.ID, e.Source.ID, e.Version}
	c := e.Collection.Context
	for _, n := range []int64{e.Source.PeerID, e.MessageID, e.Collection.UserID, c.FromID, c.ForwardFrom, c.ReplyTo, c.GroupedID, c.ViaBotID} {
		names = append(names, strconv.FormatInt(n, 10))
	}
	for _, m := range e.Collection.Media {
		names = append(names, m.ID, m.File)
	}
	for _, f := range e.Findings {
		names = append(names, f.ID)
	}
	return names
}

// checkItem refuses evidence that the store handed over damaged. sum is the
// digest of its sealed bytes.
func checkItem(e *evidence.Evidence, sum [sha256.Size]byte) error {
	switch {
	case !plainName.MatchString(e.ID):
		return errors.New("an item's id is not letters, digits, dot, hyphen and underscore")
	case len(e.Sealed) == 0:
		return fmt.Errorf("item %s has no sealed bytes", e.ID)
	case e.SealedSize != int64(len(e.Sealed)) || hex.EncodeToString(sum[:]) != e.SealedSHA:
		return fmt.Errorf("item %s: the sealed bytes are not those that were recorded: check the database with 'prahari doctor'", e.ID)
	case !hexSHA256.MatchString(e.Commitment):
		return fmt.Errorf("item %s has no commitment", e.ID)
	}
	return nil
}

// csvRow renders one row as RFC 4180 but with LF, every cell made harmless.
func csvRow(cells ...string) []byte {
	var out []byte
	for i, s := range cells {
		if i > 0 {
			out = append(out, ',')
		}
		s = cell(s)
		if strings.ContainsAny(s, ",\"\n\r") || strings.HasPrefix(s, " ") {
			out = append(append(append(out, '"'), strings.ReplaceAll(s, `"`, `""`)...), '"')
			continue
		}
		out = append(out, s...)
	}
	return append(out, '\n')
}

// withTokens drops what links equal values where the profile has none.
func (p Profile) withTokens(f evidence.Kept) evidence.Kept {
	if p.has(tokens) {
		return f
	}
	f.Records = slices.Clone(f.Records)
	for i := range f.Records {
		f.Records[i].Identifiers = slices.Clone(f.Records[i].Identifiers)
		for j := range f.Records[i].Identifiers {
			f.Records[i].Identifiers[j].Token = ""
		}
	}
	return f
}
