package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
)

func newToken(e env) *cobra.Command {
	return noun("token", "What links findings by person without naming anybody", newTokenStatus(e), newTokenDestroyKey(e))
}

// tokenKeyObject names the key in the custody log.
const tokenKeyObject = "token-key"

// errKeyDestroyed says that the key was destroyed on purpose.
var errKeyDestroyed = errors.New("the token key was destroyed")

// tokenKeyDestroyed says who destroyed the key; nil where the log does not know.
func (w *workspace) tokenKeyDestroyed(ctx context.Context) error {
	entries, err := w.db.CustodyOf(ctx, tokenKeyObject)
	if err != nil || len(entries) == 0 {
		return err
	}
	last := entries[len(entries)-1]
	return fmt.Errorf("%w on %s by %s, approved by %s: %s; nothing new can be recorded or recognised here, make another workspace with 'prahari init'",
		errKeyDestroyed, stamp(last.At), last.Actor, last.Approver, last.Reason)
}

// tokenStatus is how the workspace's tokens are, as printed.
type tokenStatus struct {
	Key         string `json:"key"` // "there", "destroyed", or what is wrong
	Tokens      int64  `json:"tokens"`
	Identifiers int64  `json:"identifiers"` // distinct
	NoAadhaar   bool   `json:"no_aadhaar"`
}

func newTokenStatus(e env) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say whether the key is there, and how many tokens are", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			w, err := e.openWorkspace(cmd.Context())
			if err != nil {
				return err
			}
			defer w.close(&err)
			s := tokenStatus{Key: "there", NoAadhaar: w.config.Tokens.NoAadhaar}
			if _, err := w.tokenKey(cmd.Context()); errors.Is(err, errKeyDestroyed) {
				s.Key = "destroyed"
			} else if err != nil {
				return err
			}
			if s.Tokens, s.Identifiers, err = w.db.CountTokens(cmd.Context()); err != nil {
				return err
			}
			without := ""
			if s.NoAadhaar {
				without = "; none of Aadhaar numbers and VIDs"
			}
			return e.done(s, "key %s; %d tokens of %d identifiers%s\n", s.Key, s.Tokens, s.Identifiers, without)
		},
	}
}

type destroyOptions struct {
	grounds
	dryRun bool
}

func newTokenDestroyKey(e env) *cobra.Command {
	var o destroyOptions
	cmd := &cobra.Command{
		Use: "destroy-key", Short: "Destroy the key of the tokens for good: nobody can make or undo one again",
		Long: `Destroy the key of the tokens. Tokens that are there still link what was found, and nobody,
you included, can find out whether one belongs to a given number: without the key that
cannot be tried. It ends the work of this workspace: 'prahari watch' and 'bot probe' can record
nothing new, and canaries are not recognised any more. Bundles, notices, custody and
verification go on. The file is overwritten and removed; copies in backups and snapshots of
the disk are yours to destroy. Two people answer for it, and the custody log names them.`,
		Example: examples("prahari token destroy-key --dry-run", "prahari token destroy-key --reason 'end of the engagement' --approver counsel"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !o.dryRun {
				if err := o.check(cmd, e); err != nil {
					return err
				}
			}
			return e.destroyTokenKey(cmd.Context(), o)
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be destroyed, destroy nothing")
	return cmd
}

func (e env) destroyTokenKey(ctx context.Context, o destroyOptions) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	path := w.path(tokenKeyName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := w.tokenKeyDestroyed(ctx); err != nil {
			return err
		}
		return fmt.Errorf("there is no key at %s, and the log does not know why: look for it before you call it destroyed", path)
	} else if err != nil {
		return fmt.Errorf("looking at the token key: %w", err)
	}
	tokens, identifiers, err := w.db.CountTokens(ctx)
	if err != nil {
		return err
	}
	if o.dryRun {
		_, err := fmt.Fprintf(e.out, "%s would be destroyed; %d tokens of %d identifiers stay, and could never be recomputed\n", path, tokens, identifiers)
		return err
	}
	// A watch holds the key in its memory.
	release, err := w.db.LockWatch(ctx)
	if err != nil {
		return fmt.Errorf("workspace %s: %w; stop 'prahari watch' first", w.dir, err)
	}
	defer func() { err = errors.Join(err, release()) }()
	// The record comes first: a key that is gone without one would look lost.
	if err := w.db.Append(ctx, evidence.Entry{
		Action: "token.destroy", Object: tokenKeyObject, Actor: e.operator(), Approver: o.approver, Reason: o.reason, At: time.Now(),
	}); err != nil {
		return err
	}
	if err := shred(path); err != nil {
		return fmt.Errorf("the custody log says that the token key is destroyed, and it may still be at %s: run the command again: %w", path, err)
	}
	s := tokenStatus{Key: "destroyed", Tokens: tokens, Identifiers: identifiers, NoAadhaar: w.config.Tokens.NoAadhaar}
	return e.done(s, "the token key is destroyed; %d tokens of %d identifiers stay, and can never be recomputed\n", s.Tokens, s.Identifiers)
}

// shred overwrites a file, removes it and makes that durable.
func shred(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	noise := make([]byte, info.Size())
	_, _ = rand.Read(noise) // never returns an error
	_, err = f.WriteAt(noise, 0)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
