package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"prahari/scanner/file"
)

type seen struct {
	Chat, Ref, Text string
}

func read(t *testing.T, in string) ([]seen, file.Stats, error) {
	t.Helper()
	var got []seen
	stats, err := file.Read(t.Context(), strings.NewReader(in), "export", func(i file.Item) error {
		got = append(got, seen{i.Chat.Name, i.Ref, i.Message.Text.Reveal()})
		return nil
	})
	return got, stats, err
}

func TestRead(t *testing.T) {
	for name, tc := range map[string]struct {
		in     string
		format file.Format
		want   []seen
	}{
		"one chat": {
			`{"name":"Bazaar","type":"public_channel","id":77,"messages":[
			 {"id":1,"type":"message","date":"2023-06-12T10:00:00","date_unixtime":"1686564000","text":"hello"},
			 {"id":2,"type":"message","text":["see ",{"type":"text_link","text":"this","href":"https://example.org/x"}," now"]},
			 {"id":3,"type":"service","title":"renamed","text":""}]}`,
			file.Telegram,
			[]seen{{"Bazaar", "1", "hello"}, {"Bazaar", "2", "see this now\nhttps://example.org/x"}, {"Bazaar", "3", "renamed"}},
		},
		"full account": {
			`{"about":"x","contacts":{"list":[{"first_name":"A"}]},"chats":{"about":"y","list":[
			 {"name":"One","type":"private_channel","id":5,"messages":[{"id":9,"text":"a"}]},
			 {"name":"Two","type":"bot_chat","id":6,"messages":[{"id":9,"text":"b"}]}]},"left_chats":{"list":[{"name":"Left","messages":[{"id":1,"text":"c"}]}]}}`,
			file.Telegram,
			[]seen{{"One", "9", "a"}, {"Two", "9", "b"}, {"Left", "1", "c"}},
		},
		"export with everything a reader is shown": {
			`{"name":"C","messages":[{"id":1,"text":"q","file_name":"list.xlsx","contact_information":{"first_name":"A","last_name":"B","phone_number":"+91 1"},
			 "poll":{"question":"which","answers":[{"text":"x"},{"text":"y"}]},"inline_bot_buttons":[[{"type":"url","text":"go","data":"https://t.me/a"}]]}]}`,
			file.Telegram,
			[]seen{{"C", "1", "q\nlist.xlsx\nA B\n+91 1\nwhich\nx\ny\ngo\nhttps://t.me/a"}},
		},
		"ndjson":            {"{\"id\":\"m-1\",\"text\":\"a\"}\n\n{\"text\":\"b\"}", file.NDJSON, []seen{{"", "m-1", "a"}, {"", "line 3", "b"}}},
		"odd types":         {`{"messages":[{"id":1,"text":5,"poll":"no"},{"id":2,"text":"kept"}]}`, file.Telegram, []seen{{"", "1", ""}, {"", "2", "kept"}}},
		"plain":             {"name: A\nmobile: 1\n", file.Plain, []seen{{"", "line 1", "name: A\nmobile: 1\n"}}},
		"text in braces":    {"{hello} world\nmore\n", file.Plain, []seen{{"", "line 1", "{hello} world\nmore\n"}}},
		"byte order mark":   {"\ufeff{\"messages\":[{\"id\":4,\"text\":\"x\"}]}", file.Telegram, []seen{{"", "4", "x"}}},
		"invalid UTF-8":     {"abc \xff def", file.Plain, []seen{{"", "line 1", "abc \ufffd def"}}},
		"nothing":           {"", file.Plain, nil},
		"lone object on it": {`{"id":7,"text":"single"}`, file.NDJSON, []seen{{"", "7", "single"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, stats, err := read(t, tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if stats.Format != tc.format || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%s\n got %q\nwant %s\n     %q", stats.Format, got, tc.format, tc.want)
			}
		})
	}
}

// A broken file names the place and what was expected there, and what came
// before it is kept.
func TestReadMalformed(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		kept int
		want string
	}{
		"cut short":          {`{"name":"C","messages":[{"id":1,"text":"a"},{"id":2,"te`, 1, "export: offset 55: expected the rest of message 2 of the top level; the file ends too early"},
		"bad byte":           {`{"name":"C","messages":[{"id":1,"text":"a"},{"id":2,]}`, 1, "export: offset 52: expected valid JSON inside message 2 of the top level"},
		"no messages":        {`{"name":"C", "x": [` + "\n" + `1]}`, 0, `expected a "messages" or "chats" list`},
		"something after it": {`{"name":"C","messages":[{"id":1,"text":"a"}]} trailing`, 1, "expected the end of the file"},
		"ndjson":             {"{\"id\":1,\"text\":\"a\"}\n{\"id\":2,\"text\"\n", 1, `export: line 2 (offset 33): expected a JSON object such as`},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := read(t, tc.in)
			var syntax *file.SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if len(got) != tc.kept {
				t.Errorf("kept %d messages, want %d", len(got), tc.kept)
			}
		})
	}
}

