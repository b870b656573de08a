package scanner

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tg"

	"prahari/evidence"
)

func entityText(s string) tg.TextWithEntities { return tg.TextWithEntities{Text: s} }

// kinds are messages of every kind that shows text, with the lines it shows.
func kinds() map[string]struct {
	message tg.MessageClass
	want    string
} {
	inline := func(buttons ...tg.KeyboardButtonClass) tg.ReplyMarkupClass {
		return &tg.ReplyInlineMarkup{Rows: []tg.KeyboardButtonRow{{Buttons: buttons}}}
	}
	media := func(m tg.MessageMediaClass) tg.MessageClass { return &tg.Message{Message: "caption", Media: m} }
	service := func(a tg.MessageActionClass) tg.MessageClass { return &tg.MessageService{ID: 1, Action: a} }
	document := func(a ...tg.DocumentAttributeClass) *tg.MessageMediaDocument {
		return &tg.MessageMediaDocument{Document: &tg.Document{MimeType: "text/csv", Attributes: a}}
	}
	bold := func(s string) tg.RichTextClass { return &tg.TextBold{Text: &tg.TextPlain{Text: s}} }
	return map[string]struct {
		message tg.MessageClass
		want    string
	}{
		"plain":               {&tg.Message{Message: "hello"}, "hello"},
		"empty place":         {&tg.MessageEmpty{ID: 1}, ""},
		"hidden link":         {&tg.Message{Message: "here", Entities: []tg.MessageEntityClass{&tg.MessageEntityBold{}, &tg.MessageEntityTextURL{URL: "https://t.me/x?start=1"}}}, "here\nhttps://t.me/x?start=1"},
		"replaced by an edit": {&tg.Message{Message: "new", Entities: []tg.MessageEntityClass{&tg.MessageEntityDiffReplace{OldText: "old"}}}, "new\nold"},
		"buttons": {&tg.Message{Message: "menu", ReplyMarkup: inline(&tg.KeyboardButtonURL{Text: "open", URL: "https://a.example"}, &tg.KeyboardButtonCallback{Text: "next"},
			&tg.KeyboardButtonCopy{Text: "copy", CopyText: "1234"}, &tg.KeyboardButtonWebView{Text: "app", URL: "https://b.example"}, &tg.KeyboardButtonSwitchInline{Text: "ask", Query: "who"})},
			"menu\nopen\nhttps://a.example\nnext\ncopy\n1234\napp\nhttps://b.example\nask\nwho"},
		"keyboard":                 {&tg.Message{Message: "m", ReplyMarkup: &tg.ReplyKeyboardMarkup{Rows: []tg.KeyboardButtonRow{{Buttons: []tg.KeyboardButtonClass{&tg.KeyboardButton{Text: "yes"}}}}, Placeholder: "type here"}}, "m\nyes\ntype here"},
		"quoted reply":             {&tg.Message{Message: "see", ReplyTo: &tg.MessageReplyHeader{ReplyToMsgID: 4, QuoteText: "the quoted part", QuoteEntities: []tg.MessageEntityClass{&tg.MessageEntityTextURL{URL: "https://q.example"}}}}, "see\nthe quoted part\nhttps://q.example"},
		"reply to media elsewhere": {&tg.Message{Message: "see", ReplyTo: &tg.MessageReplyHeader{ReplyMedia: document(&tg.DocumentAttributeFilename{FileName: "dump.csv"}), ReplyFrom: tg.MessageFwdHeader{FromName: "Ravi"}}}, "see\ndump.csv\nRavi"},
		"forwarded name":           {&tg.Message{Message: "fw", FwdFrom: tg.MessageFwdHeader{Date: 1, FromName: "Ravi K", PostAuthor: "desk"}}, "fw\nRavi K\ndesk"},
		"signature":                {&tg.Message{Message: "post", PostAuthor: "call me", FromRank: "owner"}, "post\ncall me\nowner"},
		"restricted":               {&tg.Message{Message: "x", RestrictionReason: []tg.RestrictionReason{{Platform: "all", Reason: "terms", Text: "This message cannot be shown"}}}, "x\nThis message cannot be shown"},
		"photo":                    {media(&tg.MessageMediaPhoto{Photo: &tg.Photo{Sizes: []tg.PhotoSizeClass{&tg.PhotoSize{Type: "y"}}}}), "caption"},
		"file":                     {media(document(&tg.DocumentAttributeFilename{FileName: "leak.csv"})), "caption\nleak.csv"},
		"song":                     {media(document(&tg.DocumentAttributeAudio{Performer: "who", Title: "what"})), "caption\nwho\nwhat"},
		"contact":                  {media(&tg.MessageMediaContact{FirstName: "Asha", LastName: "Rao", PhoneNumber: "+1", Vcard: "BEGIN:VCARD"}), "caption\nName: Asha Rao\nPhone: +1\nBEGIN:VCARD"},
		"poll": {media(&tg.MessageMediaPoll{Poll: tg.Poll{Question: entityText("who?"), Answers: []tg.PollAnswerClass{&tg.PollAnswer{Text: entityText("me")}, &tg.PollAnswer{Text: entityText("you")}}}, Results: tg.PollResults{Solution: "because"}}),
			"caption\nwho?\nme\nyou\nbecause"},
		"web preview": {media(&tg.MessageMediaWebPage{Webpage: &tg.WebPage{URL: "https://w.example", DisplayURL: "w.example", Type: "article", SiteName: "W", Title: "T", Description: "D", Author: "A"}}),
			"caption\nhttps://w.example\nw.example\nW\nT\nD\nA"},
		"article behind a link": {media(&tg.MessageMediaWebPage{Webpage: &tg.WebPage{URL: "https://w.example", CachedPage: tg.Page{URL: "https://w.example/p", Blocks: []tg.PageBlockClass{
			&tg.PageBlockParagraph{Text: &tg.TextConcat{Texts: []tg.RichTextClass{&tg.TextPlain{Text: "98"}, bold("12 and "), &tg.TextURL{Text: &tg.TextPlain{Text: "more"}, URL: "https://m.example"}}}},
			&tg.PageBlockTable{Title: &tg.TextPlain{Text: "rows"}, Rows: []tg.PageTableRow{{Cells: []tg.PageTableCell{{Text: &tg.TextPlain{Text: "a"}}, {Text: &tg.TextPlain{Text: "b"}}}}}},
		}}}}), "caption\nhttps://w.example\nhttps://w.example/p\n9812 and more https://m.example\nrows\na\nb"},
		"venue":             {media(&tg.MessageMediaVenue{Title: "Shop", Address: "1 Road", Provider: "foursquare", VenueID: "77"}), "caption\nShop\n1 Road"},
		"game":              {media(&tg.MessageMediaGame{Game: tg.Game{ShortName: "g", Title: "Game", Description: "play"}}), "caption\ng\nGame\nplay"},
		"invoice":           {media(&tg.MessageMediaInvoice{Title: "Data", Description: "one lakh rows", Currency: "INR", StartParam: "x"}), "caption\nData\none lakh rows"},
		"story":             {media(&tg.MessageMediaStory{Story: &tg.StoryItem{Caption: "story text", FwdFrom: tg.StoryFwdHeader{FromName: "Ravi"}, Media: &tg.MessageMediaEmpty{}}}), "caption\nRavi\nstory text"},
		"paid media":        {media(&tg.MessageMediaPaidMedia{ExtendedMedia: []tg.MessageExtendedMediaClass{&tg.MessageExtendedMedia{Media: document(&tg.DocumentAttributeFilename{FileName: "paid.csv"})}}}), "caption\npaid.csv"},
		"giveaway":          {media(&tg.MessageMediaGiveaway{PrizeDescription: "rows for free", CountriesISO2: []string{"IN"}}), "caption\nrows for free"},
		"giveaway over":     {media(&tg.MessageMediaGiveawayResults{PrizeDescription: "rows given"}), "caption\nrows given"},
		"to-do list":        {media(&tg.MessageMediaToDo{Todo: tg.TodoList{Title: entityText("to do"), List: []tg.TodoItem{{Title: entityText("call")}, {Title: entityText("pay")}}}}), "caption\nto do\ncall\npay"},
		"group made":        {service(&tg.MessageActionChatCreate{Title: "Buyers"}), "Buyers"},
		"channel made":      {service(&tg.MessageActionChannelCreate{Title: "Leaks"}), "Leaks"},
		"title changed":     {service(&tg.MessageActionChatEditTitle{Title: "New name"}), "New name"},
		"topic":             {service(&tg.MessageActionTopicCreate{Title: "Samples"}), "Samples"},
		"topic renamed":     {service(&tg.MessageActionTopicEdit{Title: "Samples 2"}), "Samples 2"},
		"migrated":          {service(&tg.MessageActionChannelMigrateFrom{Title: "Old group", ChatID: 5}), "Old group"},
		"pinned":            {&tg.MessageService{Action: &tg.MessageActionPinMessage{}, ReplyTo: &tg.MessageReplyHeader{QuoteText: "pinned part"}}, "pinned part"},
		"custom":            {service(&tg.MessageActionCustomAction{Message: "score 5"}), "score 5"},
		"sent to a web app": {service(&tg.MessageActionWebViewDataSentMe{Text: "Send", Data: "payload"}), "Send\npayload"},
		"paid with a form": {service(&tg.MessageActionPaymentSentMe{Currency: "INR", Info: tg.PaymentRequestedInfo{Name: "Asha Rao", Phone: "+1", Email: "a@b.example",
			ShippingAddress: tg.PostAddress{StreetLine1: "1 Road", City: "Pune", PostCode: "411001"}}}), "Name: Asha Rao\nPhone: +1\nEmail: a@b.example\n1 Road\nPune\n411001"},
		"shared person":   {service(&tg.MessageActionRequestedPeerSentMe{Peers: []tg.RequestedPeerClass{&tg.RequestedPeerUser{FirstName: "Asha", LastName: "Rao", Username: "asha"}}}), "Name: Asha Rao\nasha"},
		"gift":            {service(&tg.MessageActionGiftCode{Slug: "abc", Currency: "INR", Message: entityText("for you")}), "for you"},
		"tasks added":     {service(&tg.MessageActionTodoAppendTasks{List: []tg.TodoItem{{Title: entityText("one more")}}}), "one more"},
		"post refused":    {service(&tg.MessageActionSuggestedPostApproval{RejectComment: "too much"}), "too much"},
		"member joined":   {service(&tg.MessageActionChatAddUser{Users: []int64{1}}), ""},
		"sent as channel": {&tg.Message{Message: "as the channel", FromID: &tg.PeerChannel{ChannelID: 7}, PeerID: &tg.PeerChannel{ChannelID: 8}}, "as the channel"},
		"album":           {&tg.Message{Message: "second of two", GroupedID: 9, Media: &tg.MessageMediaPhoto{}}, "second of two"},
	}
}

