package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"prahari/alert"
	"prahari/evidence"
	"prahari/store"
)

// How alerts are made, where the config does not say.
const (
	alertPerHour  = 30
	alertFindings = 10              // in one message
	alertLook     = 5 * time.Second // between a watch's looks for something to tell
)

func newAlert(e env) *cobra.Command {
	return noun("alert", "Tell your own endpoints of new findings, masked", newAlertList(e), newAlertTest(e), newAlertSend(e), newAlertSecret(e))
}

// An endpoint is one of the config's, ready to be sent to.
type endpoint struct {
	name string
	to   alert.Sender
}

// endpoints reads the config's endpoints with their secrets.
func (w *workspace) endpoints() ([]endpoint, error) {
	var all []endpoint
	for _, c := range w.config.Alerts.Endpoints {
		to, err := w.sender(c)
		if err == nil && (c.Name == "" || slices.ContainsFunc(all, func(e endpoint) bool { return e.name == c.Name })) {
			err = errors.New("each endpoint needs a name of its own")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: alerts: endpoint %q: %w", w.path(configName), c.Name, err)
		}
		all = append(all, endpoint{c.Name, to})
	}
	if s := w.config.Alerts.MinSeverity; s != "" && s.Rank() == 0 {
		return nil, fmt.Errorf("%s: alerts: min_severity %q is not one of low, medium, high and critical", w.path(configName), evidence.Caption(string(s), 20))
	}
	return all, nil
}

func (w *workspace) sender(c endpointConfig) (alert.Sender, error) {
	secret := func(path, what string) (string, error) {
		if path == "" {
			return "", fmt.Errorf("the %s is missing: name its file", what)
		}
		if !filepath.IsAbs(path) {
			path = w.path(path)
		}
		data, err := secretFile(path, what)
		return strings.TrimSpace(string(data)), err
	}
	switch {
	case c.Webhook != "" && c.SlackFile == "" && c.Mail == nil:
		key, err := secret(c.SecretFile, "webhook's secret")
		if err != nil {
			return nil, err
		}
		return alert.NewWebhook(c.Webhook, key)
	case c.SlackFile != "" && c.Webhook == "" && c.Mail == nil:
		address, err := secret(c.SlackFile, "hook's address")
		if err != nil {
			return nil, err
		}
		return alert.NewSlack(address)
	case c.Mail != nil && c.Webhook == "" && c.SlackFile == "":
		m := alert.MailConfig{Server: c.Mail.Server, From: c.Mail.From, To: c.Mail.To, Username: c.Mail.Username, TLS: c.Mail.TLS}
		if c.Mail.Username != "" {
			var err error
			if m.Password, err = secret(c.Mail.PasswordFile, "mail account's password"); err != nil {
				return nil, err
			}
		}
		return alert.NewMailbox(m)
	}
	return nil, errors.New("an endpoint has one of webhook, slack_file and mail")
}

