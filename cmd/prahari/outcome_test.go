package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"prahari/bundle"
	"prahari/evidence"
	"prahari/scanner"
	"prahari/store"
)

type outcomeCase struct {
	err    error
	code   int
	silent bool
}

func outcomes() []outcomeCase {
	wrap := func(err error) error { return fmt.Errorf("doing: %w", err) }
	return []outcomeCase{
		{nil, 0, true},
		{errors.New("x"), 1, false},
		{usageError{"prahari scan", errors.New("x")}, 2, false},
		{errFound, 3, true},
		{wrap(scanner.ErrSignedOut), 4, false},
		{wrap(bundle.ErrBroken), 5, false},
		{wrap(store.ErrBroken), 5, false},
		{wrap(scanner.ErrFloodWait), 6, false},
		{wrap(scanner.ErrBanned), 7, false},
		{wrap(context.Canceled), 130, false},
		{wrap(store.ErrLocked), 1, false},
		{wrap(store.ErrNewerSchema), 1, false},
		{wrap(store.ErrOlderSchema), 1, false},
		{wrap(store.ErrEmpty), 1, false},
		{wrap(evidence.ErrTooFewRecipients), 1, false},
		{wrap(syscall.ENOSPC), 1, false},
		{wrap(fs.ErrPermission), 1, false},
	}
}