func TestAllThatAReaderIsShownIsLookedAt(t *testing.T) {
	for name, tc := range kinds() {
		if got, left := shown(tc.message); got != tc.want || left != "" {
			t.Errorf("%s: got %q (%s), want %q", name, got, left, tc.want)
		}
	}
}

func TestWhatIsTooNewOrTooLongIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		message    tg.MessageClass
		text, left string
	}{
		"attachment":       {&tg.Message{Message: "new", Media: &tg.MessageMediaUnsupported{}}, "new", tooNew},
		"part of a page":   {&tg.Message{Media: &tg.MessageMediaWebPage{Webpage: &tg.WebPage{CachedPage: tg.Page{Blocks: []tg.PageBlockClass{&tg.PageBlockUnsupported{}}}}}}, "", tooNew},
		"megabyte caption": {&tg.Message{Message: strings.Repeat("x", maxShown+5), Media: &tg.MessageMediaPhoto{}}, strings.Repeat("x", maxShown), tooLong},
		"cut in a letter":  {&tg.Message{Message: "xx" + strings.Repeat("न", maxShown/3+1)}, "xx" + strings.Repeat("न", maxShown/3-1), tooLong},
	} {
		if text, left := shown(tc.message); text != tc.text || left != tc.left {
			t.Errorf("%s: %d bytes, want %d; %q, want %q", name, len(text), len(tc.text), left, tc.left)
		}
	}
}