func TestReadStopsWithTheContextAndTheConsumer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in := `{"messages":[` + strings.Repeat(`{"id":1,"text":"a"},`, 1000) + `{"id":1}]}`
	n := 0
	_, err := file.Read(ctx, strings.NewReader(in), "x", func(file.Item) error {
		if n++; n == 10 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n != 10 {
		t.Errorf("after a cancel: %v at %d", err, n)
	}
	want := errors.New("full")
	if _, err := file.Read(t.Context(), strings.NewReader(in), "x", func(file.Item) error { return want }); !errors.Is(err, want) {
		t.Errorf("got %v, want the consumer's error", err)
	}
}

// endless writes an export of n messages without holding it.
func endless(n int) io.Reader {
	r, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, `{"name":"Big","type":"public_channel","id":1,"messages":[`)
		body := strings.Repeat("some words that nobody leaked ", 30)
		for i := range n {
			if i > 0 {
				_, _ = io.WriteString(w, ",\n")
			}
			if _, err := fmt.Fprintf(w, `{"id":%d,"type":"message","date_unixtime":"1686564000","text":"%s"}`, i+1, body); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, "]}")
		_ = w.Close()
	}()
	return r
}

// Memory stays flat: a tenth of a gigabyte and a hundredth take the same.
func TestReadStreams(t *testing.T) {
	peak := func(messages int) uint64 {
		runtime.GC()
		var most uint64
		n := 0
		_, err := file.Read(t.Context(), endless(messages), "big", func(file.Item) error {
			if n++; n%2000 == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
			return nil
		})
		if err != nil || n != messages {
			t.Fatalf("%d of %d messages, %v", n, messages, err)
		}
		return most
	}
	small, large := peak(10_000), peak(60_000)
	if large > small+8<<20 {
		t.Errorf("live heap grew from %d to %d KiB", small>>10, large>>10)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"messages":[{"id":1,"text":["a",{"text":"b","href":"c"}]}]}`)
	f.Add("{\"id\":1,\"text\":\"a\"}\n{\"id\":2")
	f.Add(`{"chats":{"list":[{"messages":[{}]}]}}`)
	f.Add("name: A\n\nmobile")
	f.Add(`{"messages":[{"id":1,"text":"a"}`)
	f.Fuzz(func(t *testing.T, in string) {
		stats, err := file.Read(t.Context(), strings.NewReader(in), "fuzz", func(i file.Item) error {
			if i.Message.Raw == nil || i.Offset > int64(len(in)) {
				t.Errorf("item %q has no raw bytes or lies outside", i.Ref)
			}
			return nil
		})
		var syntax *file.SyntaxError
		if errors.As(err, &syntax) && (syntax.Offset < 0 || syntax.Offset > int64(len(in))) {
			t.Errorf("error at %d of %d bytes", syntax.Offset, len(in))
		}
		if err == nil && stats.Bytes != int64(len(in)) {
			t.Errorf("read %d of %d bytes without an error", stats.Bytes, len(in))
		}
	})
}
