package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/bundle"
	"prahari/fixtures/demotsa"
	"prahari/fixtures/telegram"
	"prahari/tsa"
)

const demoMarker = ".prahari-demo"

func newDemo(e env) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "demo", Short: "Show the whole job on an embedded data centre",
		Long: `Show the whole job in under a minute, without an account or a network: a Telegram
data centre starts on loopback, prahari signs in, reads three sources, records what they
leak, opens a case, drafts two notices, exports a bundle and verifies it. All people in it
are invented. The workspace stays behind to look around in.`,
		Example: examples("prahari demo", "prahari demo --dir /tmp/prahari-demo"),
		Args:    usageArgs(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.demo(cmd.Context(), dir) },
	}
	cmd.Flags().StringVar(&dir, "dir", "prahari-demo", "the folder to leave the workspace in; an earlier demo there is replaced")
	return cmd
}

// demo runs prahari's own commands, as a person would type them.
type demo struct {
	env       env
	dir       string
	workspace string
	dc        *telegram.Server
	authority tsa.Authority
	scene     *telegram.Scene
	began     time.Time
}

func (e env) demo(ctx context.Context, dir string) (err error) {
	d := &demo{env: e, dir: dir, workspace: filepath.Join(dir, "workspace"), began: time.Now()}
	if err := d.clear(); err != nil {
		return err
	}
	if d.scene, err = telegram.DemoScene(); err != nil {
		return fmt.Errorf("reading the demo's scene: %w", err)
	}
	if d.dc, err = telegram.Start(ctx, telegram.Config{Scene: d.scene, Log: e.log()}); err != nil {
		return fmt.Errorf("starting the data centre: %w", err)
	}
	defer func() { err = errors.Join(err, d.dc.Close()) }()
	authority, err := demotsa.Start(ctx, demotsa.Config{Log: e.log()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, authority.Close()) }()
	d.authority = authority.Authority("demo")
	for _, part := range []func(context.Context) error{d.signIn, d.addSources, d.watch, d.look, d.draft, d.export, d.tamper} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	d.farewell()
	return nil
}

// clear makes the folder, and replaces nothing but an earlier demo.
func (d *demo) clear() error {
	if _, err := os.Stat(filepath.Join(d.dir, demoMarker)); err == nil {
		if err := os.RemoveAll(d.dir); err != nil {
			return fmt.Errorf("removing the earlier demo: %w", err)
		}
	}
	if entries, err := os.ReadDir(d.dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty and no earlier demo: name another folder with --dir", d.dir)
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return fmt.Errorf("making the demo's folder: %w", err)
	}
	return os.WriteFile(filepath.Join(d.dir, demoMarker), []byte("made by 'prahari demo'; the next one replaces this folder\n"), 0o600)
}

func (d *demo) title(text string) { fmt.Fprintf(d.env.out, "\n── %s\n", text) }
func (d *demo) note(format string, args ...any) {
	fmt.Fprintf(d.env.out, "   "+format+"\n", args...)
}

// prahari runs one of our own commands and shows it as typed.
func (d *demo) prahari(ctx context.Context, input string, args ...string) error {
	code, err := d.attempt(ctx, input, args...)
	if err != nil || code != exitFine {
		return errors.Join(err, fmt.Errorf("the demo's step 'prahari %s' ended with exit code %d", strings.Join(args, " "), code))
	}
	return nil
}

func (d *demo) attempt(ctx context.Context, input string, args ...string) (int, error) {
	fmt.Fprintf(d.env.out, "$ prahari %s\n", shellWords(args))
	e := d.env
	e.in, e.inTTY = strings.NewReader(input), false
	code := run(ctx, e, append([]string{"--workspace", d.workspace, "--operator", "demo"}, args...))
	return code, ctx.Err()
}

