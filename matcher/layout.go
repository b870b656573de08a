package matcher

import (
	"sort"
	"strings"
)

// A cell is a value with the label that its key or column gives it.
type cell struct {
	start, end int
	label      labelID
	block      int32 // one person's worth of text
	column     bool  // labelled by a header, not by a key before it
}

// A layout is the keys, columns and blocks of a folded text.
type layout struct {
	s     string
	x     *lexicon
	cells []cell
	marks []mark // where blocks begin
	block int32

	header  []labelID // columns of the table being read
	delim   byte      // its delimiter, 0 outside tables
	columns int
	sql     bool

	seen  []labelID // labels of the block
	begun bool      // the block has the label that begins a person
	blank bool      // a blank line was seen since the last label
	keyed bool      // the text has keys
}

type mark struct {
	start int
	block int32
}

// structured reports whether s has what keys, tables and markup need: without
// it, labels stand right before their values.
func structured(s string) bool {
	for _, b := range []byte("=,|;{<>\t") {
		if strings.IndexByte(s, b) >= 0 {
			return true
		}
	}
	for at := 0; ; at++ { // a colon of a key, not of a time or a link
		i := strings.IndexByte(s[at:], ':')
		if i < 0 {
			return false
		}
		at += i
		if (at == 0 || class[s[at-1]]&cDigit == 0) && (at+1 == len(s) || s[at+1] != '/') {
			return true
		}
	}
}

// none is the layout of a text without keys and tables.
func (l *layout) none(s string, x *lexicon) {
	l.s, l.x = s, x
	l.cells, l.marks = l.cells[:0], append(l.marks[:0], mark{0, 0})
	l.block = 0
}

// parse reads the layout of s.
func (l *layout) parse(s string, x *lexicon) {
	l.s, l.x = s, x
	l.cells, l.marks, l.header, l.seen = l.cells[:0], l.marks[:0], l.header[:0], l.seen[:0]
	l.block, l.delim, l.columns, l.sql, l.begun, l.blank, l.keyed = 0, 0, 0, false, false, false, false
	l.marks = append(l.marks, mark{0, 0})
	for start := 0; start < len(s); {
		end := strings.IndexByte(s[start:], '\n')
		if end < 0 {
			end = len(s)
		} else {
			end += start
		}
		l.line(start, end)
		start = end + 1
	}
}

// What a census counts. quotes and the like count as others.
const (
	others = iota
	commas
	tabs
	semicolons
	pipes
	colons
	equals
	braces
	tags
	dashes
	digits
	letters
)

// A census counts what a line is made of.
type census [16]int32

//nolint:gochecknoglobals // computed once, never changed
var countedAs = func() (t [256]uint8) {
	for c := range 256 {
		switch k := class[c]; {
		case k&cDigit != 0:
			t[c] = digits
		case k&(cLetter|cHigh) != 0:
			t[c] = letters
		}
	}
	for c, as := range map[rune]uint8{
		',': commas, '\t': tabs, ';': semicolons, '|': pipes, ':': colons, '=': equals, '{': braces, '}': braces, '<': tags,
		'-': dashes, '*': dashes, '_': dashes, '~': dashes,
	} {
		t[c] = as
	}
	return t
}()

func (l *layout) count(start, end int) (c census) {
	for _, b := range []byte(l.s[start:end]) {
		c[countedAs[b]&15]++
	}
	return c
}

func (l *layout) line(start, end int) {
	c := l.count(start, end)
	if c[letters]+c[digits] == 0 {
		switch {
		case c[dashes]+c[equals] >= 3 && c[pipes] == 0:
			l.next(start)
			l.delim = 0
		case end-start <= 1 && l.delim == 0:
			l.blank = true
		}
		return
	}
	if l.sql || c[commas] > 0 && isInsert(l.s[start:end]) {
		if l.insert(start, end) {
			return
		}
	}
	if l.delim != 0 {
		if l.row(start, end) {
			return
		}
		l.delim = 0
	}
	if c[braces] == 0 && c[colons] == 0 && c[equals] <= 1 && l.headerLine(start, end, c) {
		return
	}
	l.keys(start, end, c)
}

// next begins a block.
func (l *layout) next(start int) {
	l.block++
	l.seen, l.begun, l.blank = l.seen[:0], false, false
	l.marks = append(l.marks, mark{start, l.block})
}

// maxHeaderWords bounds the words of a column's name: longer cells are sentences.
const maxHeaderWords = 6