// Every text field of every constructor that a message can hold, in this layer
// and in the next one that the library is moved to, comes out or is on the list
// of technical fields.
func TestNoTextOfAnyConstructorIsDropped(t *testing.T) {
	classes, constructors := tg.ClassConstructorsMap(), tg.TypesConstructorMap()
	looked := 0
	for _, class := range []string{tg.MessageMediaClassName, tg.MessageActionClassName, tg.KeyboardButtonClassName, tg.ReplyMarkupClassName, tg.WebPageClassName,
		tg.PageBlockClassName, tg.StoryItemClassName, tg.MessageExtendedMediaClassName, tg.DocumentAttributeClassName, tg.MessageEntityClassName} {
		if len(classes[class]) == 0 {
			t.Errorf("the layer has no class %s", class)
		}
		for _, id := range classes[class] {
			object := constructors[id]()
			name := reflect.TypeOf(object).Elem().Name()
			if strings.HasPrefix(name, "Input") { // what clients send
				continue
			}
			var want []string
			fill(reflect.ValueOf(object).Elem(), name, 0, &want)
			m := &tg.Message{}
			switch o := object.(type) {
			case tg.MessageMediaClass:
				m.Media = o
			case tg.KeyboardButtonClass:
				m.ReplyMarkup = &tg.ReplyInlineMarkup{Rows: []tg.KeyboardButtonRow{{Buttons: []tg.KeyboardButtonClass{o}}}}
			case tg.ReplyMarkupClass:
				m.ReplyMarkup = o
			case tg.WebPageClass:
				m.Media = &tg.MessageMediaWebPage{Webpage: o}
			case tg.PageBlockClass:
				m.Media = &tg.MessageMediaWebPage{Webpage: &tg.WebPage{CachedPage: tg.Page{Blocks: []tg.PageBlockClass{o}}}}
			case tg.StoryItemClass:
				m.Media = &tg.MessageMediaStory{Story: o}
			case tg.MessageExtendedMediaClass:
				m.Media = &tg.MessageMediaPaidMedia{ExtendedMedia: []tg.MessageExtendedMediaClass{o}}
			case tg.DocumentAttributeClass:
				m.Media = &tg.MessageMediaDocument{Document: &tg.Document{Attributes: []tg.DocumentAttributeClass{o}}}
			case tg.MessageEntityClass:
				m.Entities = []tg.MessageEntityClass{o}
			}
			text, _ := shown(m)
			if action, ok := object.(tg.MessageActionClass); ok {
				text, _ = shown(&tg.MessageService{Action: action})
			}
			for _, marker := range want {
				looked++
				if !strings.Contains(text, marker) {
					t.Errorf("%s is not looked at", marker)
				}
			}
		}
	}
	if looked < 130 {
		t.Errorf("only %d fields were looked at", looked)
	}
}

