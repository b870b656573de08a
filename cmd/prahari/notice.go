package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
	return noun("notice", "Notices: drafts that a person checks, approves, signs and sends",
		newNoticeRoutes(e), newNoticeDraft(e), newNoticeLint(e), newNoticeApprove(e), newNoticeRecordSent(e), newNoticeRecordReply(e),
		newNoticeWithdraw(e), newNoticeList(e), newNoticeShow(e), newNoticeTemplates(e))
}

func newNoticeRoutes(e env) *cobra.Command {
	return &cobra.Command{
		Use: "routes", Aliases: []string{"kinds"}, Short: "List the kinds of notice and the routes they go by", Args: usageArgs(cobra.NoArgs),
		Long: `List the kinds of notice, where each goes, and how well that is known. A route that is not
confirmed carries a banner, and its draft is approved only with --route-verified. Routes are
data: put a corrected routes.yaml into the workspace's folder 'law'.`,
		Example: examples("prahari notice routes", "prahari notice routes --json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				book, err := w.book()
				if err != nil {
					return err
				}
				return printList(e, book.Routes, "",
					column[report.Route]{"kind", func(r report.Route) string { return r.Kind }, 0},
					column[report.Route]{"by", func(r report.Route) string { return r.Channel }, 0},
					column[report.Route]{"recipient", func(r report.Route) string { return cmp.Or(r.Recipient, "-") }, 0},
					column[report.Route]{"route", func(r report.Route) string { return string(r.Confidence) }, 0},
					column[report.Route]{"verified", func(r report.Route) string { return r.VerifiedOn }, 0},
					column[report.Route]{"languages", func(r report.Route) string { return cmp.Or(strings.Join(r.Languages, ","), "en") }, 0},
					column[report.Route]{"what it is", func(r report.Route) string { return r.Title }, 60})
			})
		},
	}
}

type noticeOptions struct {
	kind     string
	language string
	out      string
	followUp bool
	dryRun   bool
}

