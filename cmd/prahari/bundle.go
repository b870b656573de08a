package main

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"net/mail"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/bundle"
	"prahari/evidence"
)

func newBundle(e env) *cobra.Command {
	return noun("bundle", "A case exported for legal, verifiable without prahari", newBundleExport(e), newBundleVerify(e))
}

type exportOptions struct {
	out     string
	archive bool
	dryRun  bool
}

func newBundleExport(e env) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use: "export CASE", Short: "Export a case as a signed bundle",
		Long: `Export a case as a folder that sha256sum, ssh-keygen and 'sh verify.sh' check without
prahari. Open files are masked; the originals stay sealed. The export is refused when an
unmasked identifier is found in any open file. A bundle appears under its final name only
when it is whole.`,
		Example: examples("prahari bundle export CASE0001", "prahari bundle export CASE0001 --out /media/legal --archive"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.bundleExport(cmd.Context(), args[0], o) },
	}
	cmd.Flags().StringVar(&o.out, "out", "", "the folder to put the bundle in (default: bundles in the workspace)")
	cmd.Flags().BoolVar(&o.archive, "archive", false, "also write a .tar beside it")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be exported, write nothing")
	return cmd
}

func (e env) bundleExport(ctx context.Context, caseID string, o exportOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	in, items, err := w.bundleInput(ctx, caseID)
	if err != nil {
		return err
	}
	out := o.out
	if out == "" {
		out = w.path("bundles")
	}
	if o.dryRun {
		_, err = fmt.Fprintf(e.out, "%s with %d items and %d notices would be written to %s\n",
			bundle.Name(in.Case.ID, in.Seq, in.At), items, len(in.Notices), out)
		return err
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return fmt.Errorf("making the folder for bundles: %w", err)
	}
	bar := e.bar(int64(items), "exporting", false)
	in.Archive, in.Progress = o.archive, func(n int) { _ = bar.Set(n) }
	result, err := bundle.Build(ctx, out, in)
	_ = bar.Finish()
	if err != nil {
		return err
	}
	// The bundle is whole: its export goes into the log, and into the next bundle.
	err = w.db.Append(context.WithoutCancel(ctx), evidence.Entry{
		Action: "export", Object: result.Name, Actor: e.operator(), At: time.Now(), CaseID: in.Case.ID, SHA256: result.TagManifestSHA256,
	})
	if err != nil {
		return err
	}
	if e.global.json {
		return printJSON(e.out, result)
	}
	fmt.Fprintf(e.out, "%s\n  %d items, %d files, %d bytes\n  tagmanifest sha256 %s\n  signed by %s\n", result.Dir, result.Items, result.Files,
		result.Bytes, result.TagManifestSHA256, result.SignerFingerprint)
	e.say("Give legal the fingerprint by another way than the bundle. Check it with: sh %s", filepath.Join(result.Dir, "verify.sh"))
	return nil
}

// bundleInput gathers a case; the number is that of its items.
func (w *workspace) bundleInput(ctx context.Context, caseID string) (bundle.Input, int, error) {
	var in bundle.Input
	c, err := w.db.Case(ctx, caseID)
	if err != nil {
		return in, 0, caseUnknown(caseID, err)
	}
	signer, err := w.signer()
	if err != nil {
		return in, 0, err
	}
	items, err := w.db.CaseEvidence(ctx, c.ID)
	if err != nil {
		return in, 0, err
	}
	in = bundle.Input{
		Case: c, Signer: signer, Items: w.sealedItems(ctx, items), Operator: w.env.operator(), Tool: thisTool(), Host: thisHost(),
		Clock: evidence.Clock{Source: "system clock, not compared"}, At: time.Now(), Gate: gate,
		Organisation: bundle.Organisation{
			Name: w.config.Organisation.Name, Domain: w.config.Organisation.Domain,
			Contact: w.config.Organisation.Contact, Email: w.config.Organisation.Email,
		},
	}
	in.Build, _ = debug.ReadBuildInfo()
	if in.Notices, err = w.db.Notices(ctx, c.ID); err != nil {
		return in, 0, err
	}
	if err := w.allow(ctx, &in); err != nil {
		return in, 0, err
	}
	if err := w.addSources(ctx, &in, items); err != nil {
		return in, 0, err
	}
	return in, len(items), w.addCustody(ctx, &in, items)
}

// allow names what the leak gate may find: addresses of who reports and of who
// is written to. The bundle lists them.
func (w *workspace) allow(ctx context.Context, in *bundle.Input) error {
	allow := func(text, reason string) {
		known := slices.ContainsFunc(in.Allow, func(a bundle.Allowed) bool { return a.Text == text })
		if text != "" && !known {
			in.Allow = append(in.Allow, bundle.Allowed{Text: text, Reason: reason, Approver: w.env.operator()})
		}
	}
	allow(in.Organisation.Email, "the organisation's own contact")
	book, err := w.book()
	if err != nil {
		return err
	}
	for _, route := range book.Routes {
		allow(route.Recipient, "the address of "+route.Addressee)
	}
	if len(in.Notices) > 0 {
		facts, _, err := w.facts(ctx, in.Case)
		if err != nil {
			return err
		}
		allow(facts.Answers.Complainant.Email, "the complainant's own contact")
		allow(facts.Answers.Complainant.Phone, "the complainant's own contact")
	}
	for _, n := range in.Notices {
		if m, err := mail.ReadMessage(bytes.NewReader(n.EML)); err == nil {
			allow(strings.Trim(m.Header.Get("Message-Id"), "<>"), "the id of the drafted mail "+n.ID)
		}
	}
	return nil
}

