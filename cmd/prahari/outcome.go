package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"prahari/bundle"
	"prahari/evidence"
	"prahari/scanner"
	"prahari/store"
)

// Exit codes. They are part of the interface: scripts and cron rely on them.
const (
	exitFine        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitFound       = 3
	exitLogin       = 4
	exitIntegrity   = 5
	exitRateLimited = 6
	exitBanned      = 7
	exitInterrupted = 130
)

const exitCodes = `  0    fine
  1    failed: the sentence on stderr says what happened and what to do
  2    usage: the command line is not one
  3    findings are present, or a deadline is due (only with --exit-code)
  4    login needed: run 'prahari account login'
  5    integrity broken: a bundle or the custody log does not verify
  6    rate-limited: Telegram asks to wait longer than the configured cap
  7    the account is banned or its session was revoked
  130  interrupted; what was recorded is kept`

// errFound says that there are findings, for --exit-code.
var errFound = errors.New("findings present")

// usageError is a command line that is not one.
type usageError struct {
	command string
	err     error
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usageErrorf(cmd *cobra.Command, format string, args ...any) error {
	return usageError{cmd.CommandPath(), fmt.Errorf(format, args...)}
}

// outcome turns an error into the exit code and the sentence for it.
func outcome(ctx context.Context, err error) (code int, say string) {
	var usage usageError
	switch {
	case err == nil:
		return exitFine, ""
	case errors.As(err, &usage):
		command := usage.command
		if command == "" {
			command = "prahari"
		}
		return exitUsage, err.Error() + "\nRun '" + command + " --help' for usage."
	case errors.Is(err, errFound), errors.Is(err, errDue):
		return exitFound, ""
	case errors.Is(err, scanner.ErrBanned):
		return exitBanned, err.Error() + "; add another account with 'prahari account login --account NAME'"
	case errors.Is(err, scanner.ErrSignedOut):
		return exitLogin, err.Error() + "; run 'prahari account login'"
	case errors.Is(err, scanner.ErrFloodWait):
		return exitRateLimited, err.Error() + "; try again later, or raise watch.max_flood_wait in prahari.yaml"
	case errors.Is(err, bundle.ErrBroken), errors.Is(err, store.ErrBroken), errors.Is(err, evidence.ErrContainer):
		return exitIntegrity, err.Error()
	case errors.Is(err, context.Canceled), ctx.Err() != nil:
		return exitInterrupted, "interrupted; what was recorded is kept, the same command goes on from there"
	case errors.Is(err, store.ErrLocked):
		return exitFailed, err.Error() + ": another prahari is writing to it; stop that one or wait"
	case errors.Is(err, store.ErrNewerSchema):
		return exitFailed, err.Error() + "; upgrade prahari"
	case errors.Is(err, store.ErrEmpty):
		return exitFailed, err.Error() + "; restore it from your backup, or name the right one with --db or 'database' in prahari.yaml; 'prahari init' makes a new one in a folder without a prahari.yaml"
	case errors.Is(err, store.ErrOlderSchema):
		return exitFailed, err.Error() + "; a dry run changes nothing, so it cannot tell: copy the database if you may go back, then 'prahari doctor' brings it up to date"
	case errors.Is(err, evidence.ErrTooFewRecipients):
		return exitFailed, err.Error() + ": 'prahari recipient add age1…' adds a public key"
	case errors.Is(err, syscall.ENOSPC):
		return exitFailed, err.Error() + "; free some space and run the command again, nothing is half-written"
	case errors.Is(err, fs.ErrPermission):
		return exitFailed, err.Error() + "; check owner and mode of the file and its folder"
	case strings.HasPrefix(err.Error(), "unknown command"): // cobra has no type for it
		return exitUsage, err.Error() + "\nRun 'prahari --help' for usage."
	}
	return exitFailed, err.Error() + missingFolder(err)
}

// missingFolder says which folder is not there where a file could not be made
// for want of it: the error names a temporary file that nobody asked for.
func missingFolder(err error) string {
	var at *fs.PathError
	if !errors.As(err, &at) || !errors.Is(at, fs.ErrNotExist) {
		return ""
	}
	folder := filepath.Dir(at.Path)
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return "; there is no folder " + folder + ": make it first, or name another"
}
