package scanner

import (
	"bytes"
	"context"
	"errors"

	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"
)

func (s *Scanner) session() sessionFile {
	return sessionFile{s.config.SessionPath, s.config.SessionKey}
}

// redirected reports whether a run was ended by having been sent elsewhere: the
// library follows, and then nobody is signed in where it is, or what it repeats
// there is sent on again.
func redirected(err error) bool {
	_, on := sentOn(err)
	return on || errors.Is(err, ErrSignedOut)
}

// sentOn reports whether Telegram sends on to another data centre, and to which.
func sentOn(err error) (dc int, on bool) {
	rpc, ok := tgerr.As(err)
	if !ok || rpc.Code != 303 {
		return 0, false
	}
	return rpc.Argument, true
}

// carried carries the sign-in to the data centre that Telegram sent the client to,
// from the one of the session before: the library makes a key there, and nobody is
// signed in with it. Where Telegram sent it back, the session before is good. It
// reports whether the account can be read through now.
func (s *Scanner) carried(ctx context.Context, before []byte, cause error) bool {
	old := &session.StorageMemory{}
	if err := old.StoreSession(ctx, before); err != nil {
		return false
	}
	was, err := (&session.Loader{Storage: old}).Load(ctx)
	if err != nil {
		return false
	}
	now, err := (&session.Loader{Storage: s.session()}).Load(ctx)
	if err != nil {
		return false
	}
	home, on := sentOn(cause)
	if !on {
		home = now.DC
	}
	switch {
	case bytes.Equal(now.AuthKey, was.AuthKey):
		if on { // the library was there already, or followed only the first of two
			s.config.Log.WarnContext(ctx, "Telegram sent the account elsewhere; it is read again", "to", home, "at", now.DC)
		}
		return on
	case home == was.DC: // sent back, or the keys of before are lost there
		return s.putBack(ctx, before, old, now.DC)
	}
	var out *tg.AuthExportedAuthorization
	err = s.connected(ctx, link{session: old}, func(ctx context.Context, client *telegram.Client) error {
		out, err = client.API().AuthExportAuthorization(ctx, now.DC)
		return err
	})
	if err == nil {
		err = s.connected(ctx, link{}, func(ctx context.Context, client *telegram.Client) error {
			_, err := client.API().AuthImportAuthorization(ctx, &tg.AuthImportAuthorizationRequest{ID: out.ID, Bytes: out.Bytes})
			return err
		})
	}
	if err != nil {
		// Signed out there and here; what was kept of the old session is good for nothing.
		s.config.Log.WarnContext(ctx, "the sign-in was not carried to another data centre", "from", was.DC, "to", now.DC, "error", err.Error())
		return false
	}
	s.config.Log.WarnContext(ctx, "Telegram moved the account to another data centre; the sign-in was carried there", "from", was.DC, "to", now.DC)
	return true
}

// putBack makes the session of before, which old holds, the account's again where
// it is still good.
func (s *Scanner) putBack(ctx context.Context, before []byte, old session.Storage, by int) bool {
	err := s.connected(ctx, link{session: old}, func(ctx context.Context, client *telegram.Client) error {
		_, err := client.Self(ctx)
		return err
	})
	if err == nil {
		err = s.session().StoreSession(ctx, before)
	}
	if err != nil {
		s.config.Log.WarnContext(ctx, "the session of before is not good any more", "error", err.Error())
		return false
	}
	s.config.Log.WarnContext(ctx, "Telegram sent the account away and back", "by", by)
	return true
}
