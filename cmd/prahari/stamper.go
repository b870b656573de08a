package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"prahari/evidence"
	"prahari/store"
	"prahari/tsa"
)

// A stamper signs the custody log and has what it signed time-stamped. What an
// authority does not answer waits in the database.
type stamper struct {
	w           *workspace
	key         evidence.LogKey
	authorities []tsa.Authority
	client      *tsa.Client
}

// How often a running watch signs and stamps, where the config does not say.
const (
	stampEvery    = 24 * time.Hour
	stampCaptures = 1000
	stampLook     = 30 * time.Second // between looks at whether it is time
	stampMaxDelay = 6 * time.Hour    // between two tries
)

func (w *workspace) stamper(ctx context.Context) (*stamper, error) {
	key, err := w.logKey(ctx)
	if err != nil {
		return nil, err
	}
	t := w.config.Timestamp
	s := &stamper{w: w, key: key, client: &tsa.Client{Timeout: time.Duration(t.Timeout), MaxSkew: time.Duration(t.MaxSkew)}}
	for _, c := range t.Authorities {
		a := tsa.Authority{Name: c.Name, URL: c.URL}
		if a.Roots, err = w.pemFile(c.Roots); err == nil && c.Chain != "" {
			a.Chain, err = w.pemFile(c.Chain)
		}
		if err == nil {
			err = a.Check()
		}
		if err == nil && slices.ContainsFunc(s.authorities, func(b tsa.Authority) bool { return a.Name == b.Name }) {
			err = fmt.Errorf("authority %s is named twice", a.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: timestamp.authorities: %w", w.path(configName), err)
		}
		s.authorities = append(s.authorities, a)
	}
	return s, nil
}

// pemFile reads certificates, from a path below the workspace unless absolute.
func (w *workspace) pemFile(path string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("roots names no PEM file with the authority's root certificate")
	}
	if !filepath.IsAbs(path) {
		path = w.path(path)
	}
	return readSmall(path, 1<<20)
}

// checkpoint signs the log as it stands and queues its stamps.
func (s *stamper) checkpoint(ctx context.Context, now time.Time) (store.SignedCheckpoint, error) {
	c, err := s.w.db.Checkpoint(ctx, s.key, now)
	if err != nil {
		return c, err
	}
	names := make([]string, len(s.authorities))
	for i, a := range s.authorities {
		names[i] = a.Name
	}
	return c, s.w.db.QueueStamps(ctx, c.Size, names, now)
}

// due reports whether it is time to sign the log again.
func (s *stamper) due(ctx context.Context, now time.Time) (bool, error) {
	last, collected, entries, err := s.w.db.SinceCheckpoint(ctx)
	if err != nil || entries == 0 {
		return false, err
	}
	every := cmp.Or(time.Duration(s.w.config.Timestamp.Every), stampEvery)
	return now.Sub(last) >= every || collected >= cmp.Or(s.w.config.Timestamp.Captures, stampCaptures), nil
}

// waiting lists the stamps that are queued, those whose time has come or all.
func (s *stamper) waiting(ctx context.Context, now time.Time, all bool) ([]store.Stamp, error) {
	stamps, err := s.w.db.Stamps(ctx)
	return slices.DeleteFunc(stamps, func(p store.Stamp) bool { return p.Response != nil || !all && p.NextAt.After(now) }), err
}

// try asks one authority for one stamp and keeps it, or notes why not.
func (s *stamper) try(ctx context.Context, p store.Stamp, now time.Time) (store.Stamp, error) {
	stamp, err := s.ask(ctx, p)
	if err != nil {
		if ctx.Err() != nil {
			return p, ctx.Err()
		}
		delay := min(time.Minute<<min(p.Tries, 16), stampMaxDelay)
		return p, errors.Join(err, s.w.db.DelayStamp(ctx, p, err.Error(), now.Add(delay)))
	}
	return stamp, s.w.db.KeepStamp(ctx, stamp, s.w.env.operator(), now)
}

func (s *stamper) ask(ctx context.Context, p store.Stamp) (store.Stamp, error) {
	i := slices.IndexFunc(s.authorities, func(a tsa.Authority) bool { return a.Name == p.Authority })
	if i < 0 {
		return p, fmt.Errorf("authority %s is not in the config any more", p.Authority)
	}
	a := s.authorities[i]
	got, err := s.client.Stamp(ctx, a, p.Signed)
	if err != nil {
		return p, err
	}
	p.Query, p.Response, p.Roots, p.Chain, p.At, p.Demo = got.Query, got.Response, string(a.Roots), string(a.Chain), got.Time, got.Demo
	return p, nil
}

// keep signs and stamps until ctx ends. It never stops a watch: what goes wrong
// is logged, and waits in the queue.
func (s *stamper) keep(ctx context.Context) {
	log := s.w.env.log()
	for {
		now := time.Now()
		due, err := s.due(ctx, now)
		if err == nil && due {
			_, err = s.checkpoint(ctx, now)
		}
		var waiting []store.Stamp
		if err == nil {
			waiting, err = s.waiting(ctx, now, false)
		}
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "custody log not signed", "error", err)
		}
		for _, p := range waiting {
			if _, err := s.try(ctx, p, now); err != nil && ctx.Err() == nil {
				log.WarnContext(ctx, "not time-stamped yet; it is tried again", "checkpoint", p.Size, "authority", p.Authority, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			s.last(ctx)
			return
		case <-time.After(stampLook):
		}
	}
}

// last signs once more at the end of a watch, where it is time; the stamp waits.
func (s *stamper) last(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	due, err := s.due(ctx, time.Now())
	if err == nil && due {
		_, err = s.checkpoint(ctx, time.Now())
	}
	if err != nil {
		s.w.env.log().WarnContext(ctx, "custody log not signed", "error", err)
	}
}

// verifyStamps checks the stamps that are kept, each as of its own time.
func (w *workspace) verifyStamps(ctx context.Context) (kept, waiting int, err error) {
	stamps, err := w.db.Stamps(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, s := range stamps {
		if s.Response == nil {
			waiting++
			continue
		}
		kept++
		if _, err := verifyStamp(s); err != nil {
			return kept, waiting, fmt.Errorf("%w: checkpoint %d by %s: %w", store.ErrBroken, s.Size, s.Authority, err)
		}
	}
	return kept, waiting, nil
}

func verifyStamp(s store.Stamp) (tsa.Facts, error) {
	digest := sha256.Sum256(s.Signed)
	return tsa.Verify(s.Response, digest[:], []byte(s.Roots), []byte(s.Chain))
}

// demoNote labels what the embedded authority stamped.
func demoNote(demo bool) string {
	if demo {
		return " (demo authority: proves no time)"
	}
	return ""
}

// writeStamps puts stamps into a folder, for openssl and for whoever asks.
func writeStamps(dir string, stamps []store.Stamp) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the folder for time stamps: %w", err)
	}
	for _, s := range stamps {
		if s.Response == nil {
			continue
		}
		checkpoint := fmt.Sprintf("checkpoint-%d", s.Size)
		name := checkpoint + "." + s.Authority
		files := map[string][]byte{checkpoint: s.Signed, name + ".tsq": s.Query, name + ".tsr": s.Response, name + ".ca.pem": []byte(s.Roots)}
		if s.Chain != "" {
			files[name+".chain.pem"] = []byte(s.Chain)
		}
		for file, data := range files {
			if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
				return fmt.Errorf("writing a time stamp: %w", err)
			}
		}
	}
	return nil
}
