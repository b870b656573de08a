package bundle

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"prahari/evidence"
)

// A builder holds what one Build gathers on its way through the items: totals,
// never the items.
type builder struct {
	ctx       context.Context //nolint:containedctx // lives as long as the call it belongs to
	in        Input
	tree      *tree
	archive   *archive // nil: not asked for
	trail     *scratch // the custody chain for reading
	gate      *gateKeeper
	name      string
	items     int
	entries   int64 // of the custody chain
	head      string
	places    []int64          // of the chain's lines in the workspace's log
	leaves    []tlog.Hash      // and their leaves in its tree
	collected map[string]int64 // item's id to its custody seq
	sightings map[messageKey][]evidence.Sighting
	totals    totals
	stamps    []Stamped
	stamped   []LogStamped // of the log, while evidence was collected
	unstamped []string
	shown     gathered // on index.html
}

type messageKey struct {
	source string
	id     int64
}

// Build writes a bundle into dir under its name, as a folder, an archive or both,
// or nothing: it works in a hidden folder and a hidden file beside them, which it
// removes when it fails or ctx ends, and which the next Build removes when the
// process was killed. The same input gives the same bytes.
func Build(ctx context.Context, dir string, in Input) (result Result, err error) {
	in.At = in.At.UTC().Truncate(time.Second)
	in.TLP = cmp.Or(in.TLP, DefaultTLP)
	in.Profile = cmp.Or(in.Profile, ForCourt)
	if err := in.check(); err != nil {
		return Result{}, err
	}
	name := Name(in.Case.ID, in.Seq, in.At)
	t, err := newTree(dir, name, in.At)
	if err != nil {
		return Result{}, err
	}
	defer t.close(&err)
	b := &builder{
		ctx: ctx, in: in, tree: t, gate: newGateKeeper(in.Gate, in.Allow), name: name,
		collected: map[string]int64{}, sightings: map[messageKey][]evidence.Sighting{}, totals: newTotals(), stamps: []Stamped{}, unstamped: []string{},
	}
	if in.Profile.has(custodyLog) {
		if b.trail, err = t.scratch(); err != nil {
			return Result{}, err
		}
		defer func() { _ = b.trail.f.Close() }() // where it was not come to
	}
	if in.Archive != NoArchive {
		if b.archive, err = newArchive(dir, name, in.Archive, in.At); err != nil {
			return Result{}, err
		}
		defer b.archive.close(&err)
	}
	b.gate.know(name, in.Case.ID, in.Prev)
	b.gate.allow(in.Signer.Fingerprint(), Identity(in.Organisation.Domain), Namespace(in.Organisation.Domain), AttestNamespace(in.Organisation.Domain))
	b.sight()
	steps := []func() error{
		b.custody, b.trimCustody, b.allItems, b.coverage, b.authorization, b.environment, b.notices, b.further, b.certificates,
		b.summary, b.page, b.tags, b.attest, b.passGate,
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
		Name: name, Profile: in.Profile, TagManifestSHA256: t.find(tagManifest).sha256(), CustodyHead: b.head,
		SignerFingerprint: in.Signer.Fingerprint(), Stamps: b.stamps, Unstamped: b.unstamped, Items: b.items, Files: len(t.files) + t.items.n,
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

// trimCustody takes the log out again where the profile has none: its head
// stays, a commitment to what the court's bundle shows.
func (b *builder) trimCustody() error {
	if b.in.Profile.has(custodyLog) {
		return nil
	}
	return b.tree.drop("data/custody/")
}

// further adds the files that others made of the case, such as machine formats.
func (b *builder) further() error {
	for _, f := range b.in.Further {
		if err := f.check(); err != nil {
			return err
		}
		if !b.in.Profile.atLeast(f.Least) {
			continue
		}
		if err := b.tree.write(f.Path, f.Data); err != nil {
			return err
		}
	}
	return nil
}

// passGate shows to the leak gate what was not shown to it on the way: every
// open file but the items' own, and every name.
func (b *builder) passGate() error {
	files := b.tree.files
	turns := make([]int, len(files)) // the longest first, so that no core is left with it at the end
	for i := range turns {
		turns[i] = i
	}
	slices.SortFunc(turns, func(i, j int) int { return cmp.Compare(files[j].size, files[i].size) })
	leaks := make([][]Leak, len(files))
	err := spread(b.ctx, len(files), func(ctx context.Context, turn int) (err error) {
		i := turns[turn]
		name := files[i].name
		if !strings.HasPrefix(name, "attest/") && !strings.HasPrefix(name, stampsDir) {
			if leaks[i], err = b.gate.file(ctx, name, b.tree.path(name)); err != nil {
				return err
			}
		}
		leaks[i] = append(b.gate.look(name, "name", []byte(name), 0, nil), leaks[i]...)
		return nil
	})
	if err != nil {
		return err
	}
	for _, found := range leaks {
		b.gate.add(found)
	}
	if len(b.gate.leaks) > 0 {
		return &LeakError{b.gate.leaks}
	}
	return nil
}

func id(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
