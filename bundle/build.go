package bundle

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"prahari/evidence"
)

// A builder holds what one Build gathers on its way through the items: totals
// and one row per item, never the items.
type builder struct {
	ctx       context.Context //nolint:containedctx // lives as long as the call it belongs to
	in        Input
	tree      *tree
	gate      *gateKeeper
	name      string
	rows      []row
	entries   int64 // of the custody chain
	head      string
	places    []int64          // of the chain's lines in the workspace's log
	leaves    []tlog.Hash      // and their leaves in its tree
	collected map[string]int64 // item's id to its custody seq
	sightings map[messageKey][]evidence.Sighting
	totals    totals
}

type messageKey struct {
	source string
	id     int64
}

// row is what the tables say of an item.
type row struct {
	id, url, username, commitment, kinds, request, operator, tool string
	peer, message, plainSize                                      int64
	posted, captured, lastSeen                                    time.Time
	status, rule                                                  string
}

// Build writes a bundle into dir under its name, or nothing: it works in a
// hidden folder beside it, which it removes when it fails or ctx ends. The same
// input gives the same bytes.
func Build(ctx context.Context, dir string, in Input) (result Result, err error) {
	if err := in.check(); err != nil {
		return Result{}, err
	}
	in.At = in.At.UTC().Truncate(time.Second)
	in.TLP = cmp.Or(in.TLP, DefaultTLP)
	name := Name(in.Case.ID, in.Seq, in.At)
	t, err := newTree(dir, name, in.At)
	if err != nil {
		return Result{}, err
	}
	defer t.close(&err)
	b := &builder{
		ctx: ctx, in: in, tree: t, gate: newGateKeeper(in.Gate, in.Allow), name: name,
		collected: map[string]int64{}, sightings: map[messageKey][]evidence.Sighting{}, totals: newTotals(),
	}
	b.gate.know(name, in.Case.ID, in.Prev)
	b.gate.allow(in.Signer.Fingerprint(), Identity(in.Organisation.Domain), Namespace(in.Organisation.Domain))
	b.sight()
	steps := []func() error{
		b.custody, b.items, b.tables, b.coverage, b.authorization, b.environment, b.notices, b.certificates, b.summary,
		b.tags, b.attest, b.passGate,
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		if err := step(); err != nil {
			return Result{}, err
		}
	}
	result = Result{
		Name: name, Dir: filepath.Join(dir, name), TagManifestSHA256: t.files[tagManifest].sha256, CustodyHead: b.head,
		SignerFingerprint: in.Signer.Fingerprint(), Items: len(b.rows), Files: len(t.files),
	}
	_, result.Bytes = b.oxum()
	if err := b.ship(&result); err != nil {
		return Result{}, err
	}
	return result, nil
}

// sight sorts later looks by message, each once.
func (b *builder) sight() {
	for _, s := range b.in.Sightings {
		key := messageKey{s.SourceID, s.MessageID}
		if !slices.Contains(b.sightings[key], s) {
			b.sightings[key] = append(b.sightings[key], s)
		}
	}
	for _, looks := range b.sightings {
		slices.SortFunc(looks, func(x, y evidence.Sighting) int { return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.State, y.State)) })
	}
}

// ship writes the archive, if asked for, and gives both their final names.
func (b *builder) ship(result *Result) error {
	if !b.in.Archive {
		return b.tree.commit(b.ctx)
	}
	final := filepath.Join(b.tree.dir, b.name+".tar")
	if _, err := os.Lstat(final); err == nil {
		return fmt.Errorf("%w: %s", ErrExists, final)
	}
	f, err := os.CreateTemp(b.tree.dir, "."+b.name+".tar.partial-")
	if err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	sum, err := b.tree.archive(b.ctx, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := b.tree.commit(b.ctx); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), final); err != nil {
		return errors.Join(fmt.Errorf("giving the archive its name: %w", err), os.Remove(f.Name()))
	}
	result.Archive, result.ArchiveSHA256 = final, sum
	return syncPath(b.tree.dir)
}

// items writes each item's open files and its sealed original.
func (b *builder) items() error {
	for e, err := range b.in.Items {
		if err == nil {
			err = b.ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("reading the case's evidence: %w", err)
		}
		if err := b.item(&e); err != nil {
			return err
		}
		if b.in.Progress != nil {
			b.in.Progress(len(b.rows))
		}
	}
	if len(b.rows) == 0 {
		return fmt.Errorf("case %s has no evidence: there is nothing to export", b.in.Case.ID)
	}
	slices.SortFunc(b.rows, func(x, y row) int {
		return cmp.Or(x.posted.Compare(y.posted), cmp.Compare(x.id, y.id))
	})
	return nil
}

