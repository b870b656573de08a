package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/store"
)

func newHold(e env) *cobra.Command {
	return noun("hold", "What must not be purged, whatever its age", rehearsable(e, newHoldAdd(e)), rehearsable(e, newHoldRelease(e)), newHoldList(e))
}

// grounds are why something is done, and who else answers for it.
type grounds struct{ reason, approver string }

func (g *grounds) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&g.reason, "reason", "", "why, in ten letters or more, without any identifier in it")
	cmd.Flags().StringVar(&g.approver, "approver", "", "the second person who agreed; not the operator")
}

// check wants both, and two people.
func (g *grounds) check(cmd *cobra.Command, e env) error {
	if len([]rune(strings.TrimSpace(g.reason))) < 10 || strings.TrimSpace(g.approver) == "" {
		return usageErrorf(cmd, "a --reason of ten letters or more and an --approver are needed")
	}
	g.reason = evidence.Caption(g.reason, 200)
	name := strings.TrimSpace(g.approver)
	if role := "analyst:"; len(name) > len(role) && strings.EqualFold(name[:len(role)], role) {
		name = name[len(role):]
	}
	g.approver = "analyst:" + evidence.Caption(name, 60)
	if evidence.SamePerson(g.approver, e.operator()) {
		return usageErrorf(cmd, "%s cannot approve what %s does: name another person", g.approver, e.operator())
	}
	return nil
}

func newHoldAdd(e env) *cobra.Command {
	var g grounds
	cmd := &cobra.Command{
		Use: "add OBJECT", Short: "Keep a case, a source, a piece of evidence or the whole workspace from being purged",
		Long: `Keep the sealed originals and masked texts of a case (CASE0001), a source (@name), a piece of
evidence (ev-…) or of 'workspace', all there is, from being purged. A case's hold keeps every
version of its messages, and what is added to the case later. Two people answer for it.`,
		Example: examples("prahari hold add CASE0001 --reason 'order of the High Court, 3 June' --approver counsel"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.check(cmd, e); err != nil {
				return err
			}
			return e.holdAdd(cmd.Context(), args[0], g)
		},
	}
	g.flags(cmd)
	return cmd
}

func (e env) holdAdd(ctx context.Context, ref string, g grounds) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	object, err := w.holdable(ctx, ref)
	if err != nil {
		return err
	}
	h, err := w.db.AddHold(ctx, evidence.Hold{Object: object, Reason: g.reason, AddedBy: e.operator(), ApprovedBy: g.approver, AddedAt: time.Now()})
	if err != nil {
		return err
	}
	return e.done(viewHold(h), "%s holds %s: it is not purged until two people release the hold\n", h.ID, h.Object)
}

// holdable resolves what a hold can be about.
func (w *workspace) holdable(ctx context.Context, ref string) (string, error) {
	if ref == evidence.WholeWorkspace {
		return ref, nil
	}
	if strings.HasPrefix(ref, "ev-") {
		id, err := w.db.EvidenceID(ctx, ref)
		if err != nil {
			return "", fmt.Errorf("evidence %s: %w; 'prahari finding show' names the evidence of a finding", evidence.Caption(ref, 40), err)
		}
		return id, nil
	}
	c, err := w.db.Case(ctx, ref)
	if err == nil {
		return c.ID, nil
	}
	s, err2 := w.db.Source(ctx, ref)
	if err2 == nil {
		return s.ID, nil
	}
	if !errors.Is(err, store.ErrNotFound) || !errors.Is(err2, store.ErrNotFound) {
		return "", errors.Join(err, err2)
	}
	return "", fmt.Errorf("%s is no case, source or evidence here: write CASE0001, @name, ev-… or workspace", evidence.Caption(ref, 40))
}

func newHoldRelease(e env) *cobra.Command {
	var g grounds
	cmd := &cobra.Command{
		Use: "release HOLD", Short: "End a hold, as two people",
		Example: examples("prahari hold release H-0001 --reason 'the case was settled on 9 August' --approver counsel"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.check(cmd, e); err != nil {
				return err
			}
			return e.holdRelease(cmd.Context(), args[0], g)
		},
	}
	g.flags(cmd)
	return cmd
}

func (e env) holdRelease(ctx context.Context, id string, g grounds) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	h, err := w.db.Hold(ctx, id)
	if err != nil {
		return fmt.Errorf("hold %s: %w; 'prahari hold list' shows what there is", evidence.Caption(id, 40), err)
	}
	h.ReleasedBy, h.ReleaseApprovedBy, h.ReleaseReason, h.ReleasedAt = e.operator(), g.approver, g.reason, time.Now()
	if err := w.db.ReleaseHold(ctx, h); err != nil {
		return fmt.Errorf("%s: %w", h.ID, err)
	}
	return e.done(viewHold(h), "%s is released: retention runs for %s again\n", h.ID, h.Object)
}

// holdView is a hold as printed.
type holdView struct {
	ID                string    `json:"id"`
	Object            string    `json:"object"`
	Reason            string    `json:"reason"`
	AddedBy           string    `json:"added_by"`
	ApprovedBy        string    `json:"approved_by"`
	AddedAt           time.Time `json:"added_at"`
	ReleasedBy        string    `json:"released_by,omitempty"`
	ReleaseApprovedBy string    `json:"release_approved_by,omitempty"`
	ReleaseReason     string    `json:"release_reason,omitempty"`
	ReleasedAt        time.Time `json:"released_at,omitzero"`
	State             string    `json:"state"` // "holds", "released"
}

func viewHold(h evidence.Hold) holdView {
	v := holdView{h.ID, h.Object, h.Reason, h.AddedBy, h.ApprovedBy, h.AddedAt, h.ReleasedBy, h.ReleaseApprovedBy, h.ReleaseReason, h.ReleasedAt, "released"}
	if h.Holds() {
		v.State = "holds"
	}
	return v
}

func newHoldList(e env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List holds, released ones too", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				all, err := w.db.Holds(cmd.Context())
				if err != nil {
					return err
				}
				views := make([]holdView, len(all))
				for i, h := range all {
					views[i] = viewHold(h)
				}
				return printList(e, views, "No holds. 'prahari hold add' keeps something from being purged.",
					column[holdView]{"hold", func(v holdView) string { return v.ID }, 0},
					column[holdView]{"object", func(v holdView) string { return v.Object }, 0},
					column[holdView]{"state", func(v holdView) string { return v.State }, 0},
					column[holdView]{"since", func(v holdView) string { return stamp(v.AddedAt) }, 0},
					column[holdView]{"by", func(v holdView) string { return v.AddedBy + ", " + v.ApprovedBy }, 40},
					column[holdView]{"reason", func(v holdView) string { return v.Reason }, 60},
				)
			})
		},
	}
}
