package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	"prahari/store"
)

func newBundle(e env) *cobra.Command {
	return noun("bundle", "A case exported for legal, verifiable without prahari", newBundleExport(e), newBundleVerify(e))
}

type exportOptions struct {
	out     string
	profile string
	archive string
	alone   bool // the archive, without a folder
	tender  string
	dryRun  bool
}

func newBundleExport(e env) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use: "export CASE", Short: "Export a case as a signed bundle",
		Long: `Export a case as a folder that sha256sum, ssh-keygen and 'sh verify.sh' check without
prahari, or with --no-folder as one file that unpacks to that folder: quicker where a case
has many items, and one thing to hand over. Open files are masked; the originals stay sealed.

The profile says for whom it is: a platform gets addresses and a few masked samples, a
regulator all that is masked, a court the sealed originals and the certificate's drafts too.
The export is refused when an unmasked identifier is found in any open file, whatever it is
hidden in; exceptions stand under leak_gate in prahari.yaml with who approved them, and in
the bundle's report. A bundle appears under its final name only when it is whole; what a
killed export left is removed by the next one.`,
		Example: examples("prahari bundle export CASE0001", "prahari bundle export CASE0001 --profile platform --archive=zip",
			"prahari bundle export CASE0001 --no-folder", "prahari bundle export CASE0001 --tender originals --out /media/legal --archive"),
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := bundle.ParseProfile(o.profile); err != nil {
				return usageErrorf(cmd, "--profile: %w", err)
			}
			if !slices.Contains([]string{"", "tar", "zip"}, o.archive) {
				return usageErrorf(cmd, "--archive: an archive is a tar or a zip")
			}
			if o.alone && o.archive == "" {
				o.archive = string(bundle.Tar)
			}
			if !slices.Contains([]string{"", "redacted", "originals"}, o.tender) {
				return usageErrorf(cmd, "--tender: a certificate is about the redacted exhibits or the originals")
			}
			return e.bundleExport(cmd.Context(), args[0], o)
		},
	}
	cmd.Flags().StringVar(&o.out, "out", "", "the folder to put the bundle in (default: bundles in the workspace)")
	cmd.Flags().StringVar(&o.profile, "profile", string(bundle.ForCourt), "for whom: platform, regulator or court")
	cmd.Flags().StringVar(&o.archive, "archive", "", "also write it as one file beside the folder: tar or zip")
	cmd.Flags().Lookup("archive").NoOptDefVal = string(bundle.Tar)
	cmd.Flags().BoolVar(&o.alone, "no-folder", false, "write the archive alone, a tar unless --archive=zip says otherwise")
	cmd.Flags().StringVar(&o.tender, "tender", "", "which digests the certificate's draft is about: redacted or originals (default: the signer ticks)")
	_ = cmd.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions([]string{"platform", "regulator", "court"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("archive", cobra.FixedCompletions([]string{"tar", "zip"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("tender", cobra.FixedCompletions([]string{"redacted", "originals"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be exported, write nothing")
	return cmd
}

func (e env) bundleExport(ctx context.Context, caseID string, o exportOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	defer debug.SetGCPercent(debug.SetGCPercent(50)) // what a case is gathered from would take more than its bundle
	in, items, err := w.bundleInput(ctx, caseID)
	if err != nil {
		return err
	}
	out := o.out
	if out == "" {
		out = w.path("bundles")
	}
	in.Profile, in.Archive, in.NoFolder, in.Tender = bundle.Profile(o.profile), bundle.ArchiveKind(o.archive), o.alone, bundle.Tender(o.tender)
	if o.dryRun {
		plan := exportPlan{
			Bundle: bundle.Name(in.Case.ID, in.Seq, in.At), Profile: in.Profile, Items: items, Notices: len(in.Notices), Exceptions: len(in.Allow), DryRun: true,
		}
		var where []string
		if !o.alone {
			plan.Dir = filepath.Join(out, plan.Bundle)
			where = append(where, plan.Dir)
		}
		if in.Archive != bundle.NoArchive {
			plan.Archive = filepath.Join(out, plan.Bundle+"."+string(in.Archive))
			where = append(where, plan.Archive)
		}
		if e.global.json {
			return printJSON(e.out, plan)
		}
		_, err = fmt.Fprintf(e.out, "%s with %d items and %d notices would be written to %s, for a %s; the leak gate would let %s pass\n",
			plan.Bundle, items, plan.Notices, strings.Join(where, " and "), plan.Profile, count(plan.Exceptions, "exception"))
		return err
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return fmt.Errorf("making the folder for bundles: %w", err)
	}
	bar := e.bar(int64(items), "exporting", false)
	in.Progress = func(n int) { _ = bar.Set(n) }
	ended := boundMemory(items, in.Archive == bundle.Zip)
	result, err := bundle.Build(ctx, out, in)
	ended()
	_ = bar.Finish()
	if err != nil {
		return err
	}
	// The bundle is whole: its export goes into the log, and into the next bundle.
	err = w.db.Append(context.WithoutCancel(ctx), evidence.Entry{
		Action: "export", Object: result.Name, Actor: e.operator(), At: time.Now(), CaseID: in.Case.ID, SHA256: result.TagManifestSHA256,
		Reason: stampReason(result.Stamps),
	})
	if err != nil {
		return err
	}
	if e.global.json {
		return printJSON(e.out, result)
	}
	where := cmp.Or(result.Dir, result.Archive)
	fmt.Fprintf(e.out, "%s\n  %d items, %d files, %d bytes\n  tagmanifest sha256 %s\n  signed by %s\n", where, result.Items, result.Files,
		result.Bytes, result.TagManifestSHA256, result.SignerFingerprint)
	if result.Archive != "" {
		fmt.Fprintf(e.out, "  %s sha256 %s\n", filepath.Base(result.Archive), result.ArchiveSHA256)
	}
	for _, s := range result.Stamps {
		fmt.Fprintf(e.out, "  time-stamped %s by %s\n", s.At, s.Authority)
	}
	for _, why := range result.Unstamped {
		e.say("Not time-stamped, and the bundle says so: %s", why)
	}
	check := "sh " + filepath.Join(result.Dir, "verify.sh")
	if result.Dir == "" {
		check = "prahari bundle verify " + where
	}
	e.say("Give legal the fingerprint by another way than the bundle. Check it with: %s", check)
	return nil
}

// boundMemory lets an export of many items collect garbage seldom while there is
// little, and often before it takes more than it needs: the limit is twice what
// was measured to be held for each item, and what a thousand take. A zip's list of
// files is held until its end. The function it returns ends that.
func boundMemory(items int, zip bool) (end func()) {
	if items < 1000 {
		return func() {}
	}
	percent := debug.SetGCPercent(300)
	limit, each := debug.SetMemoryLimit(-1), int64(400)
	if zip {
		each = 2500
	}
	debug.SetMemoryLimit(min(limit, 56<<20+each*int64(items)))
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// stamped begins the reason of an export that an authority time-stamped: notices
// print the time.
const stamped = "time-stamped "

func stampReason(stamps []bundle.Stamped) string {
	for _, s := range stamps {
		if !s.Demo {
			return stamped + s.At + " by " + evidence.Caption(s.Authority, 60)
		}
	}
	return ""
}

// exportPlan is what a dry run says.
type exportPlan struct {
	Bundle     string         `json:"bundle"`
	Dir        string         `json:"dir,omitempty"`
	Archive    string         `json:"archive,omitempty"`
	Profile    bundle.Profile `json:"profile"`
	Items      int            `json:"items"`
	Notices    int            `json:"notices"`
	Exceptions int            `json:"leak_gate_exceptions"`
	DryRun     bool           `json:"dry_run"`
}

// bundleInput gathers a case; the number is that of its items, which are read
// when the bundle is built.
func (w *workspace) bundleInput(ctx context.Context, caseID string) (bundle.Input, int, error) {
	var in bundle.Input
	c, err := w.db.Case(ctx, caseID)
	if err != nil {
		return in, 0, caseUnknown(caseID, err)
	}
	tool, err := hashedTool()
	if err != nil {
		return in, 0, err
	}
	signer, err := w.signer()
	if err != nil {
		return in, 0, err
	}
	found, err := w.db.CaseItems(ctx, c.ID)
	if err != nil {
		return in, 0, err
	}
	items := found.Count
	if found.Purged > 0 {
		w.env.say("%s of the case purged: the bundle has their custody entries alone.", count(found.Purged, "item"))
	}
	in = bundle.Input{
		Case: c, Signer: signer, Items: w.db.Items(ctx, found), Operator: w.env.operator(), Tool: tool, Host: thisHost(),
		Clock: evidence.Clock{Source: "system clock, not compared"}, At: time.Now(), Gate: newGate(),
		Organisation: bundle.Organisation{
			Name: w.config.Organisation.Name, Domain: w.config.Organisation.Domain,
			Contact: w.config.Organisation.Contact, Email: w.config.Organisation.Email,
		},
	}
	in.Build, _ = debug.ReadBuildInfo()
	if in.Notices, err = w.db.Notices(ctx, c.ID); err != nil {
		return in, 0, err
	}
	in.Notices = slices.DeleteFunc(in.Notices, func(n evidence.Notice) bool { return n.Markdown == "" }) // purged
	if err := w.allow(ctx, &in); err != nil {
		return in, 0, err
	}
	if err := w.addSources(ctx, &in, found); err != nil {
		return in, 0, err
	}
	if err := w.addMachine(ctx, &in, items); err != nil {
		return in, 0, err
	}
	return in, items, w.addCustody(ctx, &in, found)
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
	for _, a := range w.config.LeakGate.Allow {
		in.Allow = append(in.Allow, bundle.Allowed{Text: a.Text, Reason: a.Reason, Approver: a.Approver})
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
		facts, _, err := w.readFacts(in.Case.ID)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		a := facts.Answers
		allow(a.Complainant.Email, "the complainant's own contact")
		allow(a.Complainant.Phone, "the complainant's own contact")
		for _, contact := range []string{a.Recipient.Email, a.Fiduciary.Contact, a.EU.Officer} {
			for _, m := range leaks(contact) {
				allow(contact[m.Start:m.End], "a contact that the notices name")
			}
		}
	}
	for _, n := range in.Notices {
		allow(n.Recipient, "the address that the notice "+n.ID+" goes to")
		if m, err := mail.ReadMessage(bytes.NewReader(n.EML)); err == nil {
			allow(strings.Trim(m.Header.Get("Message-Id"), "<>"), "the id of the drafted mail "+n.ID)
		}
	}
	return nil
}

// addSources adds what the case's sources give: coverage, gaps, later looks,
// authorisations.
func (w *workspace) addSources(ctx context.Context, in *bundle.Input, items store.CaseItems) (err error) {
	authorisations, err := w.db.Authorisations(ctx)
	if err != nil {
		return err
	}
	if in.Sightings, err = w.db.CaseSightings(ctx, items); err != nil {
		return err
	}
	in.Sources = items.Sources
	for _, s := range in.Sources {
		observed, err := w.db.Coverage(ctx, s.ID)
		if err != nil {
			return err
		}
		gaps, err := w.db.Gaps(ctx, s.ID)
		if err != nil {
			return err
		}
		in.Observed, in.Gaps = append(in.Observed, observed...), append(in.Gaps, gaps...)
		changes, err := w.db.Changes(ctx, s.ID)
		if err != nil {
			return err
		}
		deletions, err := w.db.Deletions(ctx, s.ID)
		if err != nil {
			return err
		}
		in.Changes, in.Deletions = append(in.Changes, changes...), append(in.Deletions, deletions...)
		for _, a := range authorisations {
			if a.Source == s.ID {
				in.Authorisations = append(in.Authorisations, a)
			}
		}
	}
	return nil
}

// addCustody picks the log's entries that concern the case, and finds the
// bundles that were exported before.
func (w *workspace) addCustody(ctx context.Context, in *bundle.Input, items store.CaseItems) error {
	objects := map[string]bool{in.Case.ID: true, "workspace": true}
	for _, s := range in.Sources {
		objects[s.ID] = true
	}
	for _, n := range in.Notices {
		objects[n.ID] = true
	}
	for _, a := range in.Authorisations {
		objects[a.ID], objects[a.Canary] = true, true
	}
	probes, err := w.db.Probes(ctx)
	if err != nil {
		return err
	}
	for _, p := range probes {
		if objects[p.SourceID] {
			objects[p.ID], objects[p.Canary] = true, true
		}
	}
	delete(objects, "")
	exports, err := w.db.CaseExports(ctx, in.Case.ID)
	if err != nil {
		return err
	}
	in.Seq = 1 + len(exports)
	if len(exports) > 0 {
		in.Prev = exports[len(exports)-1].SHA256
	}
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
	in.Custody = w.db.CaseCustody(ctx, in.Case.ID, items, objects, signed.Size)
	in.Authorities, in.TSA = stamper.authorities, *stamper.client
	in.Log = bundle.Log{Key: key.Public(), Checkpoint: signed.Signed, Tree: w.db.Tree(ctx)}
	stamps, err := w.db.Stamps(ctx)
	if err != nil {
		return err
	}
	for _, s := range stamps {
		if s.Response != nil {
			in.Log.Stamps = append(in.Log.Stamps, bundle.LogStamp{
				Authority: s.Authority, Checkpoint: s.Signed, Query: s.Query, Response: s.Response, Roots: []byte(s.Roots), Chain: []byte(s.Chain),
			})
		}
	}
	return nil
}

// newGate finds what a matcher calls an identifier.
func newGate() bundle.Gate {
	leaks := newLeaks()
	return func(_ string, content []byte) []bundle.Hit {
		var hits []bundle.Hit
		for _, m := range leaks(string(content)) {
			hits = append(hits, bundle.Hit{Kind: string(m.Kind), Start: m.Start, End: m.End})
		}
		return hits
	}
}

type verifyOptions struct{ fingerprint, logKey, tsaRoots string }

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
	cmd.Flags().StringVar(&o.tsaRoots, "tsa-ca", "", "a PEM file with the root certificates of the time-stamp authorities, from outside the bundle")
	cmd.Flags().StringVar(&o.logKey, "log-key", "", "the public key of the workspace's custody log, as 'prahari custody verify' prints it")
	return cmd
}

func (e env) bundleVerify(ctx context.Context, dir string, o verifyOptions) error {
	opts := bundle.Options{SignerFingerprint: o.fingerprint, LogKey: o.logKey}
	if o.tsaRoots != "" {
		var err error
		if opts.TSARoots, err = readSmall(o.tsaRoots, 1<<20); err != nil {
			return fmt.Errorf("reading the authorities' root certificates: %w", err)
		}
	}
	report, err := bundle.Verify(ctx, dir, opts)
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
