package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/report"
)

// errNotApproved says that a draft has errors.
var errNotApproved = errors.New("the draft is not approved")

type lintOptions struct {
	dir           string
	routeVerified bool
	exitCode      bool
	dryRun        bool
}

func newNoticeLint(e env) *cobra.Command {
	var o lintOptions
	cmd := &cobra.Command{
		Use: "lint NOTICE", Short: "List what keeps a draft from being approved",
		Long: `Look at every form of a draft as it lies on the disk, edited DOCX and mail too, and list what
keeps it from being approved. 'docs/legal-guide.md' says what each rule asks for.`,
		Example: examples("prahari notice lint N-0001", "prahari notice lint N-0001 --exit-code --json"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				_, problems, _, err := w.lint(cmd.Context(), args[0], o, "")
				if err != nil {
					return err
				}
				err = printList(e, problems, "Nothing keeps it from being approved by another person.",
					column[report.Problem]{"level", func(p report.Problem) string { return string(p.Level) }, 0},
					column[report.Problem]{"rule", func(p report.Problem) string { return p.Rule }, 0},
					column[report.Problem]{"what", func(p report.Problem) string { return p.Text }, 0})
				if err == nil && o.exitCode && countErrors(problems) > 0 {
					return errFound
				}
				return err
			})
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.exitCode, "exit-code", false, "exit with 3 when there is an error")
	return cmd
}

func (o *lintOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.dir, "dir", "", "the folder of the files (default: notices in the workspace)")
	cmd.Flags().BoolVar(&o.routeVerified, "route-verified", false, "you verified a route that is not confirmed")
}

func countErrors(problems []report.Problem) int {
	n := 0
	for _, p := range problems {
		if p.Level == report.Error {
			n++
		}
	}
	return n
}

// lint reads the forms of a notice and checks them; files are as they lie.
func (w *workspace) lint(ctx context.Context, id string, o lintOptions, approver string) (evidence.Notice, []report.Problem, []evidence.NoticeFile, error) {
	n, err := w.notice(ctx, id)
	if err != nil {
		return n, nil, nil, err
	}
	book, err := w.book()
	if err != nil {
		return n, nil, nil, err
	}
	facts, sum, err := w.readFacts(n.CaseID)
	if err != nil {
		return n, nil, nil, err
	}
	contents, files, problems, err := w.forms(n, o.dir)
	if err != nil {
		return n, nil, nil, err
	}
	c, err := w.check(ctx, n, facts, contents)
	if err != nil {
		return n, nil, nil, err
	}
	c.FactsSHA256, c.RouteAccepted, c.Approver = sum, o.routeVerified, approver
	return n, append(problems, book.Lint(c)...), files, nil
}

// forms reads the files of a notice. Only the DOCX and the mail may have been
// edited.
func (w *workspace) forms(n evidence.Notice, dir string) (map[string][]byte, []evidence.NoticeFile, []report.Problem, error) {
	if dir == "" {
		dir = w.path("notices")
	}
	contents := map[string][]byte{}
	var files []evidence.NoticeFile
	var problems []report.Problem
	add := func(format string, args ...any) {
		problems = append(problems, report.Problem{Level: report.Error, Rule: "forms", Text: fmt.Sprintf(format, args...)})
	}
	for _, f := range n.Files {
		content, err := os.ReadFile(filepath.Join(dir, filepath.Base(f.Name)))
		if errors.Is(err, fs.ErrNotExist) {
			add("%s is missing in %s: draft again", f.Name, dir)
			continue
		}
		if err != nil {
			return nil, nil, nil, fmt.Errorf("reading the draft: %w", err)
		}
		sum := evidence.Digest(content)
		if ending := filepath.Ext(f.Name); sum != f.SHA256 && ending != ".docx" && ending != ".eml" {
			add("%s was changed since it was drafted: edit the DOCX or the mail, or correct the facts and draft again", f.Name)
		}
		files = append(files, evidence.NoticeFile{Name: f.Name, SHA256: sum})
		if !strings.HasSuffix(f.Name, "-facts.yaml") { // the workspace's own, not sent
			contents[f.Name] = content
		}
	}
	if len(n.Files) == 0 {
		add("%s was drafted by an earlier version, which recorded no files: draft again", n.ID)
	}
	return contents, files, problems, nil
}