// headerLine tries a line as the header of a table: at least two cells that are
// labels, and most of them.
func (l *layout) headerLine(start, end int, c census) bool {
	delim, n := byte(','), c[commas]
	if c[tabs] > n {
		delim, n = '\t', c[tabs]
	}
	if c[semicolons] > n {
		delim, n = ';', c[semicolons]
	}
	if c[pipes] > n {
		delim, n = '|', c[pipes]
	}
	if n == 0 {
		return false
	}
	l.header = l.header[:0]
	known, cells := 0, 0
	ok := l.split(start, end, delim, func(i, from, to int) bool {
		id := noLabel
		if to > from {
			cells++
			if to-from > 40 || digitsIn(l.s[from:to]) > 3 {
				return false
			}
			if strings.Count(l.s[from:to], " ") < maxHeaderWords {
				id = l.x.within(l.s, from, to)
			}
			if id != 0 {
				known++
			}
		}
		l.header = append(l.header, id)
		return len(l.header) < 200
	})
	if !ok || known < 2 || 2*known < cells {
		return false
	}
	l.delim, l.columns, l.sql = delim, len(l.header), false
	l.next(start)
	return true
}

func digitsIn(s string) int {
	n := 0
	for i := range len(s) {
		if class[s[i]]&cDigit != 0 {
			n++
		}
	}
	return n
}

// split calls each with the trimmed, unquoted cells of a line, until it returns
// false.
func (l *layout) split(start, end int, delim byte, each func(i, from, to int) bool) bool {
	s := l.s
	if delim == '|' { // outer pipes frame the row
		for start < end && class[s[start]]&cSpace != 0 {
			start++
		}
		if start < end && s[start] == '|' {
			start++
		}
		for end > start && class[s[end-1]]&cSpace != 0 {
			end--
		}
		if end > start && s[end-1] == '|' {
			end--
		}
	}
	for i, from := 0, start; ; i++ {
		to := from
		quote := byte(0)
		for ; to < end; to++ {
			b := s[to]
			if quote != 0 {
				if b == quote {
					quote = 0
				}
				continue
			}
			if b == delim {
				break
			}
			if (b == '"' || b == '\'') && strings.Trim(s[from:to], " ") == "" {
				quote = b
			}
		}
		a, b := l.trim(from, to)
		if !each(i, a, b) {
			return false
		}
		if to >= end {
			return true
		}
		from = to + 1
	}
}

// trim takes spaces, quotes, backticks and brackets off both ends.
func (l *layout) trim(from, to int) (int, int) {
	for from < to && isWrap(l.s[from]) {
		from++
	}
	for to > from && isWrap(l.s[to-1]) {
		to--
	}
	return from, to
}

func isWrap(b byte) bool {
	switch b {
	case ' ', '\t', '\r', '\n', '"', '\'', '`', '[', ']', ',', ';', '|':
		return true
	}
	return false
}

// row reads a line of the table whose header is known.
func (l *layout) row(start, end int) bool {
	cells := 0
	l.split(start, end, l.delim, func(int, int, int) bool { cells++; return cells < 1000 })
	if cells < 2 || cells > l.columns+1 || 2*cells < l.columns {
		return false
	}
	l.next(start)
	l.split(start, end, l.delim, func(i, from, to int) bool {
		if i < len(l.header) && to > from {
			l.cells = append(l.cells, cell{from, to, l.header[i], l.block, true})
		}
		return true
	})
	return true
}

// isInsert reports whether a line holds INSERT INTO or VALUES; one without a
// parenthesis has to begin with it.
func isInsert(line string) bool {
	if strings.IndexByte(line, '(') < 0 {
		const insert = "insert into"
		line = strings.TrimLeft(line, " \t>")
		return len(line) > len(insert) && strings.EqualFold(line[:len(insert)], insert)
	}
	return containsFold(line, "insert into") || containsFold(line, "values")
}

