package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/google/renameio/v2"
	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"

	"prahari/evidence"
	"prahari/scanner"
	"prahari/store"
)

const defaultAccount = "main"

func newAccount(e env) *cobra.Command {
	return noun("account", "Telegram logins that prahari reads through", newAccountLogin(e), newAccountList(e), newAccountLimits(e))
}

type loginOptions struct {
	account string
	qr      bool
}

func newAccountLogin(e env) *cobra.Command {
	var o loginOptions
	cmd := &cobra.Command{
		Use: "login", Short: "Sign in to Telegram by code, password or QR",
		Long: `Sign in to Telegram. Use a number that belongs to the team, not to a person.
api_id and api_hash come from $PRAHARI_API_ID and $PRAHARI_API_HASH, from prahari.yaml or
a file that it names, or are asked for; they never go on the command line. So is the phone
number, the code and, where the account has one, the password. The session is kept in the
workspace with mode 0600; the number is kept masked.`,
		Example: examples("prahari account login", "prahari account login --account second --qr"),
		Args:    usageArgs(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.login(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.account, "account", defaultAccount, "a label for the account")
	cmd.Flags().BoolVar(&o.qr, "qr", false, "show a QR code to scan with a signed-in phone")
	return cmd
}

// client makes the workspace's connection to Telegram for one account. Only
// watch needs the maker, the others pass nil.
func (w *workspace) client(ctx context.Context, account string, maker *evidence.Maker, finder scanner.Finder, events func(scanner.Event)) (*scanner.Scanner, error) {
	id, hash, err := w.credentials()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(w.path("sessions"), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for sessions: %w", err)
	}
	key, err := w.sessionKey()
	if err != nil {
		return nil, err
	}
	proxy, err := w.proxy()
	if err != nil {
		return nil, err
	}
	waits, err := w.db.Waits(ctx, account, time.Now())
	if err != nil {
		return nil, err
	}
	t := w.config.Telegram
	c := scanner.Config{
		SessionKey: key, Now: w.env.now, Proxy: proxy, Waits: waits, FloodWaits: map[string]time.Duration{}, PeerFloodRest: time.Duration(w.config.Watch.PeerFloodRest),
		Account: account, APIID: id, APIHash: hash, SessionPath: w.path("sessions/" + account + ".json"),
		DC: t.DC, Keeper: w.db, Directory: w.db, Finder: finder, Maker: maker, Events: w.observed(ctx, account, events), Log: w.env.log(), AppVersion: version,
		MaxFloodWait: time.Duration(w.config.Watch.MaxFloodWait), PollInterval: time.Duration(w.config.Watch.PollInterval),
		MaxPollInterval: time.Duration(w.config.Watch.MaxPollInterval), PollsPerMinute: w.config.Watch.PollsPerMinute,
	}
	if most := w.config.Watch.MaxMedia; most != nil {
		if c.MaxMedia = int64(*most); c.MaxMedia == 0 {
			c.MaxMedia = -1
		}
	}
	limits, err := w.limits()
	if err != nil {
		return nil, err
	}
	c.LookupsPerDay = limits[scanner.UsernameLookups].Value
	for method, most := range w.config.Watch.FloodWaits {
		c.FloodWaits[method] = time.Duration(most)
	}
	for _, s := range t.Servers {
		c.Servers = append(c.Servers, scanner.Server{DC: s.DC, Address: s.Address})
	}
	for _, name := range t.PublicKeys {
		path := name
		if !strings.HasPrefix(path, "/") {
			path = w.path(path)
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the data centre's public key: %w; prahari.yaml names it under telegram.public_keys", err)
		}
		c.PublicKeys = append(c.PublicKeys, pem)
	}
	return scanner.New(c)
}

// observed passes an account's events on, logs them, and keeps the waits that
// outlast a command: the next one keeps them too, and does not ask Telegram what
// it said already.
func (w *workspace) observed(ctx context.Context, account string, to func(scanner.Event)) func(scanner.Event) {
	ctx, log := context.WithoutCancel(ctx), w.env.log()
	return func(e scanner.Event) {
		logEvent(log, account, e)
		if e.Kind == scanner.Resting || e.Kind == scanner.Waiting && e.Wait >= time.Minute {
			if err := w.db.PutWait(ctx, e.Until); err != nil {
				log.Warn("a wait was not kept", "method", e.Method, "error", err)
			}
		}
		to(e)
	}
}

// sessionKeyPath is where the key that seals sessions lies.
func (w *workspace) sessionKeyPath() string {
	path := w.config.Telegram.SessionKeyFile
	switch {
	case path == "":
		return w.path("keys/session.key")
	case !strings.HasPrefix(path, "/"):
		return w.path(path)
	}
	return path
}

// sessionKey reads the key that seals sessions, and makes it the first time.
func (w *workspace) sessionKey() (*age.X25519Identity, error) {
	path := w.sessionKeyPath()
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		key, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, err
		}
		if err := renameio.WriteFile(path, []byte(key.String()+"\n"), 0o600); err != nil {
			return nil, fmt.Errorf("keeping the session key: %w", err)
		}
		return key, nil
	}
	data, err := secretFile(path, "session key")
	if err != nil {
		return nil, err
	}
	key, err := age.ParseX25519Identity(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, fmt.Errorf("session key %s: %w; restore it, or delete it and the folder sessions, and sign in again", path, err)
	}
	return key, nil
}

