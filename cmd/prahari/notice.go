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
	"prahari/matcher"
	"prahari/report"
)

func newNotice(e env) *cobra.Command {
	return noun("notice", "Drafts of notices; a person checks, signs and sends them",
		newNoticeKinds(e), newNoticeDraft(e), newNoticeList(e), newNoticeShow(e))
}

func newNoticeKinds(e env) *cobra.Command {
	return &cobra.Command{
		Use: "kinds", Short: "List the kinds of notice and the routes they go by", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := e.openWorkspace(cmd.Context())
			if err != nil {
				return err
			}
			defer w.close(&err)
			book, err := w.book()
			if err != nil {
				return err
			}
			return printList(e, book.Routes, "",
				column[report.Route]{"kind", func(r report.Route) string { return r.Kind }, 0},
				column[report.Route]{"recipient", func(r report.Route) string { return r.Recipient }, 0},
				column[report.Route]{"route", func(r report.Route) string { return string(r.Confidence) }, 0},
				column[report.Route]{"verified", func(r report.Route) string { return r.VerifiedOn }, 0},
				column[report.Route]{"what it is", func(r report.Route) string { return r.Title }, 60})
		},
	}
}

type noticeOptions struct {
	kind   string
	out    string
	dryRun bool
}

func newNoticeDraft(e env) *cobra.Command {
	var o noticeOptions
	cmd := &cobra.Command{
		Use: "draft CASE --kind KIND", Short: "Draft a notice for a case, as Markdown and as a mail to open",
		Long: `Draft a notice for a case: Markdown to read, and an .eml file that a mail program opens
as an unsent message. What is not known stays a visible blank with the question to answer.
Nothing is sent. Problems that must be solved before a person may send it are listed.`,
		Example: examples("prahari notice draft CASE0001 --kind telegram-abuse-mail", "prahari notice draft CASE0001 --kind certin-incident --dry-run"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.kind == "" {
				return usageErrorf(cmd, "--kind is missing; 'prahari notice kinds' lists them")
			}
			return e.noticeDraft(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.kind, "kind", "", "the kind of notice")
	f.StringVar(&o.out, "out", "", "the folder for the files (default: notices in the workspace)")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the Markdown, keep nothing")
	return cmd
}

func (e env) noticeDraft(ctx context.Context, caseID string, o noticeOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	c, err := w.db.Case(ctx, caseID)
	if err != nil {
		return caseUnknown(caseID, err)
	}
	book, err := w.book()
	if err != nil {
		return err
	}
	facts, factsFile, err := w.facts(ctx, c)
	if err != nil {
		return err
	}
	var draft report.Draft
	write := func(id string) (evidence.Notice, error) {
		draft, err = book.Draft(o.kind, facts, report.DraftOptions{NoticeID: id, Now: time.Now(), DraftedBy: e.operator()})
		if errors.Is(err, report.ErrNoKind) {
			return evidence.Notice{}, fmt.Errorf("%w; 'prahari notice kinds' lists them", err)
		}
		if err != nil {
			return evidence.Notice{}, err
		}
		// What a person wrote into the answers is not masked by anything.
		for _, p := range book.Lint(draft, facts, leaks) {
			if p.Rule == "L01" {
				return evidence.Notice{}, fmt.Errorf("nothing was drafted: %s; take it out of %s", p.Text, factsFile)
			}
		}
		return draft.Notice, nil
	}
	if o.dryRun {
		if _, err := write("N-DRYRUN"); err != nil {
			return err
		}
		fmt.Fprint(e.out, draft.Notice.Markdown)
		return e.problems(book.Lint(draft, facts, leaks))
	}
	dir := o.out
	if dir == "" {
		dir = w.path("notices")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the folder for notices: %w", err)
	}
	name := ""
	notice, err := w.db.AddNotice(ctx, func(id string) (evidence.Notice, error) {
		n, err := write(id)
		if err != nil {
			return n, err
		}
		// The files come first: a notice in the database has its files.
		name = filepath.Join(dir, n.ID+"-"+o.kind)
		for ending, data := range map[string][]byte{".md": []byte(n.Markdown), ".eml": n.EML} {
			if err := renameio.WriteFile(name+ending, data, 0o600); err != nil {
				return n, fmt.Errorf("writing the draft: %w", err)
			}
		}
		return n, nil
	})
	if err != nil {
		return err
	}
	if e.global.json {
		return printJSON(e.out, viewNotice(notice))
	}
	fmt.Fprintf(e.out, "%s drafted: %s\n  %s.md\n  %s.eml\n", notice.ID, notice.Subject, name, name)
	e.say("  Questions to answer are in %s", factsFile)
	return e.problems(book.Lint(draft, facts, leaks))
}

// book is the law, routes and grounds that drafts rest on: the program's own,
// and the workspace's corrections of them in its folder 'law'.
func (w *workspace) book() (*report.Book, error) {
	return report.Open(os.DirFS(w.path("law")))
}

// facts gathers a case and joins the answers that a person gave in its facts
// file, which is written anew.
func (w *workspace) facts(ctx context.Context, c evidence.Case) (report.Facts, string, error) {
	path := w.path("notices/" + c.ID + "-facts.yaml")
	items, err := w.db.CaseEvidence(ctx, c.ID)
	if err != nil {
		return report.Facts{}, path, err
	}
	distinct, err := w.db.DistinctTokens(ctx, c.ID)
	if err != nil {
		return report.Facts{}, path, err
	}
	deleted := map[string]bool{}
	for _, item := range items {
		seen, err := w.db.Sightings(ctx, item.Source.ID, item.MessageID)
		if err != nil {
			return report.Facts{}, path, err
		}
		deleted[item.ID] = len(seen) > 0
	}
	facts := report.Gather(c, items, distinct, func(item evidence.Evidence) bool { return deleted[item.ID] })
	raw, err := os.ReadFile(path)
	switch {
	case err == nil:
		if facts.Answers, err = report.ReadAnswers(path, raw); err != nil {
			return facts, path, err
		}
	case errors.Is(err, fs.ErrNotExist):
		o := w.config.Organisation
		facts.Answers.Complainant = report.Complainant{Name: o.Contact, Organisation: o.Name, Email: o.Email}
	default:
		return facts, path, fmt.Errorf("reading the facts file: %w", err)
	}
	encoded, err := facts.Encode()
	if err != nil {
		return facts, path, err
	}
	if err := os.MkdirAll(w.path("notices"), 0o700); err != nil {
		return facts, path, fmt.Errorf("making the folder for notices: %w", err)
	}
	if err := renameio.WriteFile(path, encoded, 0o600); err != nil {
		return facts, path, fmt.Errorf("writing the facts file: %w", err)
	}
	return facts, path, nil
}

// problems lists on stderr what a person must solve before sending.
func (e env) problems(problems []report.Problem) error {
	for _, p := range problems {
		e.say("  %s %s: %s", p.Level, p.Rule, p.Text)
	}
	if len(problems) > 0 {
		e.say("A person solves these before anything is sent.")
	}
	return nil
}

// leaks finds identifiers that are not masked, for the lint and the leak gate.
// What counts only in company, such as a date beside other fields, does not
// count here: reports are full of dates.
func leaks(text string) []evidence.Match { return newLeaks()(text) }

// newLeaks returns leaks for many texts, to be called concurrently.
func newLeaks() func(text string) []evidence.Match {
	m, err := matcher.New(matcher.Config{})
	if err != nil {
		panic(err) // the built-in rules are tested
	}
	return func(text string) []evidence.Match {
		return slices.DeleteFunc(m.Find(text, evidence.File).Matches, func(f evidence.Match) bool {
			return f.Form == evidence.Masked || f.Label == "" && (f.Kind == evidence.DateOfBirth || f.Kind == matcher.PIN || f.Kind == matcher.Account)
		})
	}
}

// noticeView is a notice as printed.
type noticeView struct {
	ID        string    `json:"id"`
	CaseID    string    `json:"case"`
	Kind      string    `json:"kind"`
	Subject   string    `json:"subject"`
	Facts     string    `json:"facts_sha256"`
	DraftedAt time.Time `json:"drafted_at"`
	DraftedBy string    `json:"drafted_by"`
}

func viewNotice(n evidence.Notice) noticeView {
	return noticeView{n.ID, n.CaseID, n.Kind, n.Subject, n.FactsSHA256, n.DraftedAt, n.DraftedBy}
}

func newNoticeList(e env) *cobra.Command {
	return &cobra.Command{
		Use: "list [CASE]", Short: "List drafts", Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w, err := e.openWorkspace(cmd.Context())
			if err != nil {
				return err
			}
			defer w.close(&err)
			notices, err := w.db.Notices(cmd.Context(), strings.Join(args, ""))
			if err != nil {
				return err
			}
			views := make([]noticeView, len(notices))
			for i, n := range notices {
				views[i] = viewNotice(n)
			}
			return printList(e, views, "No notices. 'prahari notice draft CASE --kind KIND' makes one.",
				column[noticeView]{"notice", func(v noticeView) string { return v.ID }, 0},
				column[noticeView]{"case", func(v noticeView) string { return v.CaseID }, 0},
				column[noticeView]{"kind", func(v noticeView) string { return v.Kind }, 0},
				column[noticeView]{"drafted", func(v noticeView) string { return stamp(v.DraftedAt) }, 0},
				column[noticeView]{"subject", func(v noticeView) string { return v.Subject }, 60})
		},
	}
}

func newNoticeShow(e env) *cobra.Command {
	var eml bool
	cmd := &cobra.Command{
		Use: "show NOTICE", Short: "Print a draft", Example: examples("prahari notice show N-0001", "prahari notice show N-0001 --eml > draft.eml"),
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w, err := e.openWorkspace(cmd.Context())
			if err != nil {
				return err
			}
			defer w.close(&err)
			n, err := w.db.Notice(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("notice %s: %w; 'prahari notice list' shows what there is", evidence.Caption(args[0], 40), err)
			}
			switch {
			case e.global.json:
				return printJSON(e.out, viewNotice(n))
			case eml:
				_, err = e.out.Write(n.EML)
			default:
				_, err = fmt.Fprintln(e.out, evidence.Printable(n.Markdown))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&eml, "eml", false, "print the mail file instead of Markdown")
	return cmd
}
