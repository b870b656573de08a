//go:build !linux

package bundle

import (
	"context"
	"io/fs"
	"path/filepath"
)

// syncTree makes a folder with all that is in it durable.
func syncTree(ctx context.Context, at string) error {
	return filepath.WalkDir(at, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return syncPath(path)
	})
}

// syncEarly does nothing: there is no one call for all files.
func syncEarly(int) error { return nil }
