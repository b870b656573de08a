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

	"filippo.io/age"
	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"prahari/bundle"
	"prahari/evidence"
	"prahari/store"
)

type initOptions struct {
	organisation   organisation
	recipients     []string
	demoIdentities string
	noAadhaar      bool
}

func newInit(e env) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use: "init", Short: "Make a workspace",
		Long: `Make a workspace: a folder with the config, the database and the keys of one team.

Evidence is sealed to public keys ('age1…') whose secret halves are elsewhere: two or
more, so that one lost key loses nothing. Legal makes them with 'age-keygen'. To try
prahari out, --demo-identities FOLDER makes two; move them off the machine.`,
		Example: examples(
			"prahari init --organisation 'Example Trust & Safety' --recipient age1… --recipient age1…",
			"prahari init --workspace ./team --demo-identities ./legal-machine",
			"prahari init --db postgres://prahari@db.example.org/prahari --recipient age1… --recipient age1…"),
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(o.recipients) == 0 && o.demoIdentities == "" {
				return usageErrorf(cmd, "name the keys that may open evidence: --recipient age1… twice, or --demo-identities FOLDER to try prahari out")
			}
			return e.init(cmd, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.organisation.Name, "organisation", "", "who collects, as printed on notices and bundles")
	f.StringVar(&o.organisation.Domain, "domain", "", "the organisation's domain, part of signatures")
	f.StringVar(&o.organisation.Contact, "contact", "", "a person who answers for the notices")
	f.StringVar(&o.organisation.Email, "email", "", "that person's e-mail address")
	f.StringArrayVar(&o.recipients, "recipient", nil, "an age public key that opens evidence (repeat)")
	f.BoolVar(&o.noAadhaar, "no-aadhaar-token", false, "count Aadhaar numbers and VIDs and make no token of them")
	f.StringVar(&o.demoIdentities, "demo-identities", "", "make two identities in this folder, outside the workspace")
	return cmd
}

func (e env) init(cmd *cobra.Command, o initOptions) (err error) {
	dir := e.workspaceDir()
	if _, err := os.Stat(filepath.Join(dir, configName)); err == nil {
		return fmt.Errorf("%s is a workspace already: nothing was changed", dir)
	}
	if len(o.recipients) > 0 {
		if _, err := evidence.NewSealer(o.recipients); err != nil {
			return err
		}
	}
	where, err := e.database(dir, config{})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return fmt.Errorf("making the workspace: %w", err)
	}
	if o.demoIdentities != "" {
		made, err := demoIdentities(o.demoIdentities)
		if err != nil {
			return err
		}
		o.recipients = append(o.recipients, made...)
	}
	if _, err := evidence.NewSealer(o.recipients); err != nil {
		return err
	}
	if o.organisation.Domain == "" {
		o.organisation.Domain = "example.org"
		if _, host, ok := strings.Cut(o.organisation.Email, "@"); ok {
			o.organisation.Domain = host
		}
	}
	db, err := emptyDatabase(cmd.Context(), where)
	if err != nil {
		return fmt.Errorf("making the database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	key := evidence.NewTokenKey()
	if err := renameio.WriteFile(filepath.Join(dir, tokenKeyName), []byte(key.Encode()+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing the token key: %w", err)
	}
	signer, err := bundle.GenerateSigner(filepath.Join(dir, signerName))
	if err != nil {
		return fmt.Errorf("making the signing key: %w", err)
	}
	if err := newLogKey(filepath.Join(dir, logKeyName), o.organisation.Domain); err != nil {
		return err
	}
	if err := db.Append(cmd.Context(), evidence.Entry{
		Action: "workspace.init", Object: "workspace", Actor: e.operator(), At: time.Now(),
	}); err != nil {
		return err
	}
	// The config comes last: a workspace without it is none, and init can be repeated.
	if err := writeConfig(filepath.Join(dir, configName), config{Organisation: o.organisation, Recipients: o.recipients, Database: e.global.database, Tokens: tokenConfig{NoAadhaar: o.noAadhaar}}); err != nil {
		return err
	}
	e.say("Workspace %s is ready. Evidence is sealed to %d keys; bundles are signed by %s.", dir, len(o.recipients), signer.Fingerprint())
	if o.demoIdentities != "" {
		e.say("The identities in %s open the evidence: move them to legal's machine now. This host must not keep them.", o.demoIdentities)
	}
	e.say("Next: 'prahari account login', then 'prahari source add @name'.")
	return nil
}

// emptyDatabase opens a database that holds nothing, or what an interrupted init
// left there.
func emptyDatabase(ctx context.Context, where string) (*store.DB, error) {
	db, err := store.Open(ctx, where, store.Create)
	if err != nil {
		return nil, err
	}
	entries, err := db.Custody(ctx, 0)
	if err == nil && slices.ContainsFunc(entries, func(entry evidence.Entry) bool { return entry.Action != "workspace.init" }) {
		err = errors.New("it holds a workspace already: take that one's prahari.yaml and keys from the backup, or name an empty database; nothing was changed")
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// demoIdentities makes the key pairs of legal and of an escrow holder.
func demoIdentities(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for identities: %w", err)
	}
	var public []string
	for _, who := range []string{"legal", "escrow"} {
		path := filepath.Join(dir, who+".identity")
		if _, err := os.Stat(path); err == nil {
			return nil, fmt.Errorf("%s exists: an identity is never overwritten, name another folder", path)
		}
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, fmt.Errorf("making an identity: %w", err)
		}
		text := fmt.Sprintf("# %s's identity: opens sealed evidence. Keep it off the scanning host.\n# public key: %s\n%s\n", who, id.Recipient(), id)
		if err := renameio.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("writing an identity: %w", err)
		}
		public = append(public, id.Recipient().String())
	}
	return public, nil
}
