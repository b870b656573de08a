package evidence

import (
	"bytes"
	"encoding/json"
	"slices"
)

// CanonicalJSON encodes with sorted keys, no spaces and no HTML escapes. Keys are
// UTF-8, no two of an object the same; what encodes itself does so canonically but
// for the order of keys.
func CanonicalJSON(v any) ([]byte, error) {
	encoded, err := encodeJSON(v)
	if err != nil {
		return nil, err
	}
	s := sorter{out: make([]byte, 0, len(encoded))}
	s.value(encoded)
	return s.out, nil
}

// encodeJSON is CanonicalJSON of what holds no structs, or whose structs have
// their fields in the order of the keys, and no text that is not UTF-8: the
// members of maps are sorted as they are written.
func encodeJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// A sorter copies what package json encoded and puts the members of its objects
// in order. Reading it into maps and encoding those does the same, and took a
// fifth of the time of making and committing evidence.
type sorter struct {
	out     []byte
	members []member // of the objects that are not at their end
	spare   []byte
}

// A member of an object stands in out from one place to another.
type member struct{ from, to int }

// value copies the value that in begins with, and returns what is behind it.
func (s *sorter) value(in []byte) []byte {
	switch in[0] {
	case '{':
		return s.object(in)
	case '[':
		for ends := false; !ends; ends = in[0] == ']' {
			s.out = append(s.out, in[0])
			if in = in[1:]; in[0] != ']' {
				in = s.value(in)
			}
		}
		s.out = append(s.out, ']')
		return in[1:]
	case '"':
		return s.text(in)
	}
	end := 1
	for end < len(in) && in[end] != ',' && in[end] != ']' && in[end] != '}' {
		end++
	}
	s.out = append(s.out, in[:end]...)
	return in[end:]
}

// text copies a string. Bytes that are not UTF-8 come as an escape, and go as the
// character that says so.
func (s *sorter) text(in []byte) []byte {
	from := 0
	for at := 1; ; at++ {
		switch in[at] {
		case '"':
			s.out = append(s.out, in[from:at+1]...)
			return in[at+1:]
		case '\\':
			if bytes.HasPrefix(in[at:], []byte(`\ufffd`)) {
				s.out = append(append(s.out, in[from:at]...), "\ufffd"...)
				from, at = at+6, at+4
			}
			at++
		}
	}
}

func (s *sorter) object(in []byte) []byte {
	begin, outer := len(s.out), len(s.members)
	sorted := true
	for in[0] != '}' {
		s.out = append(s.out, in[0]) // { or ,
		if in = in[1:]; in[0] == '}' {
			break
		}
		from := len(s.out)
		in = s.text(in)
		s.out = append(s.out, ':')
		in = s.value(in[1:])
		s.members = append(s.members, member{from, len(s.out)})
		if n := len(s.members); n > outer+1 && s.compare(s.members[n-2], s.members[n-1]) > 0 {
			sorted = false
		}
	}
	if members := s.members[outer:]; !sorted {
		slices.SortFunc(members, s.compare)
		s.spare = append(s.spare[:0], s.out[begin:]...)
		at := begin
		for i, m := range members {
			if i > 0 {
				s.out[at] = ','
			}
			at++
			at += copy(s.out[at:], s.spare[m.from-begin:m.to-begin])
		}
	}
	s.members = s.members[:outer]
	s.out = append(s.out, '}')
	return in[1:]
}

// compare compares the keys of two members.
func (s *sorter) compare(a, b member) int { return bytes.Compare(s.key(a), s.key(b)) }

func (s *sorter) key(m member) []byte {
	end := m.from + 1
	escaped := false
	for ; s.out[end] != '"'; end++ {
		if s.out[end] == '\\' {
			escaped = true
			end++
		}
	}
	if !escaped {
		return s.out[m.from+1 : end]
	}
	var plain string
	_ = json.Unmarshal(s.out[m.from:end+1], &plain) // which package json wrote
	return []byte(plain)
}
