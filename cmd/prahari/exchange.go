package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"prahari/bundle"
	"prahari/evidence"
	"prahari/exchange"
	"prahari/report"
)

type caseExportOptions struct {
	format, out string
	dryRun      bool
}

func newCaseExport(e env) *cobra.Command {
	var o caseExportOptions
	cmd := &cobra.Command{
		Use: "export CASE --format FORMAT", Short: "Export a case in a format that other desks' programs read",
		Long: `Export a case, masked and marked with its TLP, as XARF 4 (a report for each public source),
STIX 2.1, a MISP event, CASE/UCO in JSON-LD, CSV, or NDJSON. An export that shows an unmasked
identifier, whatever it is hidden in, is refused, as a bundle is. Without --out it goes to standard output. Nothing is sent.`,
		Example: examples("prahari case export CASE0001 --format stix > case.stix.json", "prahari case export CASE0001 --format xarf --out exports"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(exchange.Formats(), o.format) {
				return usageErrorf(cmd, "--format is one of: %s", strings.Join(exchange.Formats(), ", "))
			}
			return e.caseExport(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "one of "+strings.Join(exchange.Formats(), ", "))
	f.StringVar(&o.out, "out", "", "a folder for the files; default: standard output")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be written, write nothing")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(exchange.Formats(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (e env) caseExport(ctx context.Context, id string, o caseExportOptions) error {
	return e.caseDo(ctx, id, func(w *workspace, c evidence.Case) error {
		x, err := w.exchange(ctx, c)
		if err != nil {
			return err
		}
		files, err := x.Export(o.format)
		if err != nil {
			return err
		}
		if err := w.closed(ctx, x, files); err != nil {
			return err
		}
		for _, f := range files {
			path := filepath.Join(o.out, c.ID+"-"+f.Name)
			switch {
			case o.dryRun:
				_, err = fmt.Fprintf(e.out, "%s: %d bytes of %s would be written\n", path, len(f.Content), f.Type)
			case o.out == "":
				_, err = e.out.Write(f.Content)
			default:
				if err = os.MkdirAll(o.out, 0o700); err == nil {
					err = renameio.WriteFile(path, f.Content, 0o600)
				}
				if err == nil {
					_, err = fmt.Fprintln(e.out, path)
				}
			}
			if err != nil {
				return fmt.Errorf("writing the export: %w", err)
			}
		}
		if o.dryRun {
			return nil
		}
		return w.db.Append(context.WithoutCancel(ctx), evidence.Entry{
			Action: "case.export", Object: c.ID, CaseID: c.ID, Actor: e.operator(), At: time.Now(), Reason: o.format, SHA256: evidence.Digest(files[0].Content),
		})
	})
}

// closed refuses an export that shows an identifier of a person, by the leak gate
// of bundles and with its exceptions.
func (w *workspace) closed(ctx context.Context, x exchange.Case, files []exchange.File) error {
	in := bundle.Input{Case: x.Case, Organisation: bundle.Organisation{Email: x.Organisation.Email}}
	if err := w.allow(ctx, &in); err != nil {
		return err
	}
	var all []bundle.Further
	for _, f := range files {
		all = append(all, bundle.Further{Path: f.Name, Data: f.Content})
	}
	return bundle.Look(ctx, newGate(), in.Allow, x.Case, x.Items, all)
}

// exchange gathers a case for other desks' programs.
func (w *workspace) exchange(ctx context.Context, c evidence.Case) (exchange.Case, error) {
	items, err := w.db.CaseEvidence(ctx, c.ID)
	if err != nil {
		return exchange.Case{}, err
	}
	distinct, err := w.db.DistinctTokens(ctx, c.ID)
	if err != nil {
		return exchange.Case{}, err
	}
	o := w.config.Organisation
	return exchange.Case{
		Case: c, Items: items, Distinct: distinct, Organisation: exchange.Organisation{Name: o.Name, Email: o.Email, Domain: o.Domain},
		Tool: thisTool(), TLP: report.DefaultTLP, At: time.Now().UTC().Truncate(time.Second),
	}, nil
}

// xarf makes the reports that takedown mails carry; a case that XARF cannot say
// has none.
func (w *workspace) xarf(ctx context.Context, c evidence.Case) ([]report.Attachment, error) {
	x, err := w.exchange(ctx, c)
	if err != nil {
		return nil, err
	}
	files, err := x.Export("xarf")
	if errors.Is(err, exchange.ErrNothing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []report.Attachment
	for _, f := range files {
		out = append(out, report.Attachment{Name: f.Name, Type: f.Type, Content: f.Content})
	}
	return out, nil
}

// maxMachine is how many items a case may have whose bundle holds formats for
// machines.
const maxMachine = 2000

// addMachine puts the formats for machines into a bundle: XARF into all, what
// lists every finding into those for a regulator and a court.
//
// They hold the whole case in memory. A case of more than maxMachine items has a
// page instead that says how to make them.
func (w *workspace) addMachine(ctx context.Context, in *bundle.Input, items int) error {
	if items > maxMachine {
		say := fmt.Sprintf("This case has %d items. A bundle of more than %d holds no formats for machines, which list every one:\n"+
			"'prahari case export %s --format FORMAT' makes them apart.\n", items, maxMachine, in.Case.ID)
		in.Further = append(in.Further, bundle.Further{Path: "data/machine/NOTE.txt", Data: []byte(say)})
		return nil
	}
	x, err := w.exchange(ctx, in.Case)
	if err != nil {
		return err
	}
	x.At = in.At
	for _, format := range exchange.Formats() {
		files, err := x.Export(format)
		if errors.Is(err, exchange.ErrNothing) {
			continue
		}
		if err != nil {
			return err
		}
		for _, f := range files {
			further := bundle.Further{Path: "data/machine/" + f.Name, Data: f.Content, Least: bundle.ForRegulator}
			switch format {
			case "xarf":
				further.Least = ""
			case "case": // a view of the custody
				further.Path = "data/custody/custody.case.jsonld"
			}
			in.Further = append(in.Further, further)
		}
	}
	return nil
}
