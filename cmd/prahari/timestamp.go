package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/store"
)

type timestampOptions struct {
	list, dryRun bool
	export       string
}

func newCustodyTimestamp(e env) *cobra.Command {
	var o timestampOptions
	cmd := &cobra.Command{
		Use: "timestamp", Short: "Sign the log as it stands and have it time-stamped",
		Long: `Sign the log as it stands and have the checkpoint time-stamped (RFC 3161) by every authority
under 'timestamp.authorities' of prahari.yaml. Only a digest and a random number leave the
machine. An answer is verified before it is kept: status, digest, nonce, chain, key usage,
and a time near our own. What an authority does not answer waits and is tried again, here
and by a running watch, which does all this by itself daily and after every thousand
captures (timestamp.every, timestamp.captures).`,
		Example: examples("prahari custody timestamp", "prahari custody timestamp --list", "prahari custody timestamp --export stamps"),
		Args:    usageArgs(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.custodyTimestamp(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.list, "list", false, "list the stamps, ask for none")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be asked of whom, change nothing")
	f.StringVar(&o.export, "export", "", "write checkpoints, .tsq, .tsr and roots into this folder, ask for none")
	cmd.MarkFlagsMutuallyExclusive("list", "dry-run", "export")
	return cmd
}

// stampView is a time stamp as printed.
type stampView struct {
	Entries   int64     `json:"entries"` // of the checkpoint
	Authority string    `json:"authority"`
	State     string    `json:"state"` // "waiting", "stamped"
	QueuedAt  time.Time `json:"queued_at"`
	StampedAt time.Time `json:"stamped_at,omitzero"`
	SHA256    string    `json:"sha256,omitempty"` // of the .tsr
	Demo      bool      `json:"demo"`             // proves no time
	Tries     int       `json:"tries"`
	Problem   string    `json:"problem,omitempty"`
}

func viewStamp(s store.Stamp) stampView {
	v := stampView{Entries: s.Size, Authority: s.Authority, State: "waiting", QueuedAt: s.QueuedAt, Demo: s.Demo, Tries: s.Tries, Problem: s.Problem}
	if s.Response != nil {
		v.State, v.StampedAt, v.SHA256 = "stamped", s.At, evidence.Digest(s.Response)
	}
	return v
}

func (e env) custodyTimestamp(ctx context.Context, o timestampOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	if o.list {
		return e.listStamps(ctx, w)
	}
	if o.export != "" {
		stamps, err := w.db.Stamps(ctx)
		if err != nil {
			return err
		}
		if err := writeStamps(o.export, stamps); err != nil {
			return err
		}
		e.say("Check one with: openssl ts -verify -data checkpoint-N -in checkpoint-N.NAME.tsr -CAfile checkpoint-N.NAME.ca.pem")
		return nil
	}
	s, err := w.stamper(ctx)
	if err != nil {
		return err
	}
	if len(s.authorities) == 0 {
		return fmt.Errorf("nobody to ask: name one or two time-stamp authorities under timestamp.authorities in %s", w.path(configName))
	}
	if o.dryRun {
		waiting, err := s.waiting(ctx, time.Now(), true)
		if err != nil {
			return err
		}
		for _, a := range s.authorities {
			fmt.Fprintf(e.out, "%s at %s would be asked for a stamp of the log as it stands\n", a.Name, a.URL)
		}
		_, err = fmt.Fprintf(e.out, "%s would be tried again\n", count(len(waiting), "waiting stamp"))
		return err
	}
	if _, err := s.checkpoint(ctx, time.Now()); err != nil {
		return err
	}
	return e.stampAll(ctx, s)
}

func (e env) listStamps(ctx context.Context, w *workspace) error {
	stamps, err := w.db.Stamps(ctx)
	if err != nil {
		return err
	}
	views := make([]stampView, len(stamps))
	for i, s := range stamps {
		views[i] = viewStamp(s)
	}
	return printList(e, views, "No time stamps. 'prahari custody timestamp' asks for one.",
		column[stampView]{"entries", func(v stampView) string { return fmt.Sprint(v.Entries) }, 0},
		column[stampView]{"authority", func(v stampView) string { return v.Authority + demoNote(v.Demo) }, 0},
		column[stampView]{"state", func(v stampView) string { return v.State }, 0},
		column[stampView]{"stamped", func(v stampView) string { return stamp(v.StampedAt) }, 0},
		column[stampView]{"tries", func(v stampView) string { return fmt.Sprint(v.Tries) }, 0},
		column[stampView]{"problem", func(v stampView) string { return v.Problem }, 60},
	)
}

// errWaiting says that an authority did not answer as it must.
var errWaiting = errors.New("some time stamps wait for their authority; a running watch and this command try again")

// stampAll tries every waiting stamp once.
func (e env) stampAll(ctx context.Context, s *stamper) error {
	waiting, err := s.waiting(ctx, time.Now(), true)
	if err != nil {
		return err
	}
	bar := e.bar(int64(len(waiting)), "asking for time stamps", false)
	var failed error
	said := map[string]bool{} // one authority that is away says the same for each stamp
	for i, p := range waiting {
		got, err := s.try(ctx, p, time.Now())
		_ = bar.Set(i + 1)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if !said[err.Error()] {
				said[err.Error()], failed = true, errors.Join(failed, err)
			}
			continue
		}
		if e.global.json {
			if err := printJSON(e.out, viewStamp(got)); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(e.out, "%d entries stamped by %s at %s%s\n", got.Size, got.Authority, got.At.Format(time.RFC3339), demoNote(got.Demo))
	}
	_ = bar.Finish()
	if failed != nil {
		return fmt.Errorf("%w: %w", errWaiting, failed)
	}
	return nil
}
