package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/scanner"
	"prahari/store"
)

func newCandidate(e env) *cobra.Command {
	return noun("candidate", "Public names that findings and searches led to; a person decides", newCandidateList(e), newCandidateAccept(e), rehearsable(e, newCandidateReject(e)))
}

func newCandidateList(e env) *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use: "list", Short: "List candidates with what led to them, those with most leads first",
		Long: `List the public names that messages with findings link to, mention or were forwarded from,
and those that 'prahari discover' gave. Nothing is joined or watched before a person accepts
it. A name that holds an identifier is not kept at all.`,
		Example: examples("prahari candidate list", "prahari candidate list --state rejected", "prahari candidate list --json | jq .trail"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			switch s := evidence.CandidateState(state); s {
			case "all", evidence.Undecided, evidence.Accepted, evidence.Rejected:
			default:
				return usageErrorf(cmd, "--state is undecided, accepted, rejected or all")
			}
			w, err := e.openWorkspace(cmd.Context())
			if err != nil {
				return err
			}
			defer w.close(&err)
			all, err := w.db.Candidates(cmd.Context(), evidence.CandidateState(strings.TrimPrefix(state, "all")))
			if err != nil {
				return err
			}
			return printList(e, all, "No candidates. Findings lead to them, and 'prahari discover QUERY' searches for them.",
				column[evidence.Candidate]{"candidate", func(c evidence.Candidate) string { return "@" + c.Name }, 0},
				column[evidence.Candidate]{"state", func(c evidence.Candidate) string { return string(c.State) }, 0},
				column[evidence.Candidate]{"leads", func(c evidence.Candidate) string { return fmt.Sprint(len(c.Trail)) }, 0},
				column[evidence.Candidate]{"first seen", func(c evidence.Candidate) string { return stamp(c.FirstSeen) }, 0},
				column[evidence.Candidate]{"led by", func(c evidence.Candidate) string { return trailText(c.Trail) }, 60},
			)
		},
	}
	cmd.Flags().StringVar(&state, "state", string(evidence.Undecided), "undecided, accepted, rejected or all")
	return cmd
}

// trailText shortens a trail to its first steps.
func trailText(trail []evidence.Lead) string {
	var parts []string
	for i, l := range trail {
		if i == 3 {
			parts = append(parts, fmt.Sprintf("and %d more", len(trail)-i))
			break
		}
		if l.How == evidence.BySearch {
			parts = append(parts, "search for "+l.Query)
			continue
		}
		if l.How == evidence.ByDiscussion {
			parts = append(parts, "comments on "+l.SourceID)
			continue
		}
		parts = append(parts, fmt.Sprintf("%s in %s/%d", l.How, l.SourceID, l.MessageID))
	}
	return strings.Join(parts, ", ")
}

func candidateUnknown(name string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("candidate %s: %w; 'prahari candidate list --state all' shows them", evidence.Caption(name, 40), err)
	}
	return err
}

func newCandidateAccept(e env) *cobra.Command {
	var o sourceOptions
	cmd := &cobra.Command{
		Use: "accept @NAME", Short: "Watch a candidate from now on, without joining",
		Long: `Watch a candidate as 'prahari source add' does, without joining, and note who decided it.
'prahari source add @NAME --join' joins it afterwards, with an authorisation.`,
		Example: examples("prahari candidate accept @name", "prahari candidate accept @name --dry-run"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.candidateAccept(cmd.Context(), args[0], o) },
	}
	cmd.Flags().StringVar(&o.account, "account", "", "the account that reads it (default: the one that reads the fewest)")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "look it up and say what would be done")
	return cmd
}

func (e env) candidateAccept(ctx context.Context, ref string, o sourceOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	c, err := w.db.Candidate(ctx, ref)
	if err != nil {
		return candidateUnknown(ref, err)
	}
	if o.account, err = w.accountFor(ctx, o.account); err != nil {
		return err
	}
	client, err := w.client(ctx, o.account, nil, nil, e.showEvent)
	if err != nil {
		return err
	}
	source, err := client.Resolve(ctx, "@"+c.Name)
	if err != nil {
		return err
	}
	if o.dryRun {
		return e.sourceAdded(source, "would be watched; nothing was changed")
	}
	source.AddedAt, source.AddedBy = time.Now(), e.operator()
	if err := w.db.AddSource(ctx, source); err != nil {
		return err
	}
	if err := w.db.DecideCandidate(ctx, c.Name, evidence.Accepted, e.operator(), "watched as "+source.ID); err != nil {
		return err
	}
	return e.sourceAdded(source, "is watched")
}