// keepAlerting tells the endpoints of new findings until ctx ends. What an
// endpoint does not take is kept and tried again; it never stops a watch.
func (w *workspace) keepAlerting(ctx context.Context) (done <-chan struct{}, err error) {
	ended := make(chan struct{})
	all, err := w.endpoints()
	if err != nil || len(all) == 0 {
		close(ended)
		return ended, err
	}
	// What is found from now on is told of, not what the first look would find.
	for _, to := range all {
		if err := w.db.KnowEndpoint(ctx, to.name, time.Now()); err != nil {
			return nil, err
		}
	}
	go func() {
		defer close(ended)
		log := w.env.log()
		for {
			for _, to := range all {
				a, err := w.tell(ctx, to)
				switch {
				case err != nil && ctx.Err() == nil:
					log.ErrorContext(ctx, "alert", "endpoint", to.name, "error", err)
				case a.State == evidence.AlertGivenUp || a.Tries == 1 && a.State == evidence.AlertWaiting:
					w.env.say("Endpoint %s could not be told of %s: %s. 'prahari alert list' shows what waits.", to.name, count(len(a.Findings), "finding"), a.Error)
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(alertLook):
			}
		}
	}()
	return ended, nil
}

// due is what one endpoint is to be told now.
func (w *workspace) due(ctx context.Context, to endpoint) (evidence.Alert, int, error) {
	least, gap := cmp.Or(w.config.Alerts.MinSeverity, evidence.High), time.Hour/time.Duration(max(1, cmp.Or(w.config.Alerts.PerHour, alertPerHour)))
	return w.db.NextAlert(ctx, to.name, least, alertFindings, gap, time.Now())
}

// tell sends what is due to one endpoint and records what became of it; the zero
// Alert: nothing is due.
func (w *workspace) tell(ctx context.Context, to endpoint) (evidence.Alert, error) {
	a, more, err := w.due(ctx, to)
	if errors.Is(err, store.ErrNotFound) {
		return evidence.Alert{}, nil
	}
	if err != nil {
		return a, err
	}
	m, err := w.message(ctx, a, more)
	if err != nil {
		return a, err
	}
	a.Tries++
	sending := to.to.Send(ctx, m)
	switch {
	case sending == nil:
		a.State, a.Error, a.NextAt = evidence.AlertSent, "", time.Time{}
	case ctx.Err() != nil:
		return a, ctx.Err() // it is tried again by the next watch
	case a.Tries >= alert.Tries:
		a.State, a.Error = evidence.AlertGivenUp, evidence.Caption(sending.Error(), 200)
	default:
		a.Error, a.NextAt = evidence.Caption(sending.Error(), 200), time.Now().Add(alert.Wait(a.Tries, sending))
	}
	return a, w.db.RecordAlert(context.WithoutCancel(ctx), a)
}

func (w *workspace) message(ctx context.Context, a evidence.Alert, more int) (alert.Message, error) {
	m := alert.Message{ID: a.ID, Organisation: w.config.Organisation.Name, TLP: alert.TLP, At: a.MadeAt, Findings: []alert.Finding{}, More: more}
	for _, id := range a.Findings {
		f, e, err := w.db.Finding(ctx, id)
		if err != nil {
			return m, fmt.Errorf("finding %s: %w", id, err)
		}
		m.Findings = append(m.Findings, alert.Finding{
			ID: f.ID, Severity: f.Severity, Title: f.Title, Source: sourceName(e.Source), MessageID: e.MessageID, URL: e.URL,
			PostedAt: e.PostedAt, CapturedAt: e.CapturedAt, Records: len(f.Records), Masked: e.Masked,
		}.Show())
	}
	return m, nil
}

func newAlertList(e env) *cobra.Command {
	limit := 50
	cmd := &cobra.Command{
		Use: "list", Short: "List alerts: sent, waiting, given up", Args: usageArgs(cobra.NoArgs),
		Example: examples("prahari alert list", "prahari alert list --json | jq 'select(.state != \"sent\")'"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				all, err := w.db.Alerts(cmd.Context(), limit)
				if err != nil {
					return err
				}
				return printList(e, all, "No alerts yet. 'prahari alert test' tries the endpoints of the config.",
					column[evidence.Alert]{"alert", func(a evidence.Alert) string { return a.ID }, 0},
					column[evidence.Alert]{"made", func(a evidence.Alert) string { return stamp(a.MadeAt) }, 0},
					column[evidence.Alert]{"endpoint", func(a evidence.Alert) string { return a.Endpoint }, 20},
					column[evidence.Alert]{"findings", func(a evidence.Alert) string { return fmt.Sprint(len(a.Findings)) }, 0},
					column[evidence.Alert]{"state", func(a evidence.Alert) string { return string(a.State) }, 0},
					column[evidence.Alert]{"tries", func(a evidence.Alert) string { return fmt.Sprint(a.Tries) }, 0},
					column[evidence.Alert]{"last error", func(a evidence.Alert) string { return a.Error }, 60},
				)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "the newest so many")
	return cmd
}

func newAlertTest(e env) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "test [ENDPOINT]", Short: "Send a test alert, with nothing found in it, to one endpoint or all",
		Example: examples("prahari alert test", "prahari alert test desk", "prahari alert test --dry-run"),
		Args:    usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.eachEndpoint(cmd.Context(), args, func(w *workspace, to endpoint) error {
				if dryRun {
					return e.done(map[string]any{"endpoint": to.name, "dry_run": true}, "%s: its settings are whole; nothing was sent\n", to.name)
				}
				m := alert.Message{ID: "al-test-" + strings.ToLower(rand.Text()[:10]), Organisation: w.config.Organisation.Name, TLP: alert.TLP, At: time.Now(), Test: true, Findings: []alert.Finding{}}
				if err := to.to.Send(cmd.Context(), m); err != nil {
					return fmt.Errorf("endpoint %s: %w", to.name, err)
				}
				return e.done(map[string]any{"endpoint": to.name, "id": m.ID}, "%s took the test alert %s\n", to.name, m.ID)
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check the settings, send nothing")
	return cmd
}

func newAlertSend(e env) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "send", Short: "Send what is due now, once; a running watch does it by itself",
		Example: examples("prahari alert send", "prahari alert send --dry-run"),
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dryRun {
				e.global.rehearse = true
				return e.eachEndpoint(cmd.Context(), nil, func(w *workspace, to endpoint) error { return w.wouldTell(cmd.Context(), to) })
			}
			return e.eachEndpoint(cmd.Context(), nil, func(w *workspace, to endpoint) error {
				a, err := w.tell(cmd.Context(), to)
				switch {
				case err != nil:
					return fmt.Errorf("endpoint %s: %w", to.name, err)
				case a.ID == "":
					return e.done(map[string]any{"endpoint": to.name}, "%s: nothing is due\n", to.name)
				case a.State == evidence.AlertSent:
					return e.done(a, "%s took %s with %s\n", to.name, a.ID, count(len(a.Findings), "finding"))
				}
				return fmt.Errorf("endpoint %s did not take %s: %s; it is tried again from %s on", to.name, a.ID, a.Error, stamp(a.NextAt))
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what is due, send nothing")
	return cmd
}

// wouldTell says what tell would send.
func (w *workspace) wouldTell(ctx context.Context, to endpoint) error {
	a, _, err := w.due(ctx, to)
	var r *store.Rehearsal
	if !errors.As(err, &r) {
		return fmt.Errorf("endpoint %s: %w", to.name, err)
	}
	if a.NextAt.After(time.Now()) { // it waits for another try
		a.Findings = nil
	}
	if len(a.Findings) == 0 {
		return w.env.done(map[string]any{"endpoint": to.name, "dry_run": true}, "%s: nothing is due\n", to.name)
	}
	return w.env.done(map[string]any{"endpoint": to.name, "findings": a.Findings, "dry_run": true},
		"%s would be told of %s (%s); nothing was sent\n", to.name, count(len(a.Findings), "finding"), strings.Join(a.Findings, ", "))
}

// eachEndpoint does something with one endpoint or with all; one that fails does
// not keep it from the others.
func (e env) eachEndpoint(ctx context.Context, named []string, do func(*workspace, endpoint) error) (err error) {
	w, err := e.openWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.close(&err)
	all, err := w.endpoints()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("no endpoint: %s names none under alerts.endpoints; docs/operations.md shows how", w.path(configName))
	}
	var names []string
	var failed []error
	for _, to := range all {
		names = append(names, to.name)
		if len(named) == 0 || named[0] == to.name {
			failed = append(failed, do(w, to))
		}
	}
	if len(failed) == 0 {
		return fmt.Errorf("there is no endpoint %s: the config has %s", evidence.Caption(named[0], 40), strings.Join(names, ", "))
	}
	return errors.Join(failed...)
}

func newAlertSecret(e env) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "secret FILE", Short: "Make a webhook's secret in a new file, for secret_file and for its receiver",
		Example: examples("prahari alert secret keys/soc.secret"),
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.inWorkspace(cmd.Context(), func(w *workspace) error {
				path := args[0]
				if !filepath.IsAbs(path) {
					path = w.path(path)
				}
				if dryRun {
					if err := mayMake(path); err != nil {
						return fmt.Errorf("making the secret: %w; name a file that is not there yet", err)
					}
					return e.done(map[string]any{"file": path, "dry_run": true}, "%s would be made; nothing was written\n", path)
				}
				var key [32]byte
				_, _ = rand.Read(key[:])
				f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				if err != nil {
					return fmt.Errorf("making the secret: %w; name a file that is not there yet", err)
				}
				_, err = fmt.Fprintln(f, "whsec_"+base64.StdEncoding.EncodeToString(key[:]))
				if err = errors.Join(err, f.Close()); err != nil {
					return fmt.Errorf("writing the secret: %w", err)
				}
				return e.done(map[string]any{"file": path}, "%s\n", path)
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say whether the file can be made, make none")
	return cmd
}
