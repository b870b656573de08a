package scanner

import (
	"context"

	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/tg"
)

func (s *Scanner) session() sessionFile {
	return sessionFile{s.config.SessionPath, s.config.SessionKey}
}

// carried carries the sign-in to the data centre that Telegram sent the client to,
// from the one of the session before: the library makes a key there, and nobody is
// signed in with it. It reports whether the account can be read through now.
func (s *Scanner) carried(ctx context.Context, before []byte) bool {
	old := &session.StorageMemory{}
	if err := old.StoreSession(ctx, before); err != nil {
		return false
	}
	was, err := (&session.Loader{Storage: old}).Load(ctx)
	if err != nil {
		return false
	}
	now, err := (&session.Loader{Storage: s.session()}).Load(ctx)
	if err != nil || now.DC == was.DC {
		return false
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
