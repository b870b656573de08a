package scanner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
	"github.com/google/renameio/v2"
	"github.com/gotd/td/session"
)

// A sessionFile keeps a session with mode 0600, whole or not at all, and under
// its key: who has the file alone cannot act as the account.
type sessionFile struct {
	path string
	key  *age.X25519Identity // nil: as it is
}

// sealedPrefix begins a file that age sealed.
const sealedPrefix = "age-encryption.org/"

func (f sessionFile) LoadSession(ctx context.Context) ([]byte, error) {
	data, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, session.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading the session: %w", err)
	}
	sealed := bytes.HasPrefix(data, []byte(sealedPrefix))
	switch {
	case f.key == nil && sealed:
		return nil, fmt.Errorf("session %s is sealed, and there is no key to it", f.path)
	case f.key == nil:
		return data, nil
	case !sealed: // of an earlier version
		return data, f.StoreSession(ctx, data)
	}
	r, err := age.Decrypt(bytes.NewReader(data), f.key)
	if err != nil {
		return nil, fmt.Errorf("session %s: %w: restore its key, or delete it and sign in again", f.path, err)
	}
	if data, err = io.ReadAll(r); err != nil {
		return nil, fmt.Errorf("session %s is damaged: %w: delete it and sign in again", f.path, err)
	}
	return data, nil
}

func (f sessionFile) StoreSession(_ context.Context, data []byte) error {
	if f.key != nil {
		var sealed bytes.Buffer
		w, err := age.Encrypt(&sealed, f.key.Recipient())
		if err == nil {
			_, err = w.Write(data)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			return fmt.Errorf("sealing the session: %w", err)
		}
		data = sealed.Bytes()
	}
	if err := renameio.WriteFile(f.path, data, 0o600); err != nil {
		return fmt.Errorf("keeping the session: %w", err)
	}
	return nil
}