// notShown are text fields of attachments that are pictures, not words, or that
// only programs read.
var notShown = map[string]bool{
	"DocumentAttributeSticker.Alt": true, "DocumentAttributeCustomEmoji.Alt": true, "DocumentAttributeVideo.VideoCodec": true,
}

// fill puts a marker into every field that a reader is shown, a few levels deep.
func fill(v reflect.Value, at string, depth int, want *[]string) {
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Field(i).Name
		path := v.Type().Name() + "." + name
		switch field.Kind() {
		case reflect.String:
			if marker := fmt.Sprintf("<%s %s>", at, path); !technical[name] && !notShown[path] {
				field.SetString(marker)
				*want = append(*want, marker)
			}
		case reflect.Struct:
			if depth < 3 && v.Type().Field(i).Type != reflect.TypeFor[tg.Document]() {
				fill(field, at+"."+name, depth+1, want)
			}
		case reflect.Slice:
			if depth < 3 && field.Type().Elem().Kind() == reflect.Struct {
				one := reflect.New(field.Type().Elem()).Elem()
				fill(one, at+"."+name, depth+1, want)
				field.Set(reflect.Append(field, one))
			}
		case reflect.Interface:
			if field.Type() == reflect.TypeFor[tg.RichTextClass]() {
				marker := fmt.Sprintf("<%s %s>", at, path)
				field.Set(reflect.ValueOf(&tg.TextBold{Text: &tg.TextPlain{Text: marker}}))
				*want = append(*want, marker)
			}
		}
	}
}

