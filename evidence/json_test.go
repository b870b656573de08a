package evidence

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzCanonicalJSON holds the short way to the long one: reading what was encoded
// into maps and encoding those.
func FuzzCanonicalJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `null`, `{"b":1,"a":[{"z":{},"y":[]},"x",-1.5e9,true],"":""}`, `{"a\"b":1,"a":2,"\u0001":3,"é":4,"<":"<&>"}`,
		`{"b":"\ud800","a":"\\ufffd \ufffd","c":"\u2028"}`, `[[],[[1,2],{"b":[{"d":1,"c":2}],"a":"}],{"}]]`,
	} {
		f.Add([]byte(seed), "b\xff\x80c", "a\xff")
	}
	f.Fuzz(func(t *testing.T, raw []byte, text, key string) {
		var generic any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if d.Decode(&generic) != nil {
			return
		}
		key, twin := strings.ToValidUTF8(key, "?"), strings.ToValidUTF8(text, "?")
		v := struct {
			Z any            `json:"z"`
			Y map[string]any `json:"y"`
			X []struct {
				B string          `json:"b"`
				A json.RawMessage `json:"a"`
			} `json:"x"`
		}{Z: generic, Y: map[string]any{key: generic, twin: text}}
		v.X = append(v.X, struct {
			B string          `json:"b"`
			A json.RawMessage `json:"a"`
		}{text, json.RawMessage("[1,2]")})
		got, err := CanonicalJSON(v)
		if err != nil {
			t.Fatal(err)
		}
		want, err := theLongWay(v)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

func theLongWay(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(plain))
	d.UseNumber()
	var generic any
	if err := d.Decode(&generic); err != nil {
		return nil, err
	}
	return encodeJSON(generic)
}
