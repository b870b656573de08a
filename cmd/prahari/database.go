package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"prahari/store"
)

// database says where the workspace's database is: as --db or the config name
// it, or a file in the folder.
func (e env) database(dir string, c config) (string, error) {
	switch path := filepath.Join(dir, configName); {
	case e.global.database != "":
		if !store.IsURL(e.global.database) {
			return "", usageError{"prahari", errors.New("--db is a postgres:// URL; without it the database is a file in the workspace")}
		}
		if store.HasPassword(e.global.database) {
			return "", usageError{"prahari", errors.New("others on this machine can read a command line: leave the password out of --db, and put it into $PGPASSWORD, ~/.pgpass or 'database' in prahari.yaml")}
		}
		return e.global.database, nil
	case c.Database == "":
		return filepath.Join(dir, databaseName), nil
	case !store.IsURL(c.Database):
		return "", fmt.Errorf("%s: 'database' is a postgres:// URL; without it the database is a file in the workspace", path)
	case store.HasPassword(c.Database):
		info, err := os.Stat(path)
		if err != nil {
			return "", fmt.Errorf("reading the workspace's config: %w", err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			return "", fmt.Errorf("%s holds the database's password and is open to others (mode %04o): run 'chmod 600 %s'", path, info.Mode().Perm(), path)
		}
	}
	return c.Database, nil
}
