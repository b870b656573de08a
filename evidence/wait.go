package evidence

import "time"

// A Wait is one that Telegram asked an account for.
type Wait struct {
	Account string    `json:"account"`
	Method  string    `json:"method"` // that may not be called; AnyWrite for all that write
	Until   time.Time `json:"until"`
	Reason  string    `json:"reason"` // as Telegram names it: "FLOOD_WAIT"
}

// AnyWrite stands for every method that writes to Telegram.
const AnyWrite = "any write"
