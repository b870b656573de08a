package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/report"
	"prahari/store"
)

type startOptions struct {
	at, notice, proof, order, individual, holder string
	answered                                     bool
}

func newDeadlinesStart(e env) *cobra.Command {
	var o startOptions
	cmd := &cobra.Command{
		Use: "start CASE CLOCK --at TIME", Short: "Start a clock in a case, where whoever acts may start it", Args: usageArgs(cobra.ExactArgs(2)),
		Long: `Start a clock in a case. Who may start it is part of the table ('prahari deadlines rows'): a complaint
starts the grievance clocks; the duty holder's own start as it becomes aware; those of rule 3(1)(d)
only by a court order or an authorised intimation that is recorded with its hash.
A time says its zone. With --proof it counts from receipt, without it from sending, provisionally.`,
		Example: examples("prahari deadlines start CASE0001 IN-ITR-3-2-a-ack --at '2026-11-24 10:00 IST' --notice N-0001",
			"prahari deadlines start 1 IN-CERTIN-6H --at 2026-11-24T04:30:00Z --as-holder 'Example Ltd'",
			"prahari deadlines start 1 IN-ITR-3-1-d --at '2026-11-24 10:00 IST' --order O-0001"),
		ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.at == "" {
				return usageErrorf(cmd, "--at is missing: when the trigger was")
			}
			at, err := moment(cmd, "--at", o.at)
			if err != nil {
				return err
			}
			for flag, text := range map[string]*string{"--individual": &o.individual, "--as-holder": &o.holder} {
				if *text, err = free(cmd, flag, *text, 120); err != nil {
					return err
				}
			}
			return e.clockStart(cmd.Context(), args[0], args[1], at, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.at, "at", "", "the time of the trigger, such as '2026-11-24 10:00 IST'")
	f.StringVar(&o.notice, "notice", "", "the notice that triggers it")
	f.StringVar(&o.proof, "proof", "", "a file that proves receipt; its SHA-256 is kept")
	f.StringVar(&o.order, "order", "", "the recorded court order or authorised intimation")
	f.StringVar(&o.individual, "individual", "", "the complaint is the individual's own or on their behalf: 'self', or the authority to act")
	f.StringVar(&o.holder, "as-holder", "", "you act for this organisation, which has the duty")
	f.BoolVar(&o.answered, "answered", false, "the grievance officer's communication was received then")
	return cmd
}

func (e env) clockStart(ctx context.Context, caseID, clock string, at time.Time, o startOptions) error {
	return e.caseDo(ctx, caseID, func(w *workspace, c evidence.Case) error {
		now := time.Now()
		if at.After(now.Add(5 * time.Minute)) {
			return fmt.Errorf("the trigger %s lies in the future; nothing was started", report.Both(at))
		}
		book, err := w.book()
		if err != nil {
			return err
		}
		if !book.Knows(clock) {
			return clockUnknown(clock)
		}
		row, err := book.Clock(clock, at)
		if err != nil {
			return fmt.Errorf("%s: %w; nothing was started", clock, err)
		}
		k := evidence.Countdown{CaseID: c.ID, Clock: clock, Trigger: at, StartedBy: e.operator(), StartedAt: now, Basis: evidence.FromSending}
		if o.order != "" {
			order, err := w.order(ctx, c.ID, o.order)
			if err != nil {
				return err
			}
			if at.Before(order.IssuedOn) {
				return fmt.Errorf("the trigger %s lies before the order %s of %s; nothing was started", report.Both(at), order.ID, report.Both(order.IssuedOn))
			}
			k.OrderID, k.Proof = order.ID, order.SHA256
		}
		if err := row.MayStart(report.Right{Order: k.OrderID != "", Individual: o.individual != "", Holder: o.holder != "", Answered: o.answered}); err != nil {
			return err
		}
		switch row.Starts {
		case report.Order:
			k.Basis, k.Capacity = evidence.FromOrder, string(row.Starts)
		case report.Holder:
			k.Basis, k.Capacity = evidence.FromNotice, "holder: "+o.holder
		case report.Individual:
			k.Capacity = "individual: " + o.individual
		}
		if o.notice != "" {
			n, err := w.db.Notice(ctx, o.notice)
			if err != nil || n.CaseID != c.ID {
				return fmt.Errorf("notice %s is none of case %s; 'prahari notice list %s' shows them", evidence.Caption(o.notice, 40), c.ID, c.ID)
			}
			k.NoticeID = n.ID
		}
		if o.proof != "" {
			if k.Proof, err = fileDigest(o.proof); err != nil {
				return err
			}
			if k.Basis == evidence.FromSending {
				k.Basis = evidence.FromReceipt
			}
		}
		if o.answered {
			k.Basis = evidence.FromReceipt
		}
		if k, err = w.db.StartClock(ctx, k); err != nil {
			return err
		}
		return e.sayClock(book.Standing(k, now))
	})
}

// sayClock prints one clock after a change.
func (e env) sayClock(s report.Standing) error {
	v := viewClock(s)
	if e.global.json {
		return printJSON(e.out, v)
	}
	_, err := fmt.Fprintf(e.out, "%s: %s by %s, due %s\n  %s (row %s, %s)\n", v.ID, v.what(), v.DutyHolder, v.Due, v.Citation, v.Row, s.Row.Confidence)
	for _, d := range v.Doubts {
		e.say("%s: %s", v.ID, d)
	}
	return err
}

// order finds one of a case's recorded orders.
func (w *workspace) order(ctx context.Context, caseID, id string) (evidence.CourtOrder, error) {
	all, err := w.db.Orders(ctx, caseID)
	if err != nil {
		return evidence.CourtOrder{}, err
	}
	at := slices.IndexFunc(all, func(o evidence.CourtOrder) bool { return strings.EqualFold(o.ID, id) })
	if at < 0 {
		return evidence.CourtOrder{}, fmt.Errorf("order %s is none of case %s; 'prahari deadlines order' records one", evidence.Caption(id, 40), caseID)
	}
	return all[at], nil
}

// fileDigest hashes what stays outside.
func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the proof: %w", err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	n, err := io.Copy(h, f)
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the proof: %w", err)
	case n == 0:
		return "", fmt.Errorf("%s is empty and proves nothing", path)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

type orderOptions struct {
	file, kind, by, on string
}

func newDeadlinesOrder(e env) *cobra.Command {
	var o orderOptions
	cmd := &cobra.Command{
		Use: "order CASE --file FILE", Short: "Record a court order or an authorised intimation, with its hash", Args: usageArgs(cobra.ExactArgs(1)),
		Long: `Record a court order, or the reasoned written intimation of an authorised officer. The file stays
where it is; who issued it, when, and its SHA-256 are kept. Only such a record starts the clock of
rule 3(1)(d): an analyst cannot.`,
		Example: examples("prahari deadlines order CASE0001 --file order.pdf --kind court --issued-by 'High Court of Madras' --issued-on '2026-11-20 11:00 IST'",
			"prahari deadlines order 1 --file intimation.pdf --kind intimation --issued-by 'Joint Secretary, MHA' --issued-on '2026-11-20 11:00 IST'"),
		ValidArgsFunction: e.completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, ok := map[string]evidence.OrderKind{"court": evidence.OfCourt, "intimation": evidence.Intimation}[o.kind]
			switch {
			case !ok:
				return usageErrorf(cmd, "--kind is court or intimation")
			case o.file == "" || o.on == "":
				return usageErrorf(cmd, "--file and --issued-on are required")
			}
			by, err := free(cmd, "--issued-by", o.by, 120)
			if err != nil {
				return err
			}
			if by == "" {
				return usageErrorf(cmd, "--issued-by names the court, or the officer with rank")
			}
			on, err := moment(cmd, "--issued-on", o.on)
			if err != nil {
				return err
			}
			return e.caseDo(cmd.Context(), args[0], func(w *workspace, c evidence.Case) error {
				now := time.Now()
				if on.After(now) {
					return fmt.Errorf("an order of %s is not there yet; nothing was recorded", report.Both(on))
				}
				digest, err := fileDigest(o.file)
				if err != nil {
					return err
				}
				order, err := w.db.AddOrder(cmd.Context(), evidence.CourtOrder{
					CaseID: c.ID, Kind: kind, IssuedBy: by, IssuedOn: on, SHA256: digest, RecordedBy: e.operator(), RecordedAt: now,
				})
				if err != nil {
					return err
				}
				if e.global.json {
					return printJSON(e.out, order)
				}
				_, err = fmt.Fprintf(e.out, "%s recorded: %s of %s, %s, sha256 %s\n", order.ID, order.Kind, order.IssuedBy, report.Both(order.IssuedOn), order.SHA256)
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.file, "file", "", "the order as received")
	f.StringVar(&o.kind, "kind", "", "court or intimation")
	f.StringVar(&o.by, "issued-by", "", "the court, or the officer with rank")
	f.StringVar(&o.on, "issued-on", "", "when it was issued, such as '2026-11-20 11:00 IST'")
	return cmd
}

// clockDo finds a started clock and does one thing to it, then prints it.
func (e env) clockDo(ctx context.Context, id string, do func(*workspace, evidence.Countdown) error) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	k, err := w.db.StartedClock(ctx, id)
	if err != nil {
		return fmt.Errorf("clock %s: %w; 'prahari deadlines --all' shows them", evidence.Caption(id, 40), err)
	}
	if err := do(w, k); err != nil {
		if errors.Is(err, store.ErrStopped) {
			return fmt.Errorf("%s: %w by %s: %s", k.ID, err, k.StoppedBy, k.Why)
		}
		return err
	}
	book, err := w.book()
	if err != nil {
		return err
	}
	if k, err = w.db.StartedClock(ctx, k.ID); err != nil {
		return err
	}
	return e.sayClock(book.Standing(k, time.Now()))
}

func newDeadlinesReceived(e env) *cobra.Command {
	var at, proof string
	cmd := &cobra.Command{
		Use: "received CLOCK --at TIME --proof FILE", Short: "Record the proof of receipt: the clock counts from there", Args: usageArgs(cobra.ExactArgs(1)),
		Example: examples("prahari deadlines received K-0001 --at '2026-11-24 10:04 IST' --proof receipt.eml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if at == "" || proof == "" {
				return usageErrorf(cmd, "--at and --proof are required: without a proof the clock stays provisional")
			}
			received, err := moment(cmd, "--at", at)
			if err != nil {
				return err
			}
			return e.clockDo(cmd.Context(), args[0], func(w *workspace, k evidence.Countdown) error {
				switch {
				case k.Basis != evidence.FromSending && k.Basis != evidence.FromReceipt:
					return fmt.Errorf("%s counts %s; a receipt does not move it", k.ID, k.Basis)
				case received.Before(k.Trigger) && k.Provisional():
					return fmt.Errorf("%s was not sent before %s; nothing was changed", k.ID, report.Both(k.Trigger))
				case received.After(time.Now().Add(5 * time.Minute)):
					return fmt.Errorf("the receipt lies in the future; nothing was changed")
				}
				digest, err := fileDigest(proof)
				if err != nil {
					return err
				}
				return w.db.ProveReceipt(cmd.Context(), k.ID, received, digest, e.operator())
			})
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "when the recipient had it, such as '2026-11-24 10:04 IST'")
	cmd.Flags().StringVar(&proof, "proof", "", "the file that proves it; its SHA-256 is kept")
	return cmd
}

func newDeadlinesStop(e env) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "stop CLOCK --reason TEXT", Short: "Stop a clock: the duty was done, or there is none", Args: usageArgs(cobra.ExactArgs(1)),
		Example: examples("prahari deadlines stop K-0001 --reason 'acknowledged, ticket 4711'"),
		RunE: func(cmd *cobra.Command, args []string) error {
			reason, err := free(cmd, "--reason", reason, 400)
			if err != nil {
				return err
			}
			if reason == "" {
				return usageErrorf(cmd, "a clock is stopped with a --reason")
			}
			return e.clockDo(cmd.Context(), args[0], func(w *workspace, k evidence.Countdown) error {
				return w.db.StopClock(cmd.Context(), k.ID, e.operator(), reason)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why it ends")
	return cmd
}
