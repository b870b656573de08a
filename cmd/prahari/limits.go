package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"prahari/scanner"
	"prahari/store"
)

// limits returns the limits of one account, with the workspace's own values.
func (w *workspace) limits() (map[string]scanner.Limit, error) {
	all, err := scanner.Limits(w.config.Limits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.path(configName), err)
	}
	byID := map[string]scanner.Limit{}
	for _, l := range all {
		byID[l.ID] = l
	}
	return byID, nil
}

// limitView is what one account uses of one limit.
type limitView struct {
	Account string `json:"account"`
	Used    int    `json:"used"`
	Of      int    `json:"of"` // for this account
	scanner.Limit
}

// usage lists what each account uses of each limit.
func (w *workspace) usage(ctx context.Context) ([]limitView, error) {
	limits, err := scanner.Limits(w.config.Limits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.path(configName), err)
	}
	accounts, err := w.db.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	var views []limitView
	for _, a := range accounts {
		used, err := w.db.Usage(ctx, a.Label)
		if err != nil {
			return nil, err
		}
		for _, l := range limits {
			v := limitView{Account: a.Label, Of: l.Of(a.Premium), Limit: l}
			switch l.ID {
			case scanner.JoinedChannels:
				v.Used = used.Joined
			case scanner.UsernameLookups:
				v.Used = used.Lookups
			}
			views = append(views, v)
		}
	}
	return views, nil
}

// mayJoin refuses to join past the limit of an account.
func (w *workspace) mayJoin(ctx context.Context, account string) error {
	views, err := w.usage(ctx)
	if err != nil {
		return err
	}
	for _, v := range views {
		if v.Account == account && v.ID == scanner.JoinedChannels && v.Used >= v.Of {
			return fmt.Errorf("account %s joined %d channels through prahari, of %d that Telegram allows (%s): %w; watch without --join, use another account with --account, or leave some with Telegram's app and raise limits.%s in prahari.yaml",
				account, v.Used, v.Of, v.Confidence, scanner.ErrLimit, v.ID)
		}
	}
	return nil
}

func newAccountLimits(e env) *cobra.Command {
	return &cobra.Command{
		Use: "limits", Short: "Show what each account uses of what Telegram allows",
		Long: `Show what each account uses of what Telegram allows one account: channels joined through
prahari, and names looked up within 24 hours. Telegram publishes few of its limits: each has
its source and a confidence, and "folklore" means that nobody confirmed it. prahari refuses
what would go past them; prahari.yaml may set others under limits. Names that were looked up
are kept with id and access hash, for each account, and are not looked up again.`,
		Example: examples("prahari account limits", "prahari account limits --json"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				views, err := w.usage(cmd.Context())
				if err != nil {
					return err
				}
				return printList(e, views, "No accounts. 'prahari account login' adds one.",
					column[limitView]{"account", func(v limitView) string { return v.Account }, 0},
					column[limitView]{"limit", func(v limitView) string { return v.ID }, 0},
					column[limitView]{"used", func(v limitView) string { return fmt.Sprintf("%d of %d", v.Used, v.Of) }, 0},
					column[limitView]{"confidence", func(v limitView) string { return v.Confidence }, 0},
					column[limitView]{"what", func(v limitView) string { return v.Title }, 40},
					column[limitView]{"note", func(v limitView) string { return v.Note }, 60},
				)
			})
		},
	}
}

var _ scanner.Directory = (*store.DB)(nil)
