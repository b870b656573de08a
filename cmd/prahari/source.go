package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/store"
)

func newSource(e env) *cobra.Command {
	return noun("source", "What is watched: public channels, groups and bots",
		newSourceAdd(e), newSourceList(e), newSourceShow(e), newSourceCoverage(e), rehearsable(e, newSourceRemove(e)))
}

type sourceOptions struct {
	account      string
	join         bool
	discussion   bool
	authorisedBy string
	reason       string
	dryRun       bool
}

func newSourceAdd(e env) *cobra.Command {
	var o sourceOptions
	cmd := &cobra.Command{
		Use: "add @NAME|LINK", Short: "Watch a public channel, group or bot",
		Long: `Watch a public channel, group or bot, named by @name or t.me link.

A channel is read without joining: prahari asks for new posts every now and then. With
--join the account joins, and Telegram pushes posts as they appear. Joining is seen by the
channel's owner and is the only thing prahari ever writes to Telegram here, so a person
must authorise it by name and reason; both go into the custody log.
The comments on a channel's posts are in a group of their own; --with-discussion watches it
too. Without it the group becomes a candidate, for you to accept or reject.
A bot is read through the account's own dialog with it; prahari writes nothing to it.`,
		Example: examples("prahari source add @name", "prahari source add https://t.me/name --join --authorised-by 'B. Counsel' --reason 'complaint of 12 June'"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.join && (strings.TrimSpace(o.authorisedBy) == "" || len(strings.TrimSpace(o.reason)) < 10) {
				return usageErrorf(cmd, "--join needs --authorised-by NAME and a --reason of ten letters or more")
			}
			return e.sourceAdd(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.account, "account", "", "the account that reads it (default: the one that reads the fewest)")
	f.BoolVar(&o.join, "join", false, "join, so that posts are pushed")
	f.BoolVar(&o.discussion, "with-discussion", false, "watch the group with the comments on the channel's posts too")
	f.StringVar(&o.authorisedBy, "authorised-by", "", "who allowed the account to join")
	f.StringVar(&o.reason, "reason", "", "on which basis")
	f.BoolVar(&o.dryRun, "dry-run", false, "look it up and say what would be done")
	return cmd
}

func (e env) sourceAdd(ctx context.Context, ref string, o sourceOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	known, watched, err := w.watched(ctx, ref)
	if err != nil {
		return err
	}
	if watched && !o.join && !o.discussion {
		return e.sourceAdded(known, "is watched already")
	}
	if o.account == "" && watched {
		o.account = known.Account
	}
	if o.account, err = w.accountFor(ctx, o.account); err != nil {
		return err
	}
	client, err := w.client(ctx, o.account, nil, nil, e.showEvent)
	if err != nil {
		return err
	}
	source, err := client.Resolve(ctx, ref)
	if err != nil {
		return err
	}
	group, discussed, err := evidence.Source{}, false, error(nil)
	if source.Kind == evidence.Channel {
		if group, discussed, err = client.Discussion(ctx, source); err != nil {
			return err
		}
	}
	if o.discussion && !discussed {
		return fmt.Errorf("%s has no discussion group: add it without --with-discussion", sourceName(source))
	}
	if o.dryRun {
		if o.discussion {
			if err := e.sourceAdded(group, "would be watched too"); err != nil {
				return err
			}
		}
		return e.sourceAdded(source, "would be watched; nothing was changed")
	}
	source.AddedAt, source.AddedBy = time.Now(), e.operator()
	if o.join && source.Access == evidence.Public {
		if err := w.mayJoin(ctx, o.account); err != nil {
			return err
		}
		a, err := w.db.AddAuthorisation(ctx, evidence.Authorisation{
			Method: "channels.joinChannel", Source: source.ID, GivenBy: evidence.Caption(o.authorisedBy, 80),
			Reason: evidence.Caption(o.reason, 200), At: time.Now(),
		}, e.operator())
		if err != nil {
			return err
		}
		if source, err = client.Join(ctx, source, a); err != nil {
			return err
		}
	}
	if err := w.db.AddSource(ctx, source); err != nil {
		return err
	}
	if discussed {
		if err := w.addDiscussion(ctx, source, group, o.discussion); err != nil {
			return err
		}
	}
	return e.sourceAdded(source, "is watched")
}

// addDiscussion watches the group that holds the comments on a channel's posts,
// or makes it a candidate.
func (w *workspace) addDiscussion(ctx context.Context, channel, group evidence.Source, watch bool) error {
	if watch {
		group.AddedAt, group.AddedBy = time.Now(), w.env.operator()
		if err := w.db.AddSource(ctx, group); err != nil {
			return err
		}
		return w.env.sourceAdded(group, "is watched, for the comments on "+sourceName(channel))
	}
	w.env.say("The comments on %s are in group %s (%s), which is not watched: 'prahari source add @%s --with-discussion' does.",
		sourceName(channel), sourceName(group), evidence.Caption(group.Title, 60), channel.Username)
	if group.Username == "" || !evidence.CandidateName(group.Username) {
		return nil
	}
	return w.db.AddLeads(ctx, []evidence.Lead{{Name: strings.ToLower(group.Username), How: evidence.ByDiscussion, SourceID: channel.ID, At: time.Now()}})
}

// watched finds a source among those that are watched.
func (w *workspace) watched(ctx context.Context, ref string) (evidence.Source, bool, error) {
	known, err := w.db.Source(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return known, false, nil
	}
	if err != nil {
		return known, false, err
	}
	all, err := w.db.Sources(ctx)
	return known, slices.ContainsFunc(all, func(s evidence.Source) bool { return s.ID == known.ID }), err
}

// sourceView is a source as printed.
type sourceView struct {
	ID       string              `json:"id"`
	Kind     evidence.SourceKind `json:"kind"`
	Access   evidence.Access     `json:"access"`
	Username string              `json:"username,omitempty"`
	Title    string              `json:"title"`
	URL      string              `json:"url,omitempty"`
	Account  string              `json:"account"`
	AddedAt  time.Time           `json:"added_at,omitzero"`
	Findings int64               `json:"findings"`
	People   int64               `json:"distinct_identifiers"`
	State    evidence.ChangeKind `json:"state,omitempty"` // why it cannot be read, or is restricted
	Marks    string              `json:"marks,omitempty"` // Telegram's: scam, fake, verified
}

func viewSource(s evidence.Source) sourceView {
	return sourceView{ID: s.ID, Kind: s.Kind, Access: s.Access, Username: s.Username, Title: s.Title, URL: s.URL(), Account: s.Account, AddedAt: s.AddedAt, State: s.State, Marks: s.Marks}
}

func (e env) sourceAdded(s evidence.Source, what string) error {
	if e.global.json {
		return printJSON(e.out, viewSource(s))
	}
	_, err := fmt.Fprintf(e.out, "%s %s (%s, %s) %s\n", s.Kind, sourceName(s), evidence.Caption(s.Title, 60), s.Access, what)
	return err
}

func sourceUnknown(name string, err error) error {
	return fmt.Errorf("source %s: %w; 'prahari source list' shows what is watched", evidence.Caption(name, 60), err)
}

func newSourceList(e env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List sources", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				sources, err := w.db.Sources(cmd.Context())
				if err != nil {
					return err
				}
				views := make([]sourceView, len(sources))
				for i, s := range sources {
					counts, err := w.db.Counts(cmd.Context(), s.ID)
					if err != nil {
						return err
					}
					views[i] = viewSource(s)
					views[i].Findings, views[i].People = counts.Findings, counts.Tokens
				}
				return printList(e, views, "No sources. 'prahari source add @name' adds one.",
					column[sourceView]{"source", func(v sourceView) string { return v.ID }, 0},
					column[sourceView]{"name", func(v sourceView) string { return v.Username }, 0},
					column[sourceView]{"kind", func(v sourceView) string { return string(v.Kind) }, 0},
					column[sourceView]{"access", func(v sourceView) string { return string(v.Access) }, 0},
					column[sourceView]{"account", func(v sourceView) string { return v.Account }, 0},
					column[sourceView]{"state", func(v sourceView) string { return strings.TrimSpace(string(v.State) + " " + v.Marks) }, 0},
					column[sourceView]{"findings", func(v sourceView) string { return fmt.Sprint(v.Findings) }, 0},
					column[sourceView]{"title", func(v sourceView) string { return v.Title }, 40},
				)
			})
		},
	}
}

