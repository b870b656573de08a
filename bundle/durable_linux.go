package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// syncTree makes a folder with all that is in it durable. One call for the
// whole file system: a call for each of some hundred thousand small files would
// take longer than making them.
func syncTree(_ context.Context, at string) error {
	f, err := os.Open(at)
	if err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	if err := errors.Join(unix.Syncfs(int(f.Fd())), f.Close()); err != nil {
		return fmt.Errorf("writing the bundle to disk: %w", err)
	}
	return nil
}

// syncEarly begins to make durable what is written already, so that syncTree has
// less to wait for.
func syncEarly(root int) error {
	if err := unix.Syncfs(root); err != nil {
		return fmt.Errorf("writing the bundle to disk: %w", err)
	}
	return nil
}