func (e env) login(ctx context.Context, o loginOptions) (err error) {
	if err := validLabel("prahari account login", o.account); err != nil {
		return err
	}
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	client, err := w.client(ctx, o.account, nil, nil, e.showEvent)
	if err != nil {
		return err
	}
	prompts := scanner.Prompts{
		Phone: func(context.Context) (string, error) { return e.ask("Phone number with country code:") },
		Code:  func(context.Context) (string, error) { return e.ask("Code that Telegram sent:") },
		Password: func(context.Context) (string, error) {
			return e.askSecret("Password of the account (two-step verification):")
		},
	}
	if o.qr {
		prompts.QR = func(_ context.Context, link string) error {
			e.say("Scan this with Telegram on a signed-in phone: Settings, Devices, Link Desktop Device.")
			qrterminal.GenerateHalfBlock(link, qrterminal.L, e.err)
			e.say("%s", link)
			return nil
		}
	}
	user, err := client.Login(ctx, prompts)
	if err != nil {
		return err
	}
	a := store.Account{Label: o.account, UserID: user.ID, Phone: user.MaskedPhone, State: store.AccountOK, Premium: user.Premium, AddedAt: time.Now()}
	if err := w.db.AddAccount(ctx, a, e.operator()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "account %s is signed in as user %d, number %s\n", o.account, user.ID, user.MaskedPhone)
	return err
}

// validLabel keeps labels fit for file names.
func validLabel(command, label string) error {
	if evidence.Sweep(label) != label || label == "" || len(label) > 40 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return usageError{command, fmt.Errorf("a label is made of a-z, 0-9, - and _, 40 at most, and is no one's number")}
	}
	return nil
}

func newAccountList(e env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List accounts", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				accounts, err := w.db.Accounts(cmd.Context())
				if err != nil {
					return err
				}
				return printList(e, accounts, "No accounts. 'prahari account login' adds one.",
					column[store.Account]{"account", func(a store.Account) string { return a.Label }, 0},
					column[store.Account]{"user", func(a store.Account) string { return fmt.Sprintf("id %d", a.UserID) }, 0},
					column[store.Account]{"number", func(a store.Account) string { return a.Phone }, 0},
					column[store.Account]{"state", func(a store.Account) string { return a.State }, 0},
					column[store.Account]{"added", func(a store.Account) string { return stamp(a.AddedAt) }, 0},
				)
			})
		},
	}
}
