package scanner

import (
	"testing"
	"time"
)

func TestPauseFollowsTheSourcesRhythm(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	every := func(gap, silent time.Duration, n int) []time.Time {
		var posts []time.Time
		for i := range n {
			posts = append(posts, now.Add(-silent-time.Duration(i)*gap))
		}
		return posts
	}
	for name, tc := range map[string]struct {
		posts []time.Time
		want  time.Duration
	}{
		"every ten minutes":                 {every(10*time.Minute, time.Minute, 30), 5 * time.Minute},
		"every second":                      {every(time.Second, 0, 100), time.Minute},
		"one post, an hour ago":             {every(0, time.Hour, 1), 30 * time.Minute},
		"busy, then silent for four hours":  {every(time.Minute, 4*time.Hour, 30), 2 * time.Hour},
		"silent for years":                  {every(time.Hour, 9000*time.Hour, 30), 6 * time.Hour},
		"no posts":                          {nil, 6 * time.Hour},
		"only posts of the future":          {[]time.Time{now.AddDate(100, 0, 0)}, 6 * time.Hour},
		"a pinned future date among others": {append([]time.Time{now.AddDate(100, 0, 0)}, every(10*time.Minute, time.Minute, 30)...), 5 * time.Minute},
		"dates out of order":                {[]time.Time{now.Add(-time.Hour), now.Add(-time.Minute)}, 30 * time.Minute},
	} {
		if got := pause(tc.posts, now, time.Minute, 6*time.Hour); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