func newNoticeApprove(e env) *cobra.Command {
	var o lintOptions
	cmd := &cobra.Command{
		Use: "approve NOTICE", Short: "Approve a draft, as another person than the one who drafted it",
		Long: `Approve a draft after reading it. It is refused while 'prahari notice lint' has errors, and to
the person who drafted it. The hash of every file goes into the record: what is changed later
is approved again. Nothing is sent.`,
		Example: examples("prahari notice approve N-0001 --operator counsel", "prahari notice approve N-0002 --operator counsel --route-verified"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.noticeApprove(cmd.Context(), args[0], o) },
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say whether it would be approved, record nothing")
	return cmd
}

func (e env) noticeApprove(ctx context.Context, id string, o lintOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	n, problems, files, err := w.lint(ctx, id, o, e.operator())
	if err != nil {
		return err
	}
	for _, p := range problems {
		e.say("  %s %s: %s", p.Level, p.Rule, p.Text)
	}
	if bad := countErrors(problems); bad > 0 {
		return fmt.Errorf("%s: %w: %s to solve first", n.ID, errNotApproved, count(bad, "error"))
	}
	if o.dryRun {
		_, err = fmt.Fprintf(e.out, "%s would be approved\n", n.ID)
		return err
	}
	route := ""
	if o.routeVerified {
		route = "verified by " + e.operator()
	}
	now := time.Now()
	n, err = w.db.RecordNotice(ctx, n.ID, evidence.NoticeEvent{Step: evidence.NoticeApproved, At: now, RecordedAt: now, Actor: e.operator(), Route: route, Files: files})
	if err != nil {
		return err
	}
	return e.done(viewNotice(n), "%s approved by %s; a person signs and sends it, then: prahari notice record-sent %s --at TIME\n", n.ID, e.operator(), n.ID)
}

type recordOptions struct {
	at, reference, note, dir string
	dryRun                   bool
}

func (o *recordOptions) flags(cmd *cobra.Command, at string) {
	f := cmd.Flags()
	f.StringVar(&o.at, "at", "", at+": now, or a time such as 2026-11-24T10:00:00+05:30")
	f.StringVar(&o.reference, "reference", "", "the ticket number that the recipient gave")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be recorded, record nothing")
}

// when reads a time that a person gives of something that happened.
func (o recordOptions) when(cmd *cobra.Command, after time.Time) (time.Time, error) {
	now := time.Now()
	if o.at == "now" {
		return now, nil
	}
	t, err := time.Parse(time.RFC3339, o.at)
	switch {
	case err != nil:
		return t, usageErrorf(cmd, "--at %q is neither 'now' nor a time with its zone, such as 2026-11-24T10:00:00+05:30", evidence.Caption(o.at, 40))
	case t.After(now):
		return t, usageErrorf(cmd, "--at %s lies in the future", o.at)
	case t.Before(after.Truncate(time.Second)):
		return t, usageErrorf(cmd, "--at %s lies before the step that it follows, %s", o.at, stamp(after))
	}
	return t, nil
}

func newNoticeRecordSent(e env) *cobra.Command {
	var o recordOptions
	cmd := &cobra.Command{
		Use: "record-sent NOTICE --at TIME", Short: "Record that a person sent an approved notice",
		Long: `Record that a person sent an approved notice, when, and under which ticket number. It is
refused when a file differs from what was approved. Prahari itself sends nothing.`,
		Example: examples("prahari notice record-sent N-0001 --at now", "prahari notice record-sent N-0001 --at 2026-11-24T10:00:00+05:30 --reference 4711"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.noticeDo(cmd.Context(), args[0], func(w *workspace, n evidence.Notice) error {
				approval, ok := n.Event(evidence.NoticeApproved)
				if !ok {
					return fmt.Errorf("%s was not approved: 'prahari notice approve %s', by another person than %s", n.ID, n.ID, n.DraftedBy)
				}
				at, err := o.when(cmd, approval.At)
				if err != nil {
					return err
				}
				if err := w.asApproved(n, approval, o.dir); err != nil {
					return err
				}
				err = w.record(cmd.Context(), n, o, evidence.NoticeEvent{Step: evidence.NoticeSent, At: at, Note: evidence.Caption(evidence.Sweep(o.note), 400)})
				if err != nil || o.dryRun {
					return err
				}
				book, err := w.book()
				if err != nil {
					return err
				}
				if route, err := book.Route(n.Kind); err == nil && route.Trigger == "" {
					for _, clock := range route.Clocks {
						e.say("Its clock: prahari deadlines start %s %s --notice %s --at '%s'", n.CaseID, clock, n.ID, report.Both(at)[:len("2026-11-24 10:00 IST")])
					}
				}
				return nil
			})
		},
	}
	o.flags(cmd, "when it was sent")
	cmd.Flags().StringVar(&o.note, "note", "", "how it was sent")
	cmd.Flags().StringVar(&o.dir, "dir", "", "the folder of the files (default: notices in the workspace)")
	return cmd
}

// asApproved reports a file that is not what was approved.
func (w *workspace) asApproved(n evidence.Notice, approval evidence.NoticeEvent, dir string) error {
	_, files, _, err := w.forms(n, dir)
	if err != nil {
		return err
	}
	for _, f := range approval.Files {
		if !slices.Contains(files, f) {
			return fmt.Errorf("%s is not as it was approved on %s: have it approved again", f.Name, stamp(approval.At))
		}
	}
	return nil
}

func (w *workspace) record(ctx context.Context, n evidence.Notice, o recordOptions, ev evidence.NoticeEvent) error {
	ev.RecordedAt, ev.Actor, ev.Reference = time.Now(), w.env.operator(), evidence.Caption(o.reference, 80)
	if len(leaks(ev.Reference)) > 0 || len(leaks(ev.Note)) > 0 {
		return errors.New("the reference or the note has an identifier of a person: leave it out")
	}
	if o.dryRun {
		_, err := fmt.Fprintf(w.env.out, "%s would be recorded as %s at %s\n", n.ID, ev.Step, stamp(ev.At))
		return err
	}
	n, err := w.db.RecordNotice(ctx, n.ID, ev)
	if err != nil {
		return err
	}
	return w.env.done(viewNotice(n), "%s recorded as %s at %s\n", n.ID, ev.Step, stamp(ev.At))
}

func newNoticeRecordReply(e env) *cobra.Command {
	var o recordOptions
	cmd := &cobra.Command{
		Use: "record-reply NOTICE --at TIME --note TEXT", Short: "Record what the recipient answered",
		Example: examples("prahari notice record-reply N-0001 --at now --reference 4711 --note 'acknowledged, is looked at'"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(o.note) == "" {
				return usageErrorf(cmd, "--note is missing: what was answered, without any identifier of a person")
			}
			return e.noticeDo(cmd.Context(), args[0], func(w *workspace, n evidence.Notice) error {
				sent, _ := n.Event(evidence.NoticeSent)
				at, err := o.when(cmd, sent.At)
				if err != nil {
					return err
				}
				return w.record(cmd.Context(), n, o, evidence.NoticeEvent{Step: evidence.NoticeAnswered, At: at, Note: evidence.Caption(evidence.Sweep(o.note), 400)})
			})
		},
	}
	o.flags(cmd, "when the answer came")
	cmd.Flags().StringVar(&o.note, "note", "", "what was answered")
	return cmd
}

func newNoticeWithdraw(e env) *cobra.Command {
	var o recordOptions
	cmd := &cobra.Command{
		Use: "withdraw NOTICE --reason TEXT", Short: "Record that a notice does not stand any more",
		Long: `Record that a notice does not stand any more, and why. One that was sent is taken back by a
letter that a person sends: 'prahari notice draft CASE --kind withdrawal'.`,
		Example: examples("prahari notice withdraw N-0001 --reason 'the channel belongs to the organisation itself'"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(strings.TrimSpace(o.note)) < 10 {
				return usageErrorf(cmd, "--reason is missing, or shorter than ten letters")
			}
			return e.noticeDo(cmd.Context(), args[0], func(w *workspace, n evidence.Notice) error {
				_, sent := n.Event(evidence.NoticeSent)
				err := w.record(cmd.Context(), n, o, evidence.NoticeEvent{Step: evidence.NoticeWithdrawn, At: time.Now(), Note: evidence.Caption(evidence.Sweep(o.note), 400)})
				if err == nil && sent {
					e.say("It was sent: draft the letter with 'prahari notice draft %s --kind withdrawal'", n.CaseID)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&o.note, "reason", "", "why it does not stand")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be recorded, record nothing")
	return cmd
}

func newNoticeTemplates(e env) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "templates", Short: "Check the templates, or write ours out to edit them",
		Long: `Check the templates of notices: the program's own, and those in the workspace's folder
'templates', which take the place of ours. A fault is told with its file, its line and the
field. With --out, ours are written into a folder, to be edited.`,
		Example: examples("prahari notice templates", "prahari notice templates --out templates"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				if out != "" {
					return e.writeTemplates(out)
				}
				book, err := w.book()
				if err != nil {
					return err
				}
				if err := errors.Join(book.CheckTemplates(report.Example())...); err != nil {
					return err
				}
				_, err = fmt.Fprintf(e.out, "the templates of %s are fine\n", count(len(book.Routes), "kind"))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the folder to write our templates into; files that are there stay")
	return cmd
}

func (e env) writeTemplates(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the folder for templates: %w", err)
	}
	written := 0
	for name, text := range report.Templates() {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			e.say("%s is there and stays", path)
			continue
		}
		if err := renameio.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing a template: %w", err)
		}
		written++
	}
	_, err := fmt.Fprintf(e.out, "%s written to %s\n", count(written, "template"), dir)
	return err
}
