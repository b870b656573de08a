package evidence

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Bounds of what is looked at for a template, so that no text makes it slow.
const (
	templateLines = 400
	templateLine  = 200 // runes
)

var (
	// labelled reads "label: value" with the separators that bots use.
	labelled = regexp.MustCompile(`^([^:：=|→➜»]{1,60}?)\s*(?:[:：=|→➜»]|\s[-–—]\s)`)
	// hiddenWord is a word that masking left: stars, X, digits.
	hiddenWord = regexp.MustCompile(`\S*(?:\*{2,}|X{2,}|…)\S*|\S*[0-9]\S*`)
)

// Template fingerprints the shape of a masked text: its labels, separators,
// symbols and fixed words in their order, without values, so that two replies
// of one bot about different people give the same, and one reply with five
// records the same as with one. "t-…" has at least three labels and is a bot's
// or seller's form; "p-…" is prose, which only says that texts are alike.
// It is made of masked text only, so it holds nothing that is not beside it.
func Template(masked string) string {
	var shape []string
	labels := 0
	for _, line := range strings.SplitN(masked, "\n", templateLines) {
		if runes := []rune(line); len(runes) > templateLine {
			line = string(runes[:templateLine])
		}
		form, label := lineShape(line)
		if form == "" || slices.Contains(shape, form) {
			continue
		}
		shape = append(shape, form)
		if label {
			labels++
		}
	}
	prefix := "p-"
	if labels >= 3 {
		prefix = "t-"
	}
	sum := sha256.Sum256([]byte(strings.Join(shape, "\n")))
	return prefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:8]))
}

// FormTemplate reports whether a template is a form, which links what uses it.
func FormTemplate(template string) bool { return strings.HasPrefix(template, "t-") }

// lineShape keeps of a line what does not change from person to person.
func lineShape(line string) (shape string, label bool) {
	line = strings.TrimSpace(line)
	if m := labelled.FindStringSubmatch(line); m != nil && !hiddenWord.MatchString(m[1]) {
		name := words(m[1])
		if strings.IndexFunc(name, unicode.IsLetter) >= 0 {
			return name + ":", true
		}
	}
	return words(hiddenWord.ReplaceAllString(line, "#")), false
}

// words folds case and space, and keeps letters, marks and symbols.
func words(s string) string {
	var out strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsSymbol(r) || r == '#':
			out.WriteRune(r)
		default:
			out.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}
