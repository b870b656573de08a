package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"prahari/bundle"
	"prahari/evidence"
	"prahari/store"
)

func newEvidence(e env) *cobra.Command {
	return noun("evidence", "Sealed originals, on legal's machine", newEvidenceOpen(e), newEvidenceReceipts(e))
}

type openOptions struct {
	identity, reason, approver, out, commitment, receipts, signer string
	items                                                         []string
	dryRun                                                        bool
}

func newEvidenceOpen(e env) *cobra.Command {
	var o openOptions
	cmd := &cobra.Command{
		Use: "open BUNDLE|FILE.age|ID", Short: "Open sealed originals with an identity, on legal's machine",
		Long: `Open sealed originals: of a bundle (its folder), of one sealed file, or of a finding or piece
of evidence of a workspace. It takes a recipient's identity, which the scanning host never
holds, a reason, and a second person who approves; all but the identity are recorded before
a byte is written. Each original is checked: what was opened has the published commitment,
and its files have the digests that are sealed with them. What a bundle says it published
was signed only if its signature holds: with --signer-fingerprint the whole bundle is
verified first, and nothing of a damaged one is opened.

What is written is plaintext: into a new folder of mode 0700, and nowhere else. Remove it
when it has served its reason.

In a workspace the record is an entry of the custody log. Without one it is a line of a
receipts file, chained as the log is; 'prahari evidence receipts FILE' takes it into the
workspace's log later.`,
		Example: examples(
			"prahari evidence open EB-CASE0001-0001-20261124T080000Z --identity legal.identity --reason 'exhibit for the hearing' --approver 'R. Iyer' --out opened",
			"prahari evidence open raw-ev-k3j9x2ab.tar.age --commitment 7a02… --identity legal.identity --out opened",
			"prahari evidence open f-k3j9 --identity legal.identity --out opened"),
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.identity == "" || o.out == "" {
				return usageErrorf(cmd, "name the --identity to open with and the new folder to write to with --out")
			}
			if o.signer != "" && !isDir(args[0]) {
				return usageErrorf(cmd, "--signer-fingerprint verifies a bundle's folder, and %s is none", evidence.Caption(args[0], 80))
			}
			return e.evidenceOpen(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.identity, "identity", "", "the file with a recipient's secret key; one with a passphrase is asked for it")
	f.StringVar(&o.reason, "reason", "", "why it is opened, 10 characters or more (asked for without)")
	f.StringVar(&o.approver, "approver", "", "the second person, who approves (asked for without)")
	f.StringVar(&o.out, "out", "", "the folder to write to; it must not be there yet")
	f.StringArrayVar(&o.items, "item", nil, "of a bundle: only this item (repeat)")
	f.StringVar(&o.commitment, "commitment", "", "of a sealed file: the SHA-256 that was published (default: commitments.csv beside it)")
	f.StringVar(&o.signer, "signer-fingerprint", "", "of a bundle: verify it first, the key that must have signed it, SHA256:…")
	f.StringVar(&o.receipts, "receipts", "", "outside a workspace: the receipts file to append to (default: --out with .receipts.jsonl)")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be opened, open nothing")
	return cmd
}

// A sealedItem is one original to open.
type sealedItem struct {
	id         string
	commitment string
	as         string // where the commitment is from: "as the workspace recorded it"
	sealed     string // the SHA-256 of the sealed file, where a signature that was verified says it
	read       func() (io.ReadCloser, error)
}

func (e env) evidenceOpen(ctx context.Context, target string, o openOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	switch {
	case err == nil:
		defer w.close(&err)
	case !errors.Is(err, errNoWorkspace) || e.global.workspace != "":
		return err
	}
	items, done, err := e.sealedItems(ctx, w, target, o)
	if err != nil {
		return err
	}
	defer done()
	if _, err := os.Lstat(o.out); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already: name a new folder with --out", o.out)
	}
	if o.dryRun {
		for _, item := range items {
			if _, err := fmt.Fprintf(e.out, "%s would be opened into %s\n", item.id, filepath.Join(o.out, item.id)); err != nil {
				return err
			}
		}
		return nil
	}
	if o.reason, o.approver, err = e.openingReason(o); err != nil {
		return err
	}
	identities, err := e.identityFile(o.identity)
	if err != nil {
		return err
	}
	record, head := w.recordOpening, ""
	if w == nil {
		if o.receipts == "" {
			o.receipts = strings.TrimRight(o.out, `/\`) + ".receipts.jsonl"
		}
		record = func(_ context.Context, entry evidence.Entry) (err error) {
			head, err = appendReceipt(o.receipts, entry)
			return err
		}
	}
	if err := os.Mkdir(o.out, 0o700); err != nil {
		return fmt.Errorf("making the folder for what is opened: %w", err)
	}
	failed := e.openAll(ctx, items, identities, o, record)
	if err := os.Remove(o.out); err == nil { // nothing was opened: nothing stays
		return failed
	}
	if w == nil {
		e.say("The receipt is in %s, its head is %s: 'prahari evidence receipts' takes it into the workspace's custody log.", o.receipts, head)
	}
	e.say("What is in %s is plaintext: remove it when it has served its reason.", o.out)
	return failed
}

// openAll opens each item, and goes on after one that does not open.
func (e env) openAll(ctx context.Context, items []sealedItem, identities []byte, o openOptions, record func(context.Context, evidence.Entry) error) error {
	var failed error
	bar := e.bar(int64(len(items)), "opening", false)
	for _, item := range items {
		if ctx.Err() != nil {
			return errors.Join(failed, ctx.Err())
		}
		opened, err := openItem(item, identities)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", item.id, err))
			_ = bar.Add(1)
			continue
		}
		entry := evidence.Entry{Action: "reveal", Object: item.id, Actor: e.operator(), Approver: o.approver, Reason: o.reason, SHA256: opened.Commitment, At: time.Now()}
		if err := record(ctx, entry); err != nil { // not recorded, not revealed
			return errors.Join(failed, err)
		}
		dir := filepath.Join(o.out, item.id)
		if err := writeOpened(dir, opened.Files); err != nil {
			return errors.Join(failed, err)
		}
		_ = bar.Add(1)
		if e.global.json {
			err = printJSON(e.out, map[string]any{"item": item.id, "dir": dir, "files": len(opened.Files), "commitment_sha256": opened.Commitment})
		} else {
			_, err = fmt.Fprintf(e.out, "%s: %s, commitment %s\n", dir, count(len(opened.Files), "file"), item.as)
		}
		if err != nil {
			return errors.Join(failed, err)
		}
	}
	_ = bar.Finish()
	return failed
}

// openItem opens one original in memory and compares it with what is known of it.
func openItem(item sealedItem, identities []byte) (evidence.Opened, error) {
	sealed, err := item.read()
	if err != nil {
		return evidence.Opened{}, err
	}
	defer func() { _ = sealed.Close() }()
	sum := sha256.New()
	opened, err := evidence.Open(io.TeeReader(sealed, sum), bytes.NewReader(identities))
	if item.sealed != "" {
		if _, err := io.Copy(sum, sealed); err != nil || hex.EncodeToString(sum.Sum(nil)) != item.sealed {
			return evidence.Opened{}, fmt.Errorf("%w: the sealed file is not what was verified a moment ago", bundle.ErrBroken)
		}
	}
	if err != nil {
		return opened, err
	}
	if opened.Commitment != item.commitment {
		return opened, fmt.Errorf("%w: it opens, and is not what was committed to: its digest is %s", evidence.ErrContainer, opened.Commitment)
	}
	for _, f := range opened.Files {
		var full struct {
			ItemID string `json:"item_id"`
		}
		if f.Name == "record.full.json" && (json.Unmarshal(f.Data, &full) != nil || full.ItemID != item.id) {
			return opened, fmt.Errorf("%w: it is the original of another item", evidence.ErrContainer)
		}
	}
	return opened, nil
}

func writeOpened(dir string, files []evidence.Raw) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("writing what was opened: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name)) // names were checked
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("writing what was opened: %w", err)
		}
		out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("writing what was opened: %w", err)
		}
		_, err = out.Write(f.Data)
		if err := errors.Join(err, out.Close()); err != nil {
			return errors.Join(fmt.Errorf("writing what was opened: %w", err), os.RemoveAll(dir))
		}
	}
	return nil
}

// minReason is how long a reason for opening is at least.
const minReason = 10

// openingReason asks for what flags do not say, and holds the two-person rule.
func (e env) openingReason(o openOptions) (reason, approver string, err error) {
	if o.reason == "" {
		if o.reason, err = e.ask("Why is it opened?"); err != nil {
			return "", "", err
		}
	}
	// Into the log: no identifier, one line.
	if reason = evidence.Caption(o.reason, 300); utf8.RuneCountInString(reason) < minReason {
		return "", "", fmt.Errorf("the reason has fewer than %d characters: say in a few words what the originals are needed for", minReason)
	}
	if o.approver == "" {
		if o.approver, err = e.ask("Who approves it?"); err != nil {
			return "", "", err
		}
	}
	approver = evidence.Caption(o.approver, 60)
	if approver == "" || evidence.SamePerson(approver, e.operator()) {
		return "", "", fmt.Errorf("opening takes %w: %s opens, name another who approves with --approver", store.ErrSecondPerson, e.operator())
	}
	return reason, approver, nil
}

// identityFile reads an age identity, asking for the passphrase that it may have.
func (e env) identityFile(path string) ([]byte, error) {
	data, err := secretFile(path, "identity")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no identity at %s: --identity names the file that 'age-keygen' made for one of the bundle's recipients", path)
	}
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(data, []byte("age-encryption.org/v1\n")) {
		return data, nil
	}
	passphrase, err := e.askSecret("Passphrase of the identity:")
	if err != nil {
		return nil, err
	}
	key, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, errors.New("the identity's passphrase is empty")
	}
	plain, err := age.Decrypt(bytes.NewReader(data), key)
	if err != nil {
		return nil, fmt.Errorf("the identity %s does not open: the passphrase is wrong, or the file is no identity", path)
	}
	return io.ReadAll(io.LimitReader(plain, 1<<20))
}

// sealedItems finds what is to be opened. done ends the reading of it.
func (e env) sealedItems(ctx context.Context, w *workspace, target string, o openOptions) (items []sealedItem, done func(), err error) {
	info, err := os.Stat(target)
	switch {
	case err == nil && info.IsDir():
		as, verified := "as the bundle says", (*bundle.Report)(nil)
		if o.signer != "" {
			report, err := bundle.Verify(ctx, target, bundle.Options{SignerFingerprint: o.signer})
			if err != nil {
				return nil, nil, fmt.Errorf("nothing was opened: %w: 'prahari bundle verify %s' says what is wrong with it", err, target)
			}
			as, verified = "as signed by "+report.SignerFingerprint, &report
		} else {
			e.say("The bundle's signature was not checked: pass --signer-fingerprint from the cover letter, or run 'prahari bundle verify' first.")
		}
		return bundleItems(target, as, verified, o.items)
	case err == nil:
		item, err := fileItem(target, o.commitment)
		return []sealedItem{item}, func() {}, err
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("opening: %w", err)
	case w == nil:
		return nil, nil, fmt.Errorf("there is no bundle or sealed file %s, and no workspace whose evidence it could be", evidence.Caption(target, 80))
	}
	ev, err := w.db.Evidence(ctx, target)
	if errors.Is(err, store.ErrNotFound) {
		_, ev, err = w.db.Finding(ctx, target)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s is no bundle, no sealed file, and no evidence of the workspace: %w", evidence.Caption(target, 40), err)
	}
	return []sealedItem{{id: ev.ID, commitment: ev.Commitment, as: "as the workspace recorded it", read: func() (io.ReadCloser, error) {
		data, err := w.db.Sealed(ctx, ev.ID)
		return io.NopCloser(bytes.NewReader(data)), err
	}}}, func() {}, nil
}

// fileItem takes one sealed file, with the commitment that is beside it or given.
func fileItem(path, commitment string) (sealedItem, error) {
	name := filepath.Base(path)
	id := strings.TrimSuffix(strings.TrimPrefix(name, "raw-"), ".tar.age")
	if strings.HasPrefix(name, "EB-") && (strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".zip")) {
		return sealedItem{}, fmt.Errorf("%s is a bundle in an archive: unpack it with tar or unzip, and name the folder", evidence.Caption(path, 120))
	}
	if !isItemID(id) || "raw-"+id+".tar.age" != name {
		return sealedItem{}, fmt.Errorf("%s is not named as bundles name sealed files, raw-ITEM.tar.age", evidence.Caption(path, 120))
	}
	as := "as given"
	if commitment == "" {
		as = "as commitments.csv beside it says, whose signature was not checked"
		root, err := os.OpenRoot(filepath.Dir(path))
		if err != nil {
			return sealedItem{}, fmt.Errorf("opening: %w", err)
		}
		defer func() { _ = root.Close() }()
		known, err := commitments(root, "commitments.csv", "")
		if commitment = known[id]; err != nil || commitment == "" {
			return sealedItem{}, fmt.Errorf("there is nothing to compare %s with: give the published digest with --commitment, or put the bundle's commitments.csv beside it", name)
		}
	}
	return sealedItem{id: id, commitment: strings.ToLower(commitment), as: as, read: func() (io.ReadCloser, error) { return os.Open(path) }}, nil
}

// bundleItems takes the originals of a bundle's folder, all or those named, and of
// one that was verified only what was. Links do not lead out of it.
func bundleItems(dir, as string, verified *bundle.Report, names []string) ([]sealedItem, func(), error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("opening: %w", err)
	}
	done := func() { _ = root.Close() }
	signed := map[string]string{}
	if verified != nil {
		if signed, err = bundle.Signed(root, *verified); err != nil {
			done()
			return nil, nil, fmt.Errorf("nothing was opened: %w", err)
		}
	}
	const table = "data/sealed/commitments.csv"
	if verified != nil && signed[table] == "" {
		done()
		return nil, nil, fmt.Errorf("%s is no bundle with sealed originals: what was signed has no %s", dir, table)
	}
	known, err := commitments(root, table, signed[table])
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("%s is no bundle with sealed originals: %w", dir, err)
	}
	var items []sealedItem
	for id, commitment := range known {
		if len(names) == 0 || slices.Contains(names, id) {
			name := "data/sealed/raw-" + id + ".tar.age"
			if verified != nil && signed[name] == "" {
				done()
				return nil, nil, fmt.Errorf("the sealed original of %s is no part of this bundle; one for a court has it", id)
			}
			items = append(items, sealedItem{id, commitment, as, signed[name], func() (io.ReadCloser, error) { return root.Open(name) }})
		}
	}
	slices.SortFunc(items, func(a, b sealedItem) int { return strings.Compare(a.id, b.id) })
	for _, name := range names {
		if known[name] == "" {
			done()
			return nil, nil, fmt.Errorf("the bundle has no sealed original of %s; its data/items.csv lists the items", evidence.Caption(name, 40))
		}
	}
	return items, done, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isItemID(id string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`).MatchString(id)
}

// commitments reads a bundle's commitments.csv: digests by item. sum is the SHA-256
// of the file that was verified; "": none was.
func commitments(root *os.Root, name, sum string) (map[string]string, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	read := sha256.New()
	r := csv.NewReader(io.TeeReader(io.LimitReader(f, 256<<20), read))
	head, err := r.Read()
	if err != nil || len(head) < 2 || head[0] != "item_id" || head[1] != "sha256" {
		return nil, fmt.Errorf("%s does not begin with item_id,sha256", name)
	}
	known := map[string]string{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			if sum != "" && hex.EncodeToString(read.Sum(nil)) != sum {
				return nil, fmt.Errorf("%w: %s is not what was verified a moment ago", bundle.ErrBroken, name)
			}
			return known, nil
		}
		if err != nil || !isItemID(row[0]) || known[row[0]] != "" {
			return nil, fmt.Errorf("%s: row %d is not an item's", name, len(known)+2)
		}
		known[row[0]] = row[1]
	}
}
