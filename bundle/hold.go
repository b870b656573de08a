package bundle

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hold takes the right to work on an unfinished bundle, which the kernel gives
// back when the process ends, however it ends.
func hold(at string) (*os.File, error) {
	f, err := os.Open(at)
	if err != nil {
		return nil, fmt.Errorf("holding an unfinished bundle: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("holding an unfinished bundle: %w", err), f.Close())
	}
	return f, nil
}
