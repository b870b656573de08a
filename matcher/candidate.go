package matcher

import "prahari/evidence"

// A cand is a place in folded text whose shape some kinds of identifier allow.
// What it is, if anything, is decided by its label and its company.
type cand struct {
	start, end int
	kinds      kindSet // kinds the shape allows when a label names them
	alone      kindSet // of these, kinds that need no label
	sure       kindSet // of these, kinds that hold even under a label for something else
	company    kindSet // kinds that need no label beside other fields of a record
	passed     kindSet // kinds whose check passed
	failed     kindSet // kinds whose check failed
	masked     kindSet // kinds of which the shape is the masked form
	evasive    bool
}

// A form is evidence.Form in one byte.
func (c *cand) form(k kindID) evidence.Form {
	switch {
	case c.masked.has(k):
		return evidence.Masked
	case c.evasive:
		return evidence.Evasive
	}
	return evidence.Full
}

func (c *cand) validity(k kindID) evidence.Validity {
	switch {
	case c.passed.has(k):
		return evidence.CheckPassed
	case c.failed.has(k):
		return evidence.CheckFailed
	}
	return evidence.NoCheck
}

// allow adds a kind to the shape's kinds.
func (c *cand) allow(k kindID) { c.kinds |= 1 << k }

// check records the outcome of a kind's own check.
func (c *cand) check(k kindID, ok bool) {
	if ok {
		c.passed |= 1 << k
	} else {
		c.failed |= 1 << k
	}
}