// sealedItems yields the evidence with its sealed bytes, one at a time.
func (w *workspace) sealedItems(ctx context.Context, items []evidence.Evidence) iter.Seq2[evidence.Evidence, error] {
	return func(yield func(evidence.Evidence, error) bool) {
		for _, e := range items {
			var err error
			e.Sealed, err = w.db.Sealed(ctx, e.ID)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// addSources adds what the items' sources give: coverage, gaps, later looks,
// authorisations.
func (w *workspace) addSources(ctx context.Context, in *bundle.Input, items []evidence.Evidence) error {
	authorisations, err := w.db.Authorisations(ctx)
	if err != nil {
		return err
	}
	for _, item := range items {
		sightings, err := w.db.Sightings(ctx, item.Source.ID, item.MessageID)
		if err != nil {
			return err
		}
		in.Sightings = append(in.Sightings, sightings...)
		if slices.ContainsFunc(in.Sources, func(s evidence.Source) bool { return s.ID == item.Source.ID }) {
			continue
		}
		in.Sources = append(in.Sources, item.Source)
		observed, err := w.db.Coverage(ctx, item.Source.ID)
		if err != nil {
			return err
		}
		gaps, err := w.db.Gaps(ctx, item.Source.ID)
		if err != nil {
			return err
		}
		in.Observed, in.Gaps = append(in.Observed, observed...), append(in.Gaps, gaps...)
		for _, a := range authorisations {
			if a.Source == item.Source.ID {
				in.Authorisations = append(in.Authorisations, a)
			}
		}
	}
	return nil
}

// addCustody picks the log's entries that concern the case, and finds the
// bundles that were exported before.
func (w *workspace) addCustody(ctx context.Context, in *bundle.Input, items []evidence.Evidence) error {
	entries, err := w.db.Custody(ctx, 0)
	if err != nil {
		return err
	}
	objects := map[string]bool{in.Case.ID: true, "workspace": true}
	for _, item := range items {
		objects[item.ID], objects[item.Source.ID] = true, true
	}
	for _, n := range in.Notices {
		objects[n.ID] = true
	}
	for _, a := range in.Authorisations {
		objects[a.ID] = true
	}
	in.Seq = 1
	var concerned []evidence.Entry
	for _, entry := range entries {
		if entry.CaseID != in.Case.ID && !objects[entry.Object] {
			continue
		}
		if entry.Action == "export" {
			in.Seq, in.Prev = in.Seq+1, entry.SHA256
		}
		concerned = append(concerned, entry)
	}
	in.Custody = bundle.Each(concerned)
	key, err := w.logKey(ctx)
	if err != nil {
		return err
	}
	stamper, err := w.stamper(ctx)
	if err != nil {
		return err
	}
	signed, err := stamper.checkpoint(ctx, in.At)
	if err != nil {
		return err
	}
	in.Log = bundle.Log{Key: key.Public(), Checkpoint: signed.Signed, Tree: w.db.Tree(ctx)}
	return nil
}

// gate finds what a matcher calls an identifier and what the sweep would hide.
func gate(_ string, content []byte) []bundle.Hit {
	var hits []bundle.Hit
	for _, m := range leaks(string(content)) {
		hits = append(hits, bundle.Hit{Kind: string(m.Kind), Start: m.Start, End: m.End})
	}
	return hits
}

type verifyOptions struct{ fingerprint, logKey string }

func newBundleVerify(e env) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use: "verify BUNDLE", Short: "Check that a bundle is what was signed",
		Long: `Check that a bundle, a folder or a .tar or .zip of one, is what was signed. Archives are read
where they lie, nothing is unpacked. Every damaged item is named, the first first; exit
code 5 when there is one. Without --signer-fingerprint the check shows only that the bundle
is consistent with the key inside it: take the fingerprint from the cover letter.`,
		Example: examples("prahari bundle verify EB-CASE0001-0001-20261124T080000Z --signer-fingerprint SHA256:…",
			"prahari bundle verify received.zip --json"),
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return e.bundleVerify(cmd.Context(), args[0], o) },
	}
	cmd.Flags().StringVar(&o.fingerprint, "signer-fingerprint", "", "the key that must have signed it, SHA256:…")
	cmd.Flags().StringVar(&o.logKey, "log-key", "", "the public key of the workspace's custody log, as 'prahari custody verify' prints it")
	return cmd
}

func (e env) bundleVerify(ctx context.Context, dir string, o verifyOptions) error {
	report, err := bundle.Verify(ctx, dir, bundle.Options{SignerFingerprint: o.fingerprint, LogKey: o.logKey})
	if printing := e.printReport(report); printing != nil {
		return printing
	}
	return err
}

// printReport prints a verification: every check, and every bad item with its
// place.
func (e env) printReport(r bundle.Report) error {
	if r.Dir == "" { // there was nothing to check
		return nil
	}
	if e.global.json {
		return printJSON(e.out, r)
	}
	for _, c := range r.Checks {
		line := fmt.Sprintf("%-4s  %s", c.Status, c.Name)
		if c.Detail != "" {
			line += ": " + evidence.OneLine(c.Detail, 200)
		}
		fmt.Fprintln(e.out, line)
		for _, p := range c.Problems {
			fmt.Fprintln(e.out, "      "+evidence.OneLine(p.String(), 300))
		}
	}
	if r.OK {
		fmt.Fprintf(e.out, "%s verifies: %d items, %d files\n", r.Bundle, r.Items, r.Files)
		if !r.SignerCompared {
			e.say("The signer was not compared: take the fingerprint from the cover letter and pass it with --signer-fingerprint.")
		}
	}
	return nil
}
