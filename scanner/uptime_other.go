//go:build !linux

package scanner

import "time"

//nolint:gochecknoglobals // the zero of a clock that has none of its own
var launched = time.Now()

// uptime is how long the program runs, by a clock that does not jump.
func uptime() time.Duration { return time.Since(launched) }
