package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/matcher"
	"prahari/scanner/file"
)

type scanOptions struct {
	exitCode  bool
	matches   bool
	explain   bool
	plausible bool
	packs     []string
	paths     []string
}

func newScan(e env) *cobra.Command {
	var o scanOptions
	cmd := &cobra.Command{
		Use: "scan FILE|DIR|-...", Short: "Look through files, without an account",
		Long: `Look through files for leaked records: Telegram Desktop exports (result.json of one
chat or of a whole account), NDJSON ({"id": …, "text": …} a line) and plain text.
Nothing is recorded; findings are printed, masked. '-' reads standard input.`,
		Example: examples("prahari scan result.json", "prahari scan --json --exit-code exports/ > findings.ndjson", "cat dump.txt | prahari scan -",
			"prahari scan --json --matches messages.ndjson > matches.ndjson", "prahari scan --plausibility leak.csv"),
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.paths = args
			return e.scan(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.exitCode, "exit-code", false, "exit with 3 when there are findings")
	cmd.Flags().BoolVar(&o.matches, "matches", false, "also print every identifier and record that is found, in a finding or not")
	cmd.Flags().BoolVar(&o.plausible, "plausibility", false, "say at the end of each file whether its values look real, with the arithmetic")
	cmd.Flags().StringArrayVar(&o.packs, "rules", nil, "also use the signatures of this pack (repeat)")
	cmd.Flags().BoolVar(&o.explain, "explain", false, "say why each finding is one, and what was not decisive")
	return cmd
}

// scanFinding is what scan prints of a finding: where it is and, masked, what.
type scanFinding struct {
	Type       string            `json:"type"` // "finding"
	File       string            `json:"file"`
	Chat       string            `json:"chat,omitempty"`
	ID         string            `json:"id"`
	Rule       string            `json:"rule"`
	Title      string            `json:"title"`
	Severity   evidence.Severity `json:"severity"`
	Confidence float64           `json:"confidence"`
	Records    int               `json:"records"`
	Kinds      []evidence.Kind   `json:"kinds"`
	Reasons    []string          `json:"reasons"`
	Masked     string            `json:"masked"`

	Explanation *explanation `json:"explanation,omitempty"`
}

type scan struct {
	env     env
	options scanOptions
	finder  *matcher.Matcher
	found   int
	files   int
	read    int
	skipped int
	survey  *matcher.Survey // of the file being read, where it was asked for
}

func (e env) scan(ctx context.Context, o scanOptions) error {
	all, err := rules(o.packs)
	if err != nil {
		return err
	}
	finder, err := matcher.New(matcher.Config{Rules: all})
	if err != nil {
		return err
	}
	s := &scan{env: e, options: o, finder: finder}
	var failed error
	for _, path := range o.paths {
		if err := s.path(ctx, path); err != nil {
			if ctx.Err() != nil {
				return err
			}
			if len(o.paths) > 1 { // go on with the others, and fail at the end
				e.say("prahari: %v", err)
			}
			failed = err
		}
	}
	if failed != nil && s.files == 0 && len(o.paths) == 1 {
		return failed // nothing was read, so that there is nothing to count
	}
	e.say("%s in %s of %s.", count(s.found, "finding"), count(s.read, "message"), count(s.files, "file"))
	if s.skipped > 0 {
		e.say("%d files were skipped: they are not text.", s.skipped)
	}
	if failed != nil {
		return failed
	}
	if o.exitCode && s.found > 0 {
		return errFound
	}
	return nil
}

func (s *scan) path(ctx context.Context, path string) error {
	if path == "-" {
		return s.reader(ctx, s.env.in, "standard input", -1)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is nothing at %s: name a file, a folder, or - for standard input", path)
	}
	if err != nil {
		return fmt.Errorf("scanning: %w", err)
	}
	if !info.IsDir() {
		return s.file(ctx, path, info.Size())
	}
	var failed error
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return nil // folders are walked, links and devices are not followed
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if binary, err := isBinary(p); err != nil || binary {
			s.skipped++
			s.env.say("skipped %s: not text", p)
			return err
		}
		if err := s.file(ctx, p, info.Size()); err != nil {
			if ctx.Err() != nil {
				return err
			}
			s.env.say("prahari: %v", err)
			failed = err
		}
		return nil
	})
	return errors.Join(err, failed)
}