func TestTheContextOfAMessage(t *testing.T) {
	m := &tg.Message{
		ID: 5, PeerID: &tg.PeerChannel{ChannelID: 8}, FromID: &tg.PeerChannel{ChannelID: 7}, GroupedID: 9, ViaBotID: 10, PostAuthor: "desk",
		ReplyTo: &tg.MessageReplyHeader{ReplyToMsgID: 3, ReplyToTopID: 2, ReplyToPeerID: &tg.PeerChannel{ChannelID: 6}},
		FwdFrom: tg.MessageFwdHeader{FromID: &tg.PeerChannel{ChannelID: 11}, ChannelPost: 12, FromName: "Ravi K"},
	}
	m.SetFlags()
	m.FwdFrom.SetFlags()
	want := evidence.Context{FromID: 7, FromKind: "channel", ForwardFrom: 11, ForwardPost: 12, ForwardName: "R**** K****", ReplyTo: 3, ReplyToPeer: 6, Thread: 2, GroupedID: 9, ViaBotID: 10, PostAuthor: "desk"}
	if got := around(m); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s := &tg.MessageService{PeerID: &tg.PeerChat{ChatID: 4}, ReplyTo: &tg.MessageReplyHeader{ReplyToMsgID: 3}}
	s.SetFlags()
	if got := around(s); got != (evidence.Context{FromID: 4, FromKind: "chat", ReplyTo: 3}) {
		t.Errorf("of a service message: %+v", got)
	}
}

// hostile are messages that no client writes.
func hostile() []tg.MessageClass {
	return []tg.MessageClass{
		&tg.Message{ID: -5, Date: -1 << 31, EditDate: 1<<31 - 1, PeerID: &tg.PeerChannel{ChannelID: -1}, Message: "\x1b[2J\xff\xfe\u202e", PostAuthor: "\x1b]0;x\a\xc3"},
		&tg.Message{ID: 1<<31 - 1, Date: 1<<31 - 1, PeerID: &tg.PeerUser{UserID: -1 << 63}, Message: strings.Repeat("\x00", 5000), Media: &tg.MessageMediaContact{Vcard: "\xff"}},
		&tg.Message{PeerID: &tg.PeerChat{}, Media: &tg.MessageMediaDocument{}, ReplyTo: &tg.MessageReplyStoryHeader{Peer: &tg.PeerUser{}}},
		&tg.MessageService{PeerID: &tg.PeerChannel{}, Action: &tg.MessageActionChatEditTitle{Title: "\x1b[31m\u2028"}},
	}
}

func FuzzMessage(f *testing.F) {
	seeds := 0
	seed := func(class tg.MessageClass) {
		switch m := class.(type) {
		case *tg.Message:
			m.PeerID = &tg.PeerChannel{ChannelID: 1}
		case *tg.MessageService:
			m.PeerID = &tg.PeerChannel{ChannelID: 1}
		}
		var b bin.Buffer
		if err := class.Encode(&b); err == nil { // some of the table leave out what must be there to be sent
			seeds++
			f.Add(b.Buf)
		}
	}
	for _, tc := range kinds() {
		seed(tc.message)
	}
	for _, m := range hostile() {
		seed(m)
	}
	if seeds < 25 {
		f.Fatalf("only %d seeds", seeds)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		class, err := tg.DecodeMessage(&bin.Buffer{Buf: bytes.Clone(data)})
		if err != nil {
			return
		}
		text, _ := shown(class)
		if len(text) > maxShown {
			t.Fatalf("%d bytes of text", len(text))
		}
		full, ok := class.AsNotEmpty()
		if !ok {
			return
		}
		m := convert(evidence.Source{ID: "channel-1"}, full, text, evidence.Live, livePush, time.Unix(0, 0))
		for _, s := range []string{m.Context.PostAuthor, m.Context.ForwardName} {
			if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
				t.Fatalf("a control character would be shown, at %d", i)
			}
		}
		files, err := m.Raw()
		if err != nil {
			t.Fatalf("decoded and not encoded: %v", err)
		}
		again, err := tg.DecodeMessage(&bin.Buffer{Buf: bytes.Clone(files[0].Data)})
		if err != nil {
			t.Fatalf("what would be sealed does not decode: %v", err)
		}
		if repeated, _ := shown(again); repeated != text {
			t.Fatal("what would be sealed shows another text")
		}
	})
}