func newNoticeDraft(e env) *cobra.Command {
	var o noticeOptions
	cmd := &cobra.Command{
		Use: "draft CASE --kind KIND", Short: "Draft a notice for a case, in every form",
		Long: `Draft a notice for a case as Markdown, text to paste, HTML, DOCX to edit, PDF, and an .eml
file that a mail program opens as an unsent message. What is not known stays a visible blank
with the question to answer: answers go into the facts file of the case, whose hash every
draft prints. Nothing is sent. Problems that keep it from being approved are listed.`,
		Example: examples("prahari notice draft CASE0001 --kind telegram-abuse-mail", "prahari notice draft CASE0001 --kind dpdp-principal --language hi",
			"prahari notice draft CASE0001 --kind certin-incident --dry-run"),
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.kind == "" {
				return usageErrorf(cmd, "--kind is missing; 'prahari notice routes' lists them")
			}
			if o.language != report.English && o.language != report.Hindi {
				return usageErrorf(cmd, "--language is en or hi")
			}
			return e.noticeDraft(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.kind, "kind", "", "the kind of notice")
	f.StringVar(&o.language, "language", report.English, "the language of the letter: en or hi")
	f.StringVar(&o.out, "out", "", "the folder for the files (default: notices in the workspace)")
	f.BoolVar(&o.followUp, "follow-up", false, "it follows up one of the same kind that was sent")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the Markdown, keep nothing")
	_ = cmd.RegisterFlagCompletionFunc("kind", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		book, err := report.Open(nil, nil)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var kinds []string
		for _, r := range book.Routes {
			kinds = append(kinds, r.Kind+"\t"+r.Title)
		}
		return kinds, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func (e env) noticeDraft(ctx context.Context, caseID string, o noticeOptions) error {
	return e.caseDo(ctx, caseID, func(w *workspace, c evidence.Case) error {
		book, err := w.book()
		if err != nil {
			return err
		}
		if _, err := book.Route(o.kind); errors.Is(err, report.ErrNoKind) {
			return usageError{"prahari notice draft", fmt.Errorf("--kind: %w; 'prahari notice routes' lists them", err)}
		}
		facts, err := w.gather(ctx, c)
		if err != nil {
			return err
		}
		// A person can answer before anything is drafted.
		if err := w.writeFacts(facts); err != nil {
			return err
		}
		attachments, err := w.xarf(ctx, c)
		if err != nil {
			return err
		}
		var draft report.Draft
		var check report.LintInput
		write := func(id string) (evidence.Notice, error) {
			draft, err = book.Draft(o.kind, facts, report.DraftOptions{NoticeID: id, Language: o.language, FollowUp: o.followUp, Now: time.Now(), DraftedBy: e.operator(), Attachments: attachments})
			if err != nil {
				return evidence.Notice{}, err
			}
			files := map[string][]byte{}
			for ending, content := range draft.Forms {
				files[id+"-"+o.kind+ending] = content
			}
			if check, err = w.check(ctx, draft.Notice, facts, files); err != nil {
				return evidence.Notice{}, err
			}
			// What a person wrote into the answers is not masked by anything.
			for _, p := range book.Lint(check) {
				if p.Rule == "L01" {
					return evidence.Notice{}, fmt.Errorf("nothing was drafted: %s; take it out of %s", p.Text, w.factsFile(c.ID))
				}
			}
			return draft.Notice, nil
		}
		if o.dryRun {
			if _, err := write("N-DRYRUN"); err != nil {
				return err
			}
			fmt.Fprint(e.out, draft.Notice.Markdown)
			e.problems(book.Lint(check))
			return nil
		}
		dir := cmp.Or(o.out, w.path("notices"))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making the folder for notices: %w", err)
		}
		notice, err := w.db.AddNotice(ctx, func(id string) (evidence.Notice, error) {
			n, err := write(id)
			if err != nil {
				return n, err
			}
			// The files come first: a notice in the database has its files.
			encoded, err := facts.Encode()
			if err != nil {
				return n, err
			}
			check.Files[id+"-facts.yaml"] = encoded
			for _, name := range slices.Sorted(maps.Keys(check.Files)) {
				if err := renameio.WriteFile(filepath.Join(dir, name), check.Files[name], 0o600); err != nil {
					return n, fmt.Errorf("writing the draft: %w", err)
				}
				n.Files = append(n.Files, evidence.NoticeFile{Name: name, SHA256: evidence.Digest(check.Files[name])})
			}
			return n, nil
		})
		if err != nil {
			return err
		}
		if e.global.json {
			return printJSON(e.out, viewNotice(notice))
		}
		fmt.Fprintf(e.out, "%s drafted: %s\n", notice.ID, notice.Subject)
		for _, ending := range report.Endings() {
			fmt.Fprintf(e.out, "  %s\n", filepath.Join(dir, notice.ID+"-"+o.kind+ending))
		}
		e.say("  Questions to answer are in %s", w.factsFile(c.ID))
		e.problems(book.Lint(check))
		return nil
	})
}

// problems lists on stderr what a person must solve before a draft is approved.
func (e env) problems(problems []report.Problem) {
	for _, p := range problems {
		e.say("  %s %s: %s", p.Level, p.Rule, p.Text)
	}
	if len(problems) > 0 {
		e.say("A person solves these before anything is sent.")
	}
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
		return slices.DeleteFunc(m.Matches(text), func(f evidence.Match) bool {
			return f.Form == evidence.Masked || f.Label == "" && (f.Kind == evidence.DateOfBirth || f.Kind == matcher.PIN || f.Kind == matcher.Account)
		})
	}
}

// noticeView is a notice as printed.
type noticeView struct {
	ID        string                `json:"id"`
	CaseID    string                `json:"case"`
	Kind      string                `json:"kind"`
	Language  string                `json:"language"`
	Step      evidence.NoticeStep   `json:"step"`
	Subject   string                `json:"subject"`
	Recipient string                `json:"recipient,omitempty"`
	FollowUp  bool                  `json:"follow_up,omitempty"`
	Facts     string                `json:"facts_sha256"`
	DraftedAt time.Time             `json:"drafted_at"`
	DraftedBy string                `json:"drafted_by"`
	Files     []evidence.NoticeFile `json:"files"`
	Events    []noticeEventView     `json:"events"`
}

type noticeEventView struct {
	Step       evidence.NoticeStep   `json:"step"`
	At         time.Time             `json:"at"`
	RecordedAt time.Time             `json:"recorded_at"`
	Actor      string                `json:"actor"`
	Reference  string                `json:"reference,omitempty"`
	Note       string                `json:"note,omitempty"`
	Route      string                `json:"route,omitempty"`
	Files      []evidence.NoticeFile `json:"files,omitempty"`
}

func viewNotice(n evidence.Notice) noticeView {
	v := noticeView{
		ID: n.ID, CaseID: n.CaseID, Kind: n.Kind, Language: n.Language, Step: n.Step(), Subject: n.Subject, Recipient: n.Recipient, FollowUp: n.FollowUp,
		Facts: n.FactsSHA256, DraftedAt: n.DraftedAt, DraftedBy: n.DraftedBy, Files: append([]evidence.NoticeFile{}, n.Files...), Events: []noticeEventView{},
	}
	for _, e := range n.Events {
		v.Events = append(v.Events, noticeEventView(e))
	}
	return v
}

func newNoticeList(e env) *cobra.Command {
	return &cobra.Command{
		Use: "list [CASE]", Short: "List notices, with what was done last", Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
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
					column[noticeView]{"step", func(v noticeView) string { return string(v.Step) }, 0},
					column[noticeView]{"drafted", func(v noticeView) string { return stamp(v.DraftedAt) }, 0},
					column[noticeView]{"subject", func(v noticeView) string { return v.Subject }, 60})
			})
		},
	}
}