// isBinary looks for a NUL in the first bytes.
func isBinary(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return slices.Contains(head[:n], 0), nil
}

func (s *scan) file(ctx context.Context, path string, size int64) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("scanning: %w", err)
	}
	defer func() { _ = f.Close() }()
	return s.reader(ctx, f, path, size)
}

func (s *scan) reader(ctx context.Context, r io.Reader, name string, size int64) error {
	s.files++
	bar := s.env.bar(size, evidence.Caption(filepath.Base(name), 30), true)
	if s.options.plausible {
		survey, err := matcher.NewSurvey()
		if err != nil {
			return err
		}
		s.survey = survey
	}
	stats, err := file.Read(ctx, io.TeeReader(r, bar), name, func(i file.Item) error { return s.item(name, i) })
	_ = bar.Finish()
	s.read += stats.Messages
	if s.survey != nil {
		if err := s.plausibility(name); err != nil {
			return err
		}
	}
	var syntax *file.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w; what was before it was scanned: %s", err, count(stats.Messages, "message"))
	}
	return err
}

func (s *scan) item(name string, i file.Item) error {
	text := i.Message.Text.Reveal()
	r := s.finder.Find(text, evidence.File)
	if s.survey != nil {
		s.survey.Add(text, r)
	}
	if s.options.matches {
		if err := s.matches(name, i, r); err != nil {
			return err
		}
	}
	if len(r.Findings) == 0 {
		return nil
	}
	masked := evidence.MaskText(i.Message.Text, r, matcher.Canonical)
	for _, f := range r.Findings {
		s.found++
		var kinds []evidence.Kind
		for _, record := range f.Records {
			for _, k := range record.Kinds() {
				if !slices.Contains(kinds, k) {
					kinds = append(kinds, k)
				}
			}
		}
		out := scanFinding{
			Type: "finding", File: evidence.Caption(name, 300), Chat: evidence.Caption(i.Chat.Name, 80), ID: s.reference(i.Ref),
			Rule: f.Rule, Title: f.Title, Severity: f.Severity, Confidence: f.Confidence, Records: len(f.Records),
			Kinds: kinds, Reasons: f.Reasons, Masked: masked,
		}
		if s.options.explain {
			out.Explanation = explain(i.Message.Text, r, f)
		}
		if s.env.global.json {
			if err := printJSON(s.env.out, out); err != nil {
				return err
			}
			continue
		}
		where := out.ID
		if out.Chat != "" {
			where = out.Chat + " message " + out.ID
		}
		if _, err := fmt.Fprintf(s.env.out, "%s: %s: %s [%s, confidence %.2f] %s\n%s\n\n",
			out.File, where, f.Title, f.Severity, f.Confidence, count(len(f.Records), "record"), indent(shorten(masked, 12))); err != nil {
			return err
		}
		if out.Explanation != nil {
			if _, err := fmt.Fprintln(s.env.out, out.Explanation.text()); err != nil {
				return err
			}
		}
	}
	return nil
}

// reference renders the id that a file gives a message, unless it is itself an
// identifier.
func (s *scan) reference(ref string) string {
	if len(s.finder.Find(ref, evidence.File).Matches) > 0 {
		return evidence.Caption(ref, 60)
	}
	return evidence.OneLine(ref, 60)
}

// shorten keeps the first lines of a long text.
func shorten(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	if len(all) <= lines {
		return strings.Join(all, "\n")
	}
	return strings.Join(all[:lines], "\n") + fmt.Sprintf("\n… %d more lines", len(all)-lines)
}

func indent(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }
