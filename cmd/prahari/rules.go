package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/matcher"
)

func newRules(e env) *cobra.Command {
	return noun("rules", "Signatures: what makes a message a finding", newRulesList(e), newRulesShow(e), newRulesLint(e), newRulesTest(e))
}

// rules are the program's signatures and those of pack files.
func rules(packs []string) (*matcher.Rules, error) {
	all, err := matcher.Builtin()
	if err != nil {
		return nil, err
	}
	for _, path := range packs {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a rule pack: %w", err)
		}
		if err := matcher.TestPack(path, raw); err != nil {
			return nil, err
		}
		pack, err := matcher.ParseRules(path, raw)
		if err != nil {
			return nil, err
		}
		if all, err = all.Join(pack); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return all, nil
}

// finder finds with the program's signatures and those in the workspace's folder
// 'rules'. A pack with a fault is refused: watching with half the rules would
// miss in silence.
func (w *workspace) finder() (*matcher.Matcher, error) {
	packs, err := filepath.Glob(w.path("rules") + "/*.yaml")
	if err != nil {
		return nil, err
	}
	all, err := rules(packs)
	if err != nil {
		return nil, err
	}
	return matcher.New(matcher.Config{Rules: all})
}

// ruleView is a signature as listed.
type ruleView struct {
	ID       string            `json:"id"`
	Version  int               `json:"version"`
	Pack     string            `json:"pack"`
	Severity evidence.Severity `json:"severity"`
	Title    string            `json:"title"`
	Hash     string            `json:"sha256"`
}

// workspacePacks names the packs of the workspace, none where there is no
// workspace.
func (e env) workspacePacks() []string {
	packs, _ := filepath.Glob(filepath.Join(e.workspaceDir(), "rules", "*.yaml")) // a bad pattern is none
	return packs
}

func newRulesList(e env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the signatures, the workspace's own among them", Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			all, err := rules(e.workspacePacks())
			if err != nil {
				return err
			}
			var views []ruleView
			for _, s := range all.Signatures() {
				views = append(views, ruleView{s.ID, s.Version, s.Pack, s.Severity, s.Title, s.Hash()})
			}
			return printList(e, views, "",
				column[ruleView]{"rule", func(v ruleView) string { return v.ID }, 0},
				column[ruleView]{"version", func(v ruleView) string { return fmt.Sprint(v.Version) }, 0},
				column[ruleView]{"pack", func(v ruleView) string { return v.Pack }, 0},
				column[ruleView]{"severity", func(v ruleView) string { return string(v.Severity) }, 0},
				column[ruleView]{"title", func(v ruleView) string { return v.Title }, 60})
		},
	}
}

func newRulesShow(e env) *cobra.Command {
	return &cobra.Command{
		Use: "show RULE", Short: "Print one signature with its examples", Example: examples("prahari rules show cowin-reply"),
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := rules(e.workspacePacks())
			if err != nil {
				return err
			}
			for _, s := range all.Signatures() {
				if s.ID != args[0] {
					continue
				}
				if e.global.json {
					return printJSON(e.out, s)
				}
				text, err := yaml.MarshalWithOptions(s, yaml.UseLiteralStyleIfMultiline(true))
				if err != nil {
					return fmt.Errorf("printing the rule: %w", err)
				}
				_, err = fmt.Fprintf(e.out, "# pack %s, sha256 %s\n%s", s.Pack, s.Hash(), text)
				return err
			}
			return fmt.Errorf("there is no rule %s; 'prahari rules list' lists them", evidence.Caption(args[0], 40))
		},
	}
}

func newRulesLint(e env) *cobra.Command {
	return &cobra.Command{
		Use: "lint FILE...", Short: "Check that rule packs are well formed",
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			return e.eachPack(args, "well formed", func(path string, raw []byte) error {
				_, err := matcher.ParseRules(path, raw)
				return err
			})
		},
	}
}

func newRulesTest(e env) *cobra.Command {
	return &cobra.Command{
		Use: "test [FILE...]", Short: "Try the examples of rule packs, of the program's own without a FILE",
		Long: `Try the examples of rule packs: every rule must find what it must and nothing that it
never may. A pack that is put into the workspace's folder 'rules' is tried in the same way
before it is used, and refused with file and line.`,
		Example: examples("prahari rules test", "prahari rules test ours.yaml && cp ours.yaml prahari-workspace/rules/"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return e.testBuiltin(cmd.Context())
			}
			return e.eachPack(args, "every example holds", matcher.TestPack)
		},
	}
}

func (e env) eachPack(paths []string, fine string, try func(string, []byte) error) error {
	var faults error
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%s: there is no such file", path)
			}
			faults = errors.Join(faults, err)
			continue
		}
		if err := try(path, raw); err != nil {
			faults = errors.Join(faults, err)
			continue
		}
		if _, err := fmt.Fprintf(e.out, "%s: %s\n", path, fine); err != nil {
			return err
		}
	}
	return faults
}

// testBuiltin tries the program's own examples.
func (e env) testBuiltin(ctx context.Context) error {
	all, err := matcher.Builtin()
	if err != nil {
		return err
	}
	faults := matcher.TestRules("built in", all)
	if faults != nil || ctx.Err() != nil {
		return errors.Join(faults, ctx.Err())
	}
	n := 0
	for _, s := range all.Signatures() {
		n += len(s.Examples.Match) + len(s.Examples.Never)
	}
	_, err = fmt.Fprintf(e.out, "%s, %s: every example holds\n", strings.TrimSpace(count(len(all.Signatures()), "rule")), count(n, "example"))
	return err
}
