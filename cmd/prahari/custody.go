package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"prahari/evidence"
)

func newCustody(e env) *cobra.Command {
	return noun("custody", "The log of everything done to evidence and cases", newCustodyShow(e), newCustodyVerify(e), newCustodyTimestamp(e))
}

func newCustodyShow(e env) *cobra.Command {
	var last int
	cmd := &cobra.Command{
		Use: "show", Short: "Print the log, one JSON object a line, as it is chained",
		Example: examples("prahari custody show --last 20", "prahari custody show > custody.jsonl"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				entries, err := w.db.Custody(cmd.Context(), 0)
				if err != nil {
					return err
				}
				if last > 0 && len(entries) > last {
					entries = entries[len(entries)-last:]
				}
				for _, entry := range entries {
					line, err := entry.Line()
					if err != nil {
						return err
					}
					if _, err := e.out.Write(line); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&last, "last", 0, "only this many of the newest")
	return cmd
}

type custodyVerifyOptions struct {
	checkpoints []string
	logKey      string
}

func newCustodyVerify(e env) *cobra.Command {
	var o custodyVerifyOptions
	cmd := &cobra.Command{
		Use: "verify", Short: "Check that no entry was changed, removed or reordered",
		Long: `Check every entry of the log against the one before it and against the log's Merkle tree,
prove every signed checkpoint to be a prefix of the log, and verify its time stamps. A checkpoint that somebody else
kept, such as data/custody/checkpoint of an earlier bundle, is checked with --checkpoint:
it shows that the log was not rewritten since. Exit code 5 when something does not fit.`,
		Example: examples("prahari custody verify", "prahari custody verify --checkpoint EB-CASE0001-0001-20261124T080000Z/data/custody/checkpoint"),
		Args:    usageArgs(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.custodyVerify(cmd.Context(), o) },
	}
	cmd.Flags().StringArrayVar(&o.checkpoints, "checkpoint", nil, "also prove this signed checkpoint to be a prefix of the log (repeat)")
	cmd.Flags().StringVar(&o.logKey, "log-key", "", "the log's public key as known from elsewhere (default: that of the workspace's key)")
	return cmd
}

// custodyView is a verified log as printed.
type custodyView struct {
	Entries     int64  `json:"entries"`
	Head        string `json:"head"`
	Root        string `json:"root"` // of the tree, as checkpoints write it
	Checkpoints int    `json:"checkpoints"`
	Stamps      int    `json:"stamps"`         // time stamps of them
	Waiting     int    `json:"stamps_waiting"` // for an authority's answer
	LogKey      string `json:"log_key"`
}

func (e env) custodyVerify(ctx context.Context, o custodyVerifyOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	var others [][]byte
	for _, path := range o.checkpoints {
		signed, err := readSmall(path, 64<<10)
		if err != nil {
			return fmt.Errorf("reading the checkpoint: %w", err)
		}
		others = append(others, signed)
	}
	if o.logKey == "" {
		key, err := w.logKey(ctx)
		if err != nil {
			return err
		}
		o.logKey = key.Public()
	}
	v := custodyView{LogKey: o.logKey}
	bar := e.bar(-1, "checking the custody log", false)
	v.Entries, v.Head, err = w.db.VerifyCustody(ctx, func(n int64) { _ = bar.Set64(n) })
	_ = bar.Finish()
	if err != nil {
		return err
	}
	tree, err := evidence.ResumeTree(v.Entries, w.db.Tree(ctx))
	if err != nil {
		return err
	}
	v.Root = tree.Root().String()
	if v.Checkpoints, err = w.db.VerifyCheckpoints(ctx, o.logKey, others...); err != nil {
		return err
	}
	if v.Stamps, v.Waiting, err = w.verifyStamps(ctx); err != nil {
		return err
	}
	if e.global.json {
		return printJSON(e.out, v)
	}
	fmt.Fprintf(e.out, "%d entries, unbroken; head %s\n", v.Entries, v.Head)
	fmt.Fprintf(e.out, "tree root %s; %s, each a prefix of the log\n", v.Root, count(v.Checkpoints+len(others), "signed checkpoint"))
	if v.Stamps+v.Waiting > 0 {
		fmt.Fprintf(e.out, "%s of them verified, %d waiting; 'prahari custody timestamp --list' shows them\n", count(v.Stamps, "time stamp"), v.Waiting)
	}
	_, err = fmt.Fprintf(e.out, "log key %s\n", v.LogKey)
	return err
}

// readSmall reads a file that must not be large.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return data, nil
}