// containsFold reports whether s contains the lower-case ASCII word.
func containsFold(s, word string) bool {
	for i := 0; i+len(word) <= len(s); i++ {
		if s[i]|0x20 != word[0] {
			continue
		}
		if strings.EqualFold(s[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// insert reads INSERT INTO t (columns) VALUES (…),(…); the tuples may go on in
// the next lines.
func (l *layout) insert(start, end int) bool {
	s := l.s
	i := start
	if !l.sql {
		open := strings.IndexByte(s[start:end], '(')
		if open < 0 {
			return false
		}
		open += start
		shut := strings.IndexByte(s[open:end], ')')
		if shut < 0 {
			return false
		}
		shut += open
		l.header = l.header[:0]
		known := 0
		if rest := s[shut:end]; !containsFold(rest, "values") {
			return false
		}
		l.split(open+1, shut, ',', func(_, from, to int) bool {
			id := l.x.within(s, from, to)
			if id != 0 {
				known++
			}
			l.header = append(l.header, id)
			return len(l.header) < 200
		})
		if known == 0 {
			return false
		}
		l.sql, l.delim, l.columns = true, 0, len(l.header)
		i = shut + 1
	} else if trimmed := strings.TrimLeft(s[start:end], " \t,"); !strings.HasPrefix(trimmed, "(") {
		l.sql = false
		return false
	}
	for i < end {
		open := strings.IndexByte(s[i:end], '(')
		if open < 0 {
			break
		}
		open += i
		shut := tupleEnd(s, open+1, end)
		l.next(open)
		l.split(open+1, shut, ',', func(k, from, to int) bool {
			if k < len(l.header) && to > from {
				l.cells = append(l.cells, cell{from, to, l.header[k], l.block, true})
			}
			return true
		})
		i = shut + 1
	}
	if strings.IndexByte(s[start:end], ';') >= 0 && s[lastText(s, start, end)] == ';' {
		l.sql = false
	}
	return true
}

func lastText(s string, start, end int) int {
	for end--; end > start && class[s[end]]&cSpace != 0; end-- {
	}
	return end
}

// tupleEnd returns the offset of the parenthesis that closes a tuple.
func tupleEnd(s string, i, end int) int {
	quote := byte(0)
	for ; i < end; i++ {
		switch b := s[i]; {
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '\'' || b == '"':
			quote = b
		case b == ')':
			return i
		}
	}
	return end
}

// keys reads "key: value" pairs, several on a line or one, JSON and XML
// included.
func (l *layout) keys(start, end int, c census) {
	s := l.s
	if c[colons]+c[equals]+c[dashes]+c[pipes]+c[tags]+c[tabs]+c[braces] == 0 {
		return
	}
	from := start // where the next key may begin
	open := -1    // cell whose value is still open
	close := func(at int) {
		if open < 0 {
			return
		}
		v := &l.cells[open]
		v.start, v.end = l.trim(v.start, at)
		if v.end <= v.start {
			l.cells = l.cells[:open]
		}
		open = -1
	}
	for i := start; i < end; i++ {
		b := s[i]
		switch b {
		case '{':
			if i > start || c[colons] == 0 || l.keyed {
				if len(l.seen) > 0 {
					close(i)
					l.next(i)
				}
			}
			continue
		case ':', '=', '>', '|', '\t', '~':
		case '-':
			if i+1 < end && s[i+1] != ' ' && !(i > start && s[i-1] == ' ') && s[i+1] < 0x80 && s[i+1] != '-' {
				continue
			}
		default:
			continue
		}
		p := i
		for p > from && (class[s[p-1]]&cSpace != 0 || s[p-1] == '"' || s[p-1] == '\'' || s[p-1] == '*' || s[p-1] == '`' || s[p-1] == ')') {
			p--
		}
		if p == from {
			continue
		}
		f := l.x.before(s, p, from, 0)
		if f.id == 0 {
			continue
		}
		if open >= 0 && !l.startsKey(f.start, from, b) {
			continue
		}
		close(f.start)
		v := i + 1
		for v < end && (isWrap(s[v]) || s[v] == ':' || s[v] == '=' || s[v] == '-' || s[v] == '>') {
			v++
		}
		l.label(f.id, f.start)
		if v >= end {
			break
		}
		l.cells = append(l.cells, cell{v, end, f.id, l.block, false})
		open = len(l.cells) - 1
		from = v
		i = v - 1
		if q := s[v-1]; q == '"' || q == '\'' { // a quoted value ends at its quote
			if k := strings.IndexByte(s[v:end], q); k >= 0 {
				close(v + k)
				i = v + k
				from = i + 1
			}
		} else if b == '>' {
			if k := strings.IndexByte(s[v:end], '<'); k >= 0 {
				close(v + k)
				i = v + k
				from = i + 1
			}
		}
	}
	close(end)
}

// startsKey reports whether the label at start, inside an open value, is a key
// of its own and not a part of the value.
func (l *layout) startsKey(start, from int, sep byte) bool {
	if start <= from {
		return false
	}
	switch l.s[start-1] {
	case ' ', ',', ';', '|', '\t', '"', '\'', '(', '{', '<', '*':
		return sep != '-' && sep != '~' || l.s[start-1] != ' '
	}
	return l.s[start] >= 0x80
}

// label takes note of a label and begins a block where it tells of another
// person.
func (l *layout) label(id labelID, start int) {
	l.keyed = true
	lab := &l.x.labels[id]
	repeated := false
	for _, other := range l.seen {
		if other == id {
			repeated = true
			break
		}
	}
	switch {
	case lab.begins && l.begun && repeated,
		repeated && l.blank,
		repeated && l.seen[0] == id && len(l.seen) > 1 && l.seen[len(l.seen)-1] != id:
		l.next(start)
	}
	if lab.begins {
		l.begun = true
	}
	l.blank = false
	l.seen = append(l.seen, id)
}

// blockAt returns the block that a folded offset lies in.
func (l *layout) blockAt(at int) int32 {
	i := sort.Search(len(l.marks), func(i int) bool { return l.marks[i].start > at })
	if i == 0 {
		return 0
	}
	return l.marks[i-1].block
}
