package scanner

import (
	"time"

	"github.com/gotd/td/clock"

	"prahari/evidence"
)

// A steady clock goes on from when it was made, whatever is done to the machine's
// clock meanwhile: MTProto refuses messages whose time is off, on both sides.
type steady struct {
	clock.Clock // its timers
	began       time.Time
	up          time.Duration
}

func newSteady(now time.Time) steady { return steady{clock.System, now, uptime()} }

// Now implements clock.Clock.
func (c steady) Now() time.Time { return c.began.Add(uptime() - c.up) }

// A compared clock is how far the machine's clock was off when it was last
// compared, and when that was.
type compared struct {
	evidence.Clock
	wall time.Time // by the machine's clock
	up   time.Duration
}

// at says how far the machine's clock is off at a time that it tells now: what it
// jumped since the comparison is added.
func (c compared) at(now time.Time) evidence.Clock {
	jumped := now.Round(0).Sub(c.wall.Round(0)) - (uptime() - c.up)
	clock := c.Clock
	clock.OffsetMS += jumped.Round(time.Second).Milliseconds()
	return clock
}
