package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"prahari/evidence"
	"prahari/tsa"
)

// A LogStamp is a time stamp of an earlier checkpoint of the workspace's log,
// made while evidence was collected.
type LogStamp struct {
	Authority  string // its name in the workspace: lower-case letters, digits, hyphens
	Checkpoint []byte // signed: what is stamped
	Query      []byte // .tsq
	Response   []byte // .tsr
	Roots      []byte // PEM
	Chain      []byte // PEM: certificates that the response leaves out
}

// stampsDir holds, for each stamped checkpoint, SIZE.checkpoint, the proof that
// the log of the bundle's checkpoint began so, and each authority's answer.
const stampsDir = "data/custody/stamps/"

var stampName = regexp.MustCompile(`^data/custody/stamps/(0|[1-9][0-9]{0,14})\.(checkpoint|consistency\.txt|([a-z0-9][a-z0-9-]{0,39})\.(tsr|tsq|ca\.pem|chain\.pem))$`)

// A LogStamped says that the first entries of the workspace's log were there at
// a time, by an authority's clock.
type LogStamped struct {
	Stamped
	Entries int64 `json:"entries"`
	Lines   int   `json:"lines"` // of this bundle's chain, that are among them
}

// logStamps writes those stamps that say earliest when the case's lines were in
// the log: of each authority the first that covers a line. main is the bundle's
// checkpoint.
func (b *builder) logStamps(main evidence.Checkpoint) error {
	type sized struct {
		LogStamp
		evidence.Checkpoint
	}
	by := map[string][]sized{}
	for _, s := range b.in.Log.Stamps {
		c, err := evidence.OpenCheckpoint(s.Checkpoint, b.in.Log.Key)
		if err != nil {
			return fmt.Errorf("a time-stamped checkpoint of the custody log: %w", err)
		}
		if c.Size <= main.Size {
			by[s.Authority] = append(by[s.Authority], sized{s, c})
		}
	}
	written := map[int64]bool{}
	for _, name := range sortedKeys(by) {
		all := by[name]
		slices.SortFunc(all, func(x, y sized) int { return int(x.Size - y.Size) })
		covered := 0
		for _, s := range all {
			lines := sort.Search(len(b.places), func(i int) bool { return b.places[i] >= s.Size })
			if lines == covered {
				continue
			}
			covered = lines
			if !written[s.Size] {
				if err := b.stampedCheckpoint(s.Checkpoint, s.LogStamp.Checkpoint, main); err != nil {
					return err
				}
				written[s.Size] = true
			}
			if err := b.logStamp(s.LogStamp, s.Size, lines); err != nil {
				return err
			}
		}
	}
	return nil
}

// stampedCheckpoint writes a checkpoint and the proof that it is a prefix.
func (b *builder) stampedCheckpoint(c evidence.Checkpoint, signed []byte, main evidence.Checkpoint) error {
	proof, err := tlog.ProveTree(main.Size, c.Size, b.in.Log.Tree)
	if err == nil {
		err = tlog.CheckTree(proof, main.Size, main.Root, c.Size, c.Root)
	}
	if err != nil {
		return fmt.Errorf("the custody log does not begin with the %d entries that were time-stamped: run 'prahari custody verify'", c.Size)
	}
	name := stampsDir + strconv.FormatInt(c.Size, 10)
	if err := b.tree.write(name+".checkpoint", signed); err != nil {
		return err
	}
	return b.tree.stream(name+".consistency.txt", func(w io.Writer) error { return writeHashes(w, proof) })
}

// logStamp writes one authority's stamp of a checkpoint.
func (b *builder) logStamp(s LogStamp, size int64, lines int) error {
	digest := sha256.Sum256(s.Checkpoint)
	facts, err := tsa.Verify(s.Response, digest[:], s.Roots, s.Chain)
	if err != nil {
		return fmt.Errorf("the time stamp of %s over %d entries of the custody log: %w", s.Authority, size, err)
	}
	base := fmt.Sprintf("%s%d.%s", stampsDir, size, s.Authority)
	for _, f := range []struct {
		ending string
		data   []byte
	}{{".tsr", s.Response}, {".tsq", s.Query}, {".ca.pem", certificates(s.Roots)}, {".chain.pem", certificates(s.Chain)}} {
		if len(f.data) == 0 {
			continue
		}
		if err := b.tree.write(base+f.ending, f.data); err != nil {
			return err
		}
	}
	b.stamped = append(b.stamped, LogStamped{
		Stamped: Stamped{Authority: s.Authority, At: utc(facts.Time), Demo: facts.Demo, File: base + ".tsr"}, Entries: size, Lines: lines,
	})
	return nil
}

func writeHashes(w io.Writer, hashes []tlog.Hash) error {
	for _, h := range hashes {
		if _, err := fmt.Fprintln(w, hex.EncodeToString(h[:])); err != nil {
			return err
		}
	}
	return nil
}

// hashes reads a file of hashes in hex, one a line.
func (v *verifier) hashes(name string) (all []tlog.Hash, ok bool, err error) {
	if v.files[name] > maxInclusion {
		v.problem(name, 0, "is too long: %d bytes", v.files[name])
		return nil, false, nil
	}
	before := len(v.check.Problems)
	err = v.lines(name, 128, func(n int, line []byte) {
		var h tlog.Hash
		if !hexSHA256.Match(line) {
			v.problem(name, n, "is not a hash in hex")
			return
		}
		_, _ = hex.Decode(h[:], line) // the pattern holds its form
		all = append(all, h)
	})
	return all, len(v.check.Problems) == before, err
}

