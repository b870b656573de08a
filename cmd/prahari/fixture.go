package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/fixtures/telegram"
)

func newFixture(e env) *cobra.Command {
	return noun("fixture", "The embedded Telegram data centre, on its own", newFixtureServe(e))
}

type serveOptions struct {
	scene, listen, connect string
	loop                   bool
}

func newFixtureServe(e env) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the data centre until interrupted, for any MTProto client",
		Long: `Run the embedded data centre until interrupted, and print its addresses, its public key
and its accounts with their sign-in codes. Any MTProto client of the same layer can sign in,
resolve names and read. The scene is a YAML file; 'demo' is the one that comes with prahari.

To practise on it, make a workspace with 'prahari init' and give it to --connect: its
prahari.yaml names this data centre instead of Telegram's own from then on. In another
terminal: 'prahari account login', with a number and code from here, 'prahari source add',
'prahari watch'. Whoever starts it anew connects and signs in again.`,
		Example: examples("prahari fixture serve", "prahari fixture serve --loop --connect ./practice", "prahari fixture serve --scene my-scene.yaml --listen 127.0.0.1:4430 --json"),
		Args:    usageArgs(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.fixtureServe(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.scene, "scene", "demo", "a scene file, or 'demo'")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of the first data centre; loopback only")
	f.StringVar(&o.connect, "connect", "", "let the workspace in this folder read from the data centre")
	f.BoolVar(&o.loop, "loop", false, "play the scene's timeline again and again")
	return cmd
}

// served is one line of what fixture serve prints with --json.
type served struct {
	Type    string `json:"type"` // "dc", "public_key", "account"
	ID      int    `json:"id,omitempty"`
	Address string `json:"address,omitempty"`
	PEM     string `json:"pem,omitempty"`
	Phone   string `json:"phone,omitempty"`
	Code    string `json:"code,omitempty"`
}

func (e env) fixtureServe(ctx context.Context, o serveOptions) (err error) {
	var scene *telegram.Scene
	if o.scene == "demo" {
		scene, err = telegram.DemoScene()
	} else {
		scene, err = telegram.LoadScene(o.scene)
	}
	if err != nil {
		return err
	}
	dc, err := telegram.Start(ctx, telegram.Config{Scene: scene, Listen: o.listen, Log: e.log()})
	if err != nil {
		return fmt.Errorf("starting the data centre on %s: %w", evidence.Caption(o.listen, 60), err)
	}
	defer func() { err = errors.Join(err, dc.Close()) }()
	if o.connect != "" {
		if err := connect(o.connect, dc); err != nil {
			return err
		}
		e.say("%s names this data centre now. Sign in with: prahari --workspace %s account login", filepath.Join(o.connect, configName), o.connect)
	}
	var lines []served
	for _, d := range dc.DCs() {
		lines = append(lines, served{Type: "dc", ID: d.ID, Address: d.Addr})
	}
	lines = append(lines, served{Type: "public_key", PEM: string(dc.PublicKeyPEM())})
	for _, u := range scene.Users {
		lines = append(lines, served{Type: "account", Phone: u.Phone, Code: u.Code})
	}
	for _, l := range lines {
		if err := l.print(e); err != nil {
			return err
		}
	}
	e.say("Serving until interrupted.")
	for {
		if err := dc.PlayTimeline(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		if !o.loop || ctx.Err() != nil {
			break
		}
	}
	<-ctx.Done()
	return nil // an interruption is how serving ends
}

// errReal keeps a workspace that reads the real Telegram from losing its way there.
var errReal = errors.New("this workspace reads from Telegram itself: make one of its own for practice with 'prahari init'")

// connect points a workspace at the embedded data centre.
func connect(workspace string, dc *telegram.Server) error {
	path := filepath.Join(workspace, configName)
	c, err := readConfig(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no workspace in %s: run 'prahari init --workspace %s' first", workspace, workspace)
	case err != nil:
		return err
	case len(c.Telegram.Servers) == 0 && (c.Telegram.APIID != 0 || c.Telegram.APIHash != "" || c.Telegram.APIHashFile != ""):
		return fmt.Errorf("%s: %w", path, errReal)
	}
	if len(c.Telegram.Servers) == 0 { // its id and hash may have come from the environment
		sessions, err := filepath.Glob(filepath.Join(workspace, "sessions", "*.json"))
		if err != nil {
			return err
		}
		if len(sessions) > 0 {
			return fmt.Errorf("%s: %w", path, errReal)
		}
	}
	if err := renameio.WriteFile(filepath.Join(workspace, "keys", "dc.pem"), dc.PublicKeyPEM(), 0o600); err != nil {
		return fmt.Errorf("writing the data centre's public key: %w", err)
	}
	c.Telegram = telegramConfig{APIID: 12345, APIHash: "demo", DC: dc.DCs()[0].ID, PublicKeys: []string{"keys/dc.pem"}}
	for _, d := range dc.DCs() {
		c.Telegram.Servers = append(c.Telegram.Servers, server{DC: d.ID, Address: d.Addr})
	}
	return writeConfig(path, c)
}

func (l served) print(e env) error {
	if e.global.json {
		return printJSON(e.out, l)
	}
	var err error
	switch l.Type {
	case "dc":
		_, err = fmt.Fprintf(e.out, "data centre %d  %s\n", l.ID, l.Address)
	case "account":
		_, err = fmt.Fprintf(e.out, "account  %s  code %s\n", l.Phone, l.Code)
	default:
		_, err = fmt.Fprint(e.out, l.PEM)
	}
	return err
}