// tool runs one of the standard tools that check us.
func (d *demo) tool(ctx context.Context, dir, input, name string, args ...string) error {
	shown := shellWords(append([]string{name}, args...))
	if input != "" {
		shown += " < " + filepath.Base(input)
	}
	fmt.Fprintf(d.env.out, "$ %s\n", shown)
	if _, err := exec.LookPath(name); err != nil {
		d.note("SKIPPED: this machine has no %s; the bundle's VERIFY.txt shows how to run it elsewhere", name)
		return nil
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stderr = dir, d.env.err
	if input != "" {
		f, err := os.Open(input)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		cmd.Stdin = f
	}
	out, err := cmd.Output()
	said := shorten(string(out), 4)
	if said == "" && err == nil {
		said = "(silent: every file is as listed)"
	}
	fmt.Fprintln(d.env.out, indent(said))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func shellWords(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a
		if strings.ContainsAny(a, " '\"$&|<>;()*?") || a == "" {
			words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

func (d *demo) signIn(ctx context.Context) error {
	d.title("An embedded Telegram data centre, a workspace, a sign-in")
	for _, dc := range d.dc.DCs() {
		d.note("data centre %d listens on %s", dc.ID, dc.Addr)
	}
	err := d.prahari(ctx, "", "init", "--organisation", "Example Trust & Safety", "--contact", "A. Analyst", "--email", "abuse-desk@example.org",
		"--demo-identities", filepath.Join(d.dir, "legal-machine"))
	if err != nil {
		return err
	}
	if err := d.configure(); err != nil {
		return err
	}
	if err := trustDemo(d.workspace, d.authority); err != nil {
		return err
	}
	d.note("prahari.yaml now names the embedded data centre instead of Telegram's own, and an embedded")
	d.note("time-stamp authority, which proves no time; nothing else differs")
	phone := d.scene.Users[0].Phone
	// The code arrives only after prahari has asked for it.
	codes, answer := io.Pipe()
	go func() {
		_, _ = io.WriteString(answer, phone+"\n")
		for range 200 {
			if code := d.dc.LoginCode(phone); code != "" {
				_, _ = io.WriteString(answer, code+"\n")
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		_ = answer.Close()
	}()
	defer func() { _ = codes.Close() }()
	e := d.env
	e.in, e.inTTY = codes, false
	fmt.Fprintln(d.env.out, "$ prahari account login")
	if code := run(ctx, e, []string{"--workspace", d.workspace, "--operator", "demo", "account", "login"}); code != exitFine {
		return errors.Join(ctx.Err(), fmt.Errorf("signing in ended with exit code %d", code))
	}
	return nil
}

// trustDemo makes a workspace use an embedded time-stamp authority.
func trustDemo(workspace string, a tsa.Authority) error {
	path := filepath.Join(workspace, configName)
	c, err := readConfig(path)
	if err != nil {
		return err
	}
	roots := "keys/" + a.Name + ".pem"
	if err := os.WriteFile(filepath.Join(workspace, filepath.FromSlash(roots)), a.Roots, 0o600); err != nil {
		return err
	}
	c.Timestamp.Authorities = append(c.Timestamp.Authorities, authorityConfig{Name: a.Name, URL: a.URL, Roots: roots})
	return writeConfig(path, c)
}

// configure points the workspace at the embedded data centre.
func (d *demo) configure() error {
	return connect(d.workspace, d.dc)
}

const (
	demoLeaks = "@leak_bazaar_demo"
	demoNews  = "@city_news_demo"
	demoBot   = "@vax_lookup_demo_bot"
)

func (d *demo) addSources(ctx context.Context) error {
	d.title("Three sources: a channel that leaks, one that does not, a lookup bot")
	join := []string{"--join", "--authorised-by", "B. Counsel", "--reason", "watch for leaked records, case opened on complaint"}
	for _, args := range [][]string{
		append([]string{"source", "add", demoLeaks}, join...),
		append([]string{"source", "add", demoNews}, join...),
		{"source", "add", demoBot},
	} {
		if err := d.prahari(ctx, "", args...); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) watch(ctx context.Context) error {
	d.title("Read their history, then catch what is posted and edited live")
	live, stop := context.WithCancel(ctx)
	played := make(chan error, 1)
	go func() {
		select { // the timeline starts when the history has been read
		case <-time.After(4 * time.Second):
			played <- d.dc.PlayTimeline(live)
		case <-live.Done():
			played <- live.Err()
		}
	}()
	err := d.prahari(ctx, "", "watch", "--for", "12s")
	stop()
	if timeline := <-played; timeline != nil && err == nil {
		return fmt.Errorf("playing the timeline: %w", timeline)
	}
	return err
}

func (d *demo) look(ctx context.Context) error {
	d.title("What was found: masked, and sealed to keys that are not here")
	if err := d.prahari(ctx, "", "finding", "list", "--limit", "8"); err != nil {
		return err
	}
	if err := d.prahari(ctx, "", "finding", "show", "latest"); err != nil {
		return err
	}
	if err := d.prahari(ctx, "", "source", "coverage"); err != nil {
		return err
	}
	return d.prahari(ctx, "", "custody", "timestamp")
}

func (d *demo) draft(ctx context.Context) error {
	d.title("A case, a takedown notice, an incident report: drafts, nothing is sent")
	for _, args := range [][]string{
		{"case", "open", "--title", "Leak bazaar and its lookup bot", "--source", demoLeaks, "--source", demoBot},
		{"notice", "draft", "CASE0001", "--kind", "telegram-abuse-mail"},
		{"notice", "draft", "CASE0001", "--kind", "certin-incident"},
	} {
		if err := d.prahari(ctx, "", args...); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) export(ctx context.Context) error {
	d.title("A bundle for legal, verified without prahari and with it")
	out := filepath.Join(d.dir, "bundles")
	if err := d.prahari(ctx, "", "bundle", "export", "CASE0001", "--out", out); err != nil {
		return err
	}
	dir, err := d.bundle()
	if err != nil {
		return err
	}
	fmt.Fprintf(d.env.out, "$ cd %s\n", dir)
	namespace, identity := bundle.Namespace("example.org"), bundle.Identity("example.org")
	for _, args := range [][]string{
		{"sha256sum", "-c", "--strict", "--quiet", "tagmanifest-sha256.txt"},
		{"sha256sum", "-c", "--strict", "--quiet", "manifest-sha256.txt"},
	} {
		if err := d.tool(ctx, dir, "", args[0], args[1:]...); err != nil {
			return err
		}
	}
	err = d.tool(ctx, dir, filepath.Join(dir, "tagmanifest-sha256.txt"), "ssh-keygen", "-Y", "verify", "-f", "attest/allowed_signers",
		"-I", identity, "-n", namespace, "-s", "attest/tagmanifest-sha256.txt.sig")
	if err != nil {
		return err
	}
	if err := d.tool(ctx, dir, "", "sh", "verify.sh"); err != nil {
		return err
	}
	signer, err := bundle.LoadSigner(filepath.Join(d.workspace, signerName))
	if err != nil {
		return err
	}
	return d.prahari(ctx, "", "bundle", "verify", dir, "--signer-fingerprint", signer.Fingerprint())
}

func (d *demo) bundle() (string, error) {
	found, err := filepath.Glob(filepath.Join(d.dir, "bundles", "EB-CASE0001-*Z"))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("the bundle is not in %s", filepath.Join(d.dir, "bundles"))
	}
	return found[len(found)-1], nil
}

// tamper flips one byte of a copy: verification must name it and exit with 5.
func (d *demo) tamper(ctx context.Context) error {
	d.title("One flipped byte")
	dir, err := d.bundle()
	if err != nil {
		return err
	}
	broken := filepath.Join(d.dir, "tampered", filepath.Base(dir))
	if err := os.CopyFS(broken, os.DirFS(dir)); err != nil {
		return fmt.Errorf("copying the bundle: %w", err)
	}
	path := filepath.Join(broken, "data", "items.csv")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	at := make([]byte, 1)
	_, _ = rand.Read(at)
	data[int(at[0])%len(data)] ^= 1
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	d.note("flipped one bit of one byte of data/items.csv in a copy")
	code, err := d.attempt(ctx, "", "bundle", "verify", broken)
	if err != nil {
		return err
	}
	if code != exitIntegrity {
		return fmt.Errorf("a damaged bundle verified with exit code %d", code)
	}
	d.note("exit code %d, as it must be", code)
	return nil
}

// farewell prints commands that work as they stand.
func (d *demo) farewell() {
	d.title(fmt.Sprintf("Done in %.0f s. Look around:", time.Since(d.began).Seconds()))
	for _, line := range d.lookAround() {
		d.note("%s", line)
	}
}

func (d *demo) lookAround() []string {
	program := "prahari"
	if len(os.Args) > 0 && strings.Contains(os.Args[0], "/") {
		program = os.Args[0]
	}
	at := program + " --workspace " + shellWords([]string{d.workspace})
	return []string{
		at + " finding list",
		at + " finding show latest",
		at + " notice show N-0001",
		at + " custody show",
		at + " custody verify",
		at + " doctor",
	}
}
