package evidence

import (
	"reflect"
	"time"
)

// A BotProfile is what a bot says of itself, and what Telegram says of it. All of
// its text is masked.
type BotProfile struct {
	SourceID    string       `json:"source"`
	Username    string       `json:"username"`
	Name        string       `json:"name"`
	About       string       `json:"about,omitempty"`
	Description string       `json:"description,omitempty"`
	Commands    []BotCommand `json:"commands"`
	Menu        string       `json:"menu,omitempty"` // the menu button's text and link
	Verified    bool         `json:"verified"`       // by Telegram
	Scam        bool         `json:"scam"`           // so marked by Telegram
	Fake        bool         `json:"fake"`           // so marked by Telegram
	Restricted  bool         `json:"restricted"`
	At          time.Time    `json:"at"`
}

// A BotCommand is an entry of a bot's menu.
type BotCommand struct {
	Command     string `json:"command"`
	Description string `json:"description"`
}

// SameProfile reports whether two profiles say the same.
func SameProfile(a, b BotProfile) bool {
	a.At, b.At = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}
