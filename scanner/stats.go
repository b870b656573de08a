package scanner

import (
	"maps"
	"sync"
	"time"

	"prahari/evidence"
)

// Stats are what a scanner did since it was made. Nothing in them is plaintext.
type Stats struct {
	Account    string                    `json:"account"`
	Since      time.Time                 `json:"since"`
	At         time.Time                 `json:"at"`
	Connected  bool                      `json:"connected"`
	Sources    int                       `json:"sources"`    // to be read
	CaughtUp   int                       `json:"caught_up"`  // of them, those whose history is read
	Lost       int                       `json:"lost"`       // of them, those that can no longer be read
	Messages   map[evidence.Origin]int64 `json:"messages"`   // looked at, by how they came
	Matches    int64                     `json:"matches"`    // identifiers in them
	Findings   int64                     `json:"findings"`   // committed
	Gaps       int64                     `json:"gaps"`       // ranges that were missed when they were posted
	Deletions  int64                     `json:"deletions"`  // messages that their source deleted
	Unreadable int64                     `json:"unreadable"` // messages of which something could not be looked at
	FloodWaits map[string]int64          `json:"flood_waits"`
	WaitUntil  time.Time                 `json:"wait_until,omitzero"` // when the last wait that Telegram asked for ends
	Waits      []evidence.Wait           `json:"waits"`               // that last
	Pace       Pace                      `json:"pace"`                // which waits are kept
	Proxy      string                    `json:"proxy,omitempty"`     // that all connections go through
	Calls      map[string]int            `json:"calls"`               // to Telegram, by method
	Queue      int                       `json:"queue"`               // pieces of evidence that wait for the disk
	Lag        time.Duration             `json:"lag_ns"`              // from posting to reading, of the last message that was pushed
}

// A meter counts from many goroutines.
type meter struct {
	mu    sync.Mutex
	stats Stats
	queue func() int // nil before Run
}

func (m *meter) count(change func(*Stats)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.stats)
}

// event counts what an event tells.
func (m *meter) event(e Event) {
	m.count(func(s *Stats) {
		switch e.Kind {
		case Connected:
			s.Connected = true
		case Disconnected:
			s.Connected = false
		case Waiting, Resting:
			s.FloodWaits[e.Method]++
			s.WaitUntil = time.Now().Add(e.Wait)
		case CaughtUp:
			s.CaughtUp++
		case Inaccessible:
			s.Lost++
		case Regained:
			s.Lost = max(0, s.Lost-1)
		case Found:
			s.Findings += int64(len(e.Evidence.Findings))
		case Missed:
			s.Gaps++
		case Deleted:
			s.Deletions += e.Total
		case Unreadable:
			s.Unreadable++
		case Reading, Watching:
		}
	})
}

// Stats returns what was done until now.
func (s *Scanner) Stats() Stats {
	s.meter.mu.Lock()
	stats, queue := s.meter.stats, s.meter.queue
	stats.Messages, stats.FloodWaits = maps.Clone(stats.Messages), maps.Clone(stats.FloodWaits)
	s.meter.mu.Unlock()
	stats.Account, stats.At, stats.Calls = s.config.Account, time.Now(), s.guard.counts()
	stats.Matches = s.matches.Load()
	stats.Waits, stats.Pace, stats.Proxy = s.guard.resting(), s.guard.pace, s.config.Proxy.String()
	if queue != nil {
		stats.Queue = queue()
	}
	return stats
}
