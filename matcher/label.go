package matcher

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

// A label is what a text may call a value: "Mobile", "मोबाइल", 📱, a column
// named phone_no.
type label struct {
	name     string  // "mobile", "father"
	kinds    kindSet // identifiers it may announce, the likeliest being what the value's shape allows
	field    bool    // announces a labelled value that no check knows
	personal bool    // that value must be hidden
	begins   bool    // a second one begins the next person
	other    bool    // announces a number that is no identifier of a person
}

type labelID uint16

// noLabel is the dictionary's empty first entry.
const noLabel labelID = 0

// A lexicon finds labels by hashes of their words, so that looking one up
// neither copies nor compares strings.
type lexicon struct {
	labels  []label
	phrases table // phrase hash -> labelID
	words   table // word hash -> filler, endsPhrase
}

// What a lexicon knows of a single word.
const (
	filler     = 1 // says nothing in a label: no, number
	endsPhrase = 2 // the last word of some label's phrase
)

// maxPhrase is the most words that a label's phrase may have, fillers apart.
const maxPhrase = 5

// phraseBase spreads the words of a phrase: a phrase's hash is the sum of its
// words' hashes times powers of this, counted from its end, so that it can be
// built up backwards from a value.
const phraseBase = 0x9E3779B97F4A7C15

// A table maps hashes to small numbers by open addressing. Zero means absent.
type table struct {
	mask  uint64
	slots []slot
}

type slot struct {
	hash  uint64
	value uint16
}

func newTable(n int) table {
	size := 16
	for size < 3*n {
		size *= 2
	}
	return table{uint64(size - 1), make([]slot, size)}
}

func (t *table) get(hash uint64) uint16 {
	for i := hash >> 20 & t.mask; ; i = (i + 1) & t.mask {
		s := &t.slots[i]
		if s.hash == hash || s.value == 0 {
			return s.value
		}
	}
}

// put stores value unless the hash has one, which it returns.
func (t *table) put(hash uint64, value uint16) uint16 {
	for i := hash >> 20 & t.mask; ; i = (i + 1) & t.mask {
		s := &t.slots[i]
		if s.value == 0 {
			*s = slot{hash, value}
			return value
		}
		if s.hash == hash {
			return s.value
		}
	}
}

// hashWord hashes a word of folded text without regard to the case of ASCII
// letters. Setting the bit that tells cases apart changes no digit and no
// lower-case letter, so it is set eight bytes at a time; words of other scripts,
// which wordBefore keeps apart, are hashed as they are.
func hashWord(s string) uint64 {
	const (
		lower = 0x2020202020202020
		prime = 0x9E3779B97F4A7C15
	)
	n := len(s)
	if n == 0 {
		return 0
	}
	fold := uint64(lower)
	if s[0] >= 0x80 {
		fold = 0
	}
	b := unsafe.Slice(unsafe.StringData(s), n)
	h := uint64(n) * prime
	for len(b) > 8 {
		h = (h ^ (binary.LittleEndian.Uint64(b) | fold)) * prime
		h ^= h >> 32
		b = b[8:]
	}
	var x uint64
	switch k := len(b); {
	case k == 8:
		x = binary.LittleEndian.Uint64(b)
	case k >= 4:
		x = uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[k-4:]))<<(8*(k-4))
	default:
		x = uint64(b[0]) | uint64(b[k/2])<<(8*(k/2)) | uint64(b[k-1])<<(8*(k-1))
	}
	h = (h ^ (x | fold)) * prime
	h ^= h >> 29
	return h * 0xBF58476D1CE4E5B9
}

// wordBefore returns the word that ends at end, looking no further back than
// limit: letters and digits, a run of one foreign script, or one emoji.
// CamelCase splits before its capitals.
func wordBefore(s string, end, limit int) (start int) {
	i := end - 1
	if i < limit {
		return end
	}
	c := s[i]
	if c >= 0x80 {
		return foreignWord(s, end, limit)
	}
	if class[c]&cAlnum == 0 {
		return end
	}
	for i > limit && class[s[i-1]]&cAlnum != 0 {
		if class[s[i]]&cUpper != 0 && class[s[i-1]]&cLower != 0 {
			break
		}
		i--
	}
	return i
}