func newCandidateReject(e env) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "reject @NAME", Short: "Put a candidate aside, with a reason", Example: examples("prahari candidate reject @name --reason 'a news channel'"),
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if strings.TrimSpace(reason) == "" {
				return usageErrorf(cmd, "--reason says why, for those who come after")
			}
			w, err := e.openWorkspace(cmd.Context())
			if err != nil {
				return err
			}
			defer w.close(&err)
			c, err := w.db.Candidate(cmd.Context(), args[0])
			if err != nil {
				return candidateUnknown(args[0], err)
			}
			if err := w.db.DecideCandidate(cmd.Context(), c.Name, evidence.Rejected, e.operator(), evidence.Caption(reason, 200)); err != nil {
				return err
			}
			_, err = fmt.Fprintf(e.out, "@%s is put aside\n", c.Name)
			return err
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}

func newDiscover(e env) *cobra.Command {
	var account string
	var dryRun bool
	cmd := &cobra.Command{
		Use: "discover QUERY", Short: "Search Telegram for public channels, groups and bots",
		Long: `Search with Telegram's own methods for public channels, groups and bots: by name; with
'#hashtag' for channels whose posts carry it; with @name for channels that Telegram
recommends beside that one. What they give becomes candidates; nothing is joined or
watched. A query that holds an identifier is refused: it would go to Telegram.`,
		Example: examples("prahari discover 'aadhaar lookup'", "prahari discover '#leaks'", "prahari discover @data_shop", "prahari discover vaccine --json"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.discover(cmd.Context(), args[0], account, dryRun)
		},
	}
	cmd.Flags().StringVar(&account, "account", defaultAccount, "the account that searches")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check the query and say what Telegram would be asked, ask and record nothing")
	return cmd
}

func (e env) discover(ctx context.Context, query, account string, dryRun bool) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	finder, err := w.finder()
	if err != nil {
		return err
	}
	if len(finder.Find(query, evidence.File).Matches) > 0 || evidence.Sweep(query) != query {
		return errors.New("the query holds an identifier and was not sent: search for words, never for a person's number")
	}
	if dryRun {
		calls, err := scanner.DiscoverCalls(query)
		if err != nil {
			return err
		}
		return w.wouldAsk(account, calls, "the public names in the answer as candidates")
	}
	client, err := w.client(ctx, account, nil, nil, e.showEvent)
	if err != nil {
		return err
	}
	found, err := client.Discover(ctx, query)
	if err != nil {
		return err
	}
	var leads []evidence.Lead
	var shown []scanner.Discovered
	for _, d := range found {
		if name := strings.ToLower(d.Username); evidence.CandidateName(name) {
			shown = append(shown, d)
			leads = append(leads, evidence.Lead{Name: name, How: evidence.BySearch, Query: evidence.Caption(query, 80), At: time.Now()})
		}
	}
	if err := w.db.AddLeads(ctx, leads); err != nil {
		return err
	}
	if err := printList(e, shown, "Telegram's search gave nothing public for it.",
		column[scanner.Discovered]{"name", func(d scanner.Discovered) string { return "@" + d.Username }, 0},
		column[scanner.Discovered]{"kind", func(d scanner.Discovered) string { return string(d.Kind) }, 0},
		column[scanner.Discovered]{"members", func(d scanner.Discovered) string { return fmt.Sprint(d.Members) }, 0},
		column[scanner.Discovered]{"title", func(d scanner.Discovered) string { return d.Title }, 50},
	); err != nil {
		return err
	}
	if len(shown) > 0 {
		e.say("'prahari candidate accept @NAME' watches one of them.")
	}
	return nil
}