// coverageView is what was seen of one source.
type coverageView struct {
	Source  string    `json:"source"`
	Name    string    `json:"name"`
	Lo      int64     `json:"lo"`
	Hi      int64     `json:"hi"`
	State   string    `json:"state"` // "observed", "missing", or "gap": missed when it was posted, read since
	How     string    `json:"how"`
	Account string    `json:"account,omitempty"`
	Since   time.Time `json:"at,omitzero"`
	Edits   string    `json:"edits,omitempty"` // which of them are told, of what was observed
}

func newSourceCoverage(e env) *cobra.Command {
	return &cobra.Command{
		Use: "coverage [SOURCE]", Short: "Show which message ids were seen, and which are missing",
		Long: `Show, per source, the ranges of message ids in which every message that existed was
seen, how (live, backfill, poll), by which account and when; what is missing between them,
and why; and the gaps: what was missed when it was posted and was read later, so that edits
and deletions in between are not known. The next 'prahari watch' reads what is missing.

What was seen live was told with every edit and deletion. Of what a poll or a backfill saw
only the versions at that time are known: a channel that is read without joining shows an
edit as long as the message is among its newest hundred.`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return e.coverage(cmd.Context(), args) },
	}
}

func (e env) coverage(ctx context.Context, args []string) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	sources, err := w.db.Sources(ctx)
	if err != nil {
		return err
	}
	if len(args) == 1 {
		s, err := w.db.Source(ctx, args[0])
		if err != nil {
			return sourceUnknown(args[0], err)
		}
		sources = []evidence.Source{s}
	}
	var views []coverageView
	for _, s := range sources {
		rows, err := w.coverage(ctx, s)
		if err != nil {
			return err
		}
		views = append(views, rows...)
	}
	return printList(e, views, "Nothing was read yet. 'prahari watch' reads the history of what is watched.",
		column[coverageView]{"source", func(v coverageView) string { return v.Name }, 0},
		column[coverageView]{"messages", func(v coverageView) string {
			return strings.TrimPrefix(strings.TrimPrefix(messages(v.Lo, v.Hi), "messages "), "message ")
		}, 0},
		column[coverageView]{"state", func(v coverageView) string { return v.State }, 0},
		column[coverageView]{"how", func(v coverageView) string { return v.How }, 0},
		column[coverageView]{"account", func(v coverageView) string { return v.Account }, 0},
		column[coverageView]{"at", func(v coverageView) string { return stamp(v.Since) }, 0},
	)
}