func foreignWord(s string, end, limit int) int {
	i := end
	for i > limit && s[i-1] >= 0x80 {
		j := i - 1
		for j > limit && s[j]&0xC0 == 0x80 {
			j--
		}
		if symbol := s[j] == 0xF0 || s[j] == 0xE2; symbol {
			if i == end {
				return j
			}
			return i
		}
		i = j
	}
	return i
}

// A found label, and where its phrase begins.
type foundLabel struct {
	id    labelID
	start int
}

// before returns the label whose phrase ends at end, fillers such as "no" or
// "number" apart, looking no further back than limit. Of several the longest
// phrase wins. skip is how many unknown words may stand between.
func (x *lexicon) before(s string, end, limit, skip int) foundLabel {
	var sum, power uint64 = 0, 1
	best := foundLabel{start: end}
	words := 0
	for i := end; i > limit && words < maxPhrase; {
		for i > limit && isGap(s[i-1]) {
			i--
		}
		start := wordBefore(s, i, limit)
		if start == i {
			break
		}
		word := s[start:i]
		i = start
		hash := hashWord(word)
		role := x.words.get(hash)
		if role == filler {
			continue
		}
		if words == 0 && role != endsPhrase {
			if best.id == 0 && skip > 0 {
				skip--
				continue
			}
			break
		}
		sum += hash * power
		power *= phraseBase
		words++
		if id := x.phrases.get(sum); id != 0 {
			best = foundLabel{labelID(id), start}
			continue
		}
		if best.id == 0 && words == 1 && skip > 0 { // begin again before the unknown word
			skip--
			sum, power, words = 0, 1, 0
		}
	}
	return best
}

// isGap reports whether c may stand between the words of a label.
func isGap(c byte) bool {
	switch c {
	case ' ', '_', '-', '.', '/', '\'', '*', '`', '&':
		return true
	}
	return false
}

// within returns the label of a whole header cell or key: the longest phrase
// that ends it, else the longest anywhere in it, later ones first.
func (x *lexicon) within(s string, start, end int) labelID {
	for end > start {
		for end > start && class[s[end-1]]&cAlnum == 0 && s[end-1] < 0x80 {
			end--
		}
		if f := x.before(s, end, start, 0); f.id != 0 {
			return f.id
		}
		next := wordBefore(s, end, start)
		if next == end {
			return noLabel
		}
		end = next
	}
	return noLabel
}

// add enters one phrase of a label in all spellings: word by word, and glued.
func (x *lexicon) add(id labelID, phrase string) error {
	var f folder
	folded := f.fold(phrase)
	var words []string
	for end := len(folded); end > 0; {
		for end > 0 && class[folded[end-1]]&cAlnum == 0 && folded[end-1] < 0x80 {
			end--
		}
		start := wordBefore(folded, end, 0)
		if start == end {
			break
		}
		words = append(words, folded[start:end]) // last word first
		end = start
	}
	var sum, power uint64 = 0, 1
	count, glued := 0, ""
	for _, w := range words {
		glued = w + glued
		hash := hashWord(w)
		if x.words.get(hash) == filler {
			continue
		}
		if count == 0 {
			x.words.put(hash, endsPhrase)
		}
		sum += hash * power
		power *= phraseBase
		count++
	}
	if count == 0 || count > maxPhrase {
		return fmt.Errorf("label %q: %q has %d words beside fillers; 1 to %d are needed", x.labels[id].name, phrase, count, maxPhrase)
	}
	if got := x.phrases.put(sum, uint16(id)); labelID(got) != id {
		return fmt.Errorf("%q is claimed by the labels %q and %q", phrase, x.labels[got].name, x.labels[id].name)
	}
	if len(words) > 1 {
		if hash := hashWord(glued); x.words.get(hash) != filler {
			x.words.put(hash, endsPhrase)
			x.phrases.put(hash, uint16(id))
		}
	}
	return nil
}
