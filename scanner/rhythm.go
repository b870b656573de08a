package scanner

import "time"

// rhythmPosts is how many of the newest posts say how often a source posts.
const rhythmPosts = 20

// pause returns how long to wait before the next look at a source that pushes
// nothing: half the usual time between its newest posts (given newest first), and
// half of its silence where that is longer, within least and most. A busy channel
// is looked at often, a sleeping one seldom; a date in the future says nothing.
func pause(posts []time.Time, now time.Time, least, most time.Duration) time.Duration {
	var past []time.Time
	for _, p := range posts {
		if !p.After(now) && len(past) < rhythmPosts {
			past = append(past, p)
		}
	}
	if len(past) == 0 {
		return most
	}
	usual := now.Sub(past[0]) // the silence so far
	if n := len(past) - 1; n > 0 {
		usual = max(usual, past[0].Sub(past[n])/time.Duration(n))
	}
	return min(max(usual/2, least), most)
}
