package evidence

import (
	"cmp"
	"slices"
)

// Merge sorts ranges and joins those that overlap or touch.
func Merge(ranges []Range) []Range {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b Range) int { return cmp.Compare(a.Lo, b.Lo) })
	var merged []Range
	for _, r := range sorted {
		if r.Lo > r.Hi {
			continue
		}
		if n := len(merged); n > 0 && r.Lo <= merged[n-1].Hi+1 {
			merged[n-1].Hi = max(merged[n-1].Hi, r.Hi)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// Missing returns what merged ranges leave open within whole, in rising order.
func Missing(whole Range, merged []Range) []Range {
	var missing []Range
	next := whole.Lo
	for _, r := range merged {
		if r.Hi < next {
			continue
		}
		if r.Lo > whole.Hi {
			break
		}
		if r.Lo > next {
			missing = append(missing, Range{next, r.Lo - 1})
		}
		next = r.Hi + 1
	}
	if next <= whole.Hi {
		missing = append(missing, Range{next, whole.Hi})
	}
	return missing
}
