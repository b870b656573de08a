package scanner

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime is how long the machine is up. It counts while the machine sleeps and
// does not jump with its clock.
func uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(err) // since Linux 2.6.39
	}
	return time.Duration(t.Nano())
}