func newNoticeShow(e env) *cobra.Command {
	var eml, steps bool
	cmd := &cobra.Command{
		Use: "show NOTICE", Short: "Print a notice, its mail or its steps",
		Example: examples("prahari notice show N-0001", "prahari notice show N-0001 --eml > draft.eml", "prahari notice show N-0001 --steps"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.noticeDo(cmd.Context(), args[0], func(w *workspace, n evidence.Notice) error {
				switch {
				case e.global.json:
					return printJSON(e.out, viewNotice(n))
				case n.Markdown == "" && !steps:
					return fmt.Errorf("the text of %s was purged after its case ended; --steps shows what was done with it, 'prahari custody show' who purged it", n.ID)
				case eml:
					_, err := e.out.Write(n.EML)
					return err
				case steps:
					fmt.Fprintf(e.out, "%s %s  by %s\n", stamp(n.DraftedAt), evidence.NoticeDrafted, n.DraftedBy)
					for _, ev := range n.Events {
						fmt.Fprintln(e.out, strings.TrimRight(fmt.Sprintf("%s %s  by %s  %s  %s", stamp(ev.At), ev.Step, ev.Actor, evidence.OneLine(ev.Reference, 80), evidence.OneLine(ev.Note, 200)), " "))
					}
				default:
					_, err := fmt.Fprintln(e.out, evidence.Printable(n.Markdown))
					return err
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&eml, "eml", false, "print the mail file instead of Markdown")
	cmd.Flags().BoolVar(&steps, "steps", false, "print what was done with it, when and by whom")
	return cmd
}

// noticeDo opens the workspace, finds a notice and does one thing with it.
func (e env) noticeDo(ctx context.Context, id string, do func(*workspace, evidence.Notice) error) error {
	return e.inWorkspace(ctx, func(w *workspace) error {
		n, err := w.notice(ctx, id)
		if err != nil {
			return err
		}
		return do(w, n)
	})
}

func (w *workspace) notice(ctx context.Context, id string) (evidence.Notice, error) {
	n, err := w.db.Notice(ctx, id)
	if err != nil {
		return n, fmt.Errorf("notice %s: %w; 'prahari notice list' shows what there is", evidence.Caption(id, 40), err)
	}
	return n, nil
}