func (b *builder) item(e *evidence.Evidence) error {
	if err := checkItem(e); err != nil {
		return err
	}
	sealed, err := readSealed(bytes.NewReader(e.Sealed), int64(len(e.Sealed)))
	if err != nil {
		return fmt.Errorf("sealed bytes of item %s: %w", e.ID, err)
	}
	r, m := b.records(e, sealed)
	if err := b.tree.json(recordPath(e.ID), r); err != nil {
		return err
	}
	if err := b.tree.json(messagePath(e.ID), m); err != nil {
		return err
	}
	if err := b.tree.write(sealedPath(e.ID), e.Sealed); err != nil {
		return err
	}
	b.know(e)
	b.totals.add(e)
	b.totals.collectedWith(e)
	one := row{
		id: e.ID, url: e.URL, username: e.Source.Username, peer: e.Source.PeerID, message: e.MessageID,
		commitment: e.Commitment, kinds: sealed.kinds(), plainSize: sealed.plainSize,
		request: e.Collection.Request, operator: e.Collection.Operator, tool: toolName(e.Collection.Tool),
		posted: e.PostedAt, captured: e.CapturedAt, lastSeen: e.CapturedAt, status: "present",
	}
	if !e.EditedAt.IsZero() {
		one.status = "edited"
	}
	for _, s := range b.sightings[messageKey{e.Source.ID, e.MessageID}] {
		if !s.At.Before(one.lastSeen) {
			one.status = s.State
			if s.State != "deleted" {
				one.lastSeen = s.At
			}
		}
	}
	if len(e.Findings) > 0 {
		one.rule = e.Findings[0].Rule
	}
	b.rows = append(b.rows, one)
	return nil
}

// know tells the gate which of an item's numbers are ids.
func (b *builder) know(e *evidence.Evidence) {
	b.gate.know(e.ID, e.Source.ID, e.Version)
	c := e.Collection.Context
	for _, id := range []int64{e.Source.PeerID, e.MessageID, e.Collection.UserID, c.FromID, c.ForwardFrom, c.ReplyTo, c.GroupedID, c.ViaBotID} {
		b.gate.know(strconv.FormatInt(id, 10))
	}
	for _, m := range e.Collection.Media {
		b.gate.know(m.ID)
	}
	for _, f := range e.Findings {
		b.gate.know(f.ID)
	}
}

// tables writes the CSV files.
func (b *builder) tables() error {
	err := b.tree.stream(itemsPath, func(w io.Writer) error {
		return writeCSV(w, strings.Split(itemsHead, ","), func(cells func(...string)) {
			for _, r := range b.rows {
				cells(r.url, r.username, id(r.peer), id(r.message), utc(r.captured), utc(r.lastSeen), r.status, r.id, r.rule)
			}
		})
	})
	if err != nil {
		return err
	}
	err = b.tree.stream(commitmentsPath, func(w io.Writer) error {
		return writeCSV(w, strings.Split(commitmentsHead, ","), func(cells func(...string)) {
			for _, r := range b.rows {
				cells(r.id, r.commitment, id(r.plainSize), r.kinds, "yes")
			}
		})
	})
	if err != nil {
		return err
	}
	by := toolName(b.in.Tool)
	return b.tree.stream(hashReportPath, func(w io.Writer) error {
		return writeCSV(w, strings.Split(hashReportHead, ","), func(cells func(...string)) {
			for _, r := range b.rows {
				for _, path := range []string{recordPath(r.id), messagePath(r.id), sealedPath(r.id)} {
					f := b.tree.files[path]
					cells(r.id, path, id(f.size), f.sha256, ist(b.in.At), by)
				}
				cells(r.id, sealedContent(r.id), id(r.plainSize), r.commitment, ist(r.captured), r.tool)
			}
		})
	})
}

const (
	itemsPath       = "data/items.csv"
	itemsHead       = "url,username,peer_id,msg_id,first_seen,last_seen,status,item_id,signature"
	commitmentsPath = "data/sealed/commitments.csv"
	commitmentsHead = "item_id,sha256,size,recipient_types,nonce_inside"
	hashReportPath  = "data/hash-report.csv"
	hashReportHead  = "record_id,name,bytes,sha256,computed_at_ist,computed_by"
)

// sealedContent names the container under the seal, whose digest is the
// commitment. It is no file of the bundle.
func sealedContent(item string) string { return "raw-" + item + ".tar (under seal)" }

func toolName(t evidence.Tool) string { return line(t.Name + " " + t.Version) }

func id(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// passGate shows every open file and every name to the leak gate.
func (b *builder) passGate() error {
	for _, name := range b.tree.names(func(string) bool { return true }) {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		if strings.HasPrefix(name, "data/sealed/") || strings.HasPrefix(name, "attest/") {
			b.gate.look(name, "name", []byte(name), 0)
			continue
		}
		if err := b.gate.file(b.ctx, name, b.tree.path(name)); err != nil {
			return err
		}
	}
	if len(b.gate.leaks) > 0 {
		return &LeakError{b.gate.leaks}
	}
	return nil
}