// editsTold says which edits are known of messages that were seen in a way: one
// that is not pushed shows the last version of its newest messages.
func editsTold(s evidence.Source, how evidence.Origin) string {
	switch {
	case s.Kind == evidence.File:
		return ""
	case s.Access == evidence.Public:
		return "the last version, while among the newest 100"
	case how == evidence.Live:
		return "all"
	}
	return "all that came after it was read"
}

// coverage lists what was observed of a source, and what lies open between.
func (w *workspace) coverage(ctx context.Context, s evidence.Source) ([]coverageView, error) {
	observed, err := w.db.Coverage(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	gaps, err := w.db.Gaps(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	var views []coverageView
	var ranges []evidence.Range
	top := int64(0)
	for _, g := range gaps {
		top = max(top, g.Hi)
	}
	open := map[evidence.Gap]bool{}
	for _, o := range observed {
		ranges = append(ranges, o.Range)
		top = max(top, o.Hi)
		views = append(views, coverageView{s.ID, sourceName(s), o.Lo, o.Hi, "observed", string(o.How), o.Account, o.At, editsTold(s, o.How)})
	}
	for _, r := range evidence.Missing(evidence.Range{Lo: 1, Hi: top}, evidence.Merge(ranges)) {
		why, since := "not read yet", time.Time{}
		for _, g := range gaps {
			if g.Lo <= r.Hi && (g.Hi >= r.Lo || g.Hi == 0) {
				why, since, open[g] = g.Reason, g.At, true
			}
		}
		views = append(views, coverageView{s.ID, sourceName(s), r.Lo, r.Hi, "missing", why, "", since, ""})
	}
	for _, g := range gaps {
		if g.Hi == 0 && g.Lo > top { // nothing was seen since
			views = append(views, coverageView{s.ID, sourceName(s), g.Lo, 0, "missing", g.Reason, "", g.At, ""})
			continue
		}
		if !open[g] {
			views = append(views, coverageView{s.ID, sourceName(s), g.Lo, g.Hi, "gap", g.Reason, "", g.At, ""})
		}
	}
	return views, nil
}

func newSourceRemove(e env) *cobra.Command {
	return &cobra.Command{
		Use: "remove SOURCE", Short: "Stop watching a source; its evidence stays", Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				s, err := w.db.Source(cmd.Context(), args[0])
				if err != nil {
					return sourceUnknown(args[0], err)
				}
				if err := w.db.RemoveSource(cmd.Context(), s.ID, e.operator()); err != nil {
					return err
				}
				_, err = fmt.Fprintf(e.out, "%s is no longer watched; its evidence stays\n", sourceName(s))
				return err
			})
		},
	}
}
