package bundle

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// makeFile makes a whole file of the bundle, with its time. A bundle may have
// some hundred thousand: package os makes five calls more for each, to find out
// that a file is none that one could wait for.
func makeFile(root int, name string, data []byte, at time.Time) error {
	fd, err := again(func() (int, error) {
		return unix.Openat(root, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	})
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	for len(data) > 0 && err == nil {
		var n int
		n, err = again(func() (int, error) { return unix.Write(fd, data) })
		data = data[max(n, 0):]
	}
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return &os.PathError{Op: "write", Path: name, Err: err}
	}
	return setTime(root, name, at)
}

// makeDir makes a folder of the bundle in one that is there.
func makeDir(root int, name string) error {
	if _, err := again(func() (int, error) { return 0, unix.Mkdirat(root, name, 0o700) }); err != nil {
		return &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	return nil
}

// setTime gives a file or folder of the bundle its time.
func setTime(root int, name string, at time.Time) error {
	t := unix.NsecToTimespec(at.UnixNano())
	if _, err := again(func() (int, error) {
		return 0, unix.UtimesNanoAt(root, name, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW)
	}); err != nil {
		return &os.PathError{Op: "utimensat", Path: name, Err: err}
	}
	return nil
}

// again calls until no signal comes between.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