// logStamps verifies the stamps that were made while evidence was collected:
// each checkpoint is signed and a prefix of the bundle's, and each response is an
// authority's over that checkpoint.
func (v *verifier) logStamps() error {
	var said []string
	for _, name := range sortedKeys(v.files) {
		if !strings.HasPrefix(name, stampsDir) {
			continue
		}
		m := stampName.FindStringSubmatch(name)
		switch {
		case m == nil:
			v.problem(name, 0, "is no file of a time stamp")
		case m[2] == "checkpoint":
			if err := v.prefix(name, m[1]); err != nil {
				return err
			}
		case m[4] == "tsr":
			if what, ok := v.logStamp(name, m[1], m[3]); ok {
				said = append(said, what)
			}
		default: // beside what it belongs to
			base := stampsDir + m[1] + ".checkpoint"
			if m[4] != "" {
				base = stampsDir + m[1] + "." + m[3] + ".tsr"
			}
			if _, ok := v.files[base]; !ok {
				v.problem(name, 0, "stands without %s", base)
			}
		}
	}
	if len(said) == 0 && len(v.check.Problems) == 0 {
		v.check.Status = Skip
		v.detail("none: nothing but the collecting machine's clock says when the evidence was collected")
		return nil
	}
	v.detail("%s", strings.Join(said, "; "))
	if v.opts.TSARoots == nil {
		v.detail("%s; the authority's root was not compared with one from outside the bundle", v.check.Detail)
	}
	return nil
}

// prefix proves a stamped checkpoint to be how the log of the bundle's began.
func (v *verifier) prefix(name, size string) error {
	proof, ok, err := v.hashes(stampsDir + size + ".consistency.txt")
	if err != nil || !ok {
		return err
	}
	main, whole := v.checkpoint(checkpointPath)
	c, ok := v.checkpoint(name)
	if !ok || !whole {
		return nil
	}
	if strconv.FormatInt(c.Size, 10) != size || c.Size < 1 || c.Size > main.Size || tlog.CheckTree(proof, main.Size, main.Root, c.Size, c.Root) != nil {
		v.problem(name, 0, "is not how the log that %s signs began", checkpointPath)
	}
	return nil
}

// checkpoint opens a signed checkpoint of the workspace's log.
func (v *verifier) checkpoint(name string) (evidence.Checkpoint, bool) {
	signed, ok := v.small(name, maxAttest)
	if !ok {
		return evidence.Checkpoint{}, false
	}
	c, err := evidence.OpenCheckpoint(signed, v.info["Evidence-Log-Key"])
	if err != nil {
		v.problem(name, 0, "is not a checkpoint signed by the key that %s names as Evidence-Log-Key", bagInfo)
		return c, false
	}
	return c, true
}

func (v *verifier) logStamp(name, size, authority string) (string, bool) {
	base := stampsDir + size + "." + authority
	signed, ok := v.small(stampsDir+size+".checkpoint", maxAttest)
	response, ok2 := v.small(name, maxAttest)
	query, ok3 := v.small(base+".tsq", maxAttest)
	roots, ok4 := v.small(base+".ca.pem", maxCertificates)
	if !ok || !ok2 || !ok3 || !ok4 {
		return "", false
	}
	if v.opts.TSARoots != nil {
		roots = v.opts.TSARoots
	}
	var chain []byte
	if v.files[base+".chain.pem"] > 0 {
		if chain, ok = v.small(base+".chain.pem", maxCertificates); !ok {
			return "", false
		}
	}
	digest := sha256.Sum256(signed)
	facts, err := tsa.Verify(response, digest[:], roots, chain)
	if err != nil {
		v.problem(name, 0, "is no time stamp of %s.checkpoint by the authority: %s", stampsDir+size, evidence.OneLine(err.Error(), 200))
		return "", false
	}
	if !tsa.Answers(query, response) {
		v.problem(base+".tsq", 0, "is not the question that %s answers", name)
		return "", false
	}
	entries, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		v.problem(name, 0, "does not name its entries")
		return "", false
	}
	lines := sort.Search(len(v.places), func(i int) bool { return v.places[i] >= entries })
	v.report.LogStamps = append(v.report.LogStamps, LogStamped{
		Stamped: Stamped{Authority: line(facts.Signer), At: utc(facts.Time), Demo: facts.Demo, File: name}, Entries: entries, Lines: lines,
	})
	what := fmt.Sprintf("the first %d lines were in the log at %s, by %s", lines, utc(facts.Time), caption(facts.Signer))
	if facts.Demo {
		what += ", the embedded demo authority, which proves no time"
	}
	return what, true
}

// stampLines renders the stamps for reading, beside the chain.
func (b *builder) stampLines(w *bytes.Buffer) {
	for _, s := range b.stamped {
		fmt.Fprintf(w, "The first %d lines were in the workspace's log at %s, by the clock of %s", s.Lines, s.At, s.Authority)
		if s.Demo {
			w.WriteString(" (embedded demo authority: proves no time)")
		}
		fmt.Fprintf(w, ": %s\n", strings.TrimPrefix(s.File, "data/custody/"))
	}
}
