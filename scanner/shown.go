package scanner

import (
	"reflect"
	"strings"

	"github.com/gotd/td/tg"
)

// maxShown bounds the text of one message that is looked at, in bytes. Telegram
// itself stops at 4,096 characters, and an article behind a link is tens of
// thousands.
const maxShown = 1 << 20

// What of a message could not be looked at.
const (
	tooNew  = "a part of it is of a kind that this build does not know: upgrade prahari"
	tooLong = "only the first MiB of its text was looked at"
)

// shown gathers all that a reader of a message is shown or led to: text or
// caption, link targets, buttons, polls, previews, contacts, file names, quotes,
// and what service messages say. left says what could not be looked at, "" for
// nothing.
func shown(class tg.MessageClass) (text, left string) {
	var s shownText
	switch m := class.(type) {
	case *tg.Message:
		if plain(m) {
			text = m.Message
			break
		}
		s.message(m)
		text = s.out.String()
	case *tg.MessageService:
		s.walk(reflect.ValueOf(m.Action))
		s.reply(m.ReplyTo)
		text = s.out.String()
	}
	if s.unknown {
		left = tooNew
	}
	if len(text) > maxShown {
		text, left = strings.ToValidUTF8(text[:maxShown], ""), tooLong
	}
	return text, left
}

// plain reports whether a message is its text and nothing else: most are.
func plain(m *tg.Message) bool {
	return len(m.Entities) == 0 && m.Media == nil && m.ReplyMarkup == nil && m.ReplyTo == nil && m.FwdFrom.Date == 0 && m.FwdFrom.Flags.Zero() &&
		m.PostAuthor == "" && m.FromRank == "" && len(m.RestrictionReason) == 0 && m.Factcheck.Flags.Zero()
}

// A shownText grows line by line. What no case of its methods names is found by
// walking the decoded value, so that a kind of message that is new in the layer
// is read before anybody has written code for it.
type shownText struct {
	out     strings.Builder
	unknown bool // Telegram left out what is newer than the layer
}

func (s *shownText) add(parts ...string) {
	for _, p := range parts {
		if p = strings.TrimSpace(p); p == "" || s.out.Len() > maxShown {
			continue
		}
		if s.out.Len() > 0 {
			s.out.WriteByte('\n')
		}
		s.out.WriteString(p)
	}
}

func (s *shownText) message(m *tg.Message) {
	s.out.WriteString(m.Message)
	s.entities(m.Entities)
	s.media(m.Media)
	if m.ReplyMarkup != nil {
		s.walk(reflect.ValueOf(m.ReplyMarkup))
	}
	s.reply(m.ReplyTo)
	s.forward(m.FwdFrom)
	s.add(m.PostAuthor, m.FromRank)
	for _, r := range m.RestrictionReason {
		s.add(r.Text)
	}
	s.walk(reflect.ValueOf(m.Factcheck))
}

// entities adds the links that hide behind a text, and the text that an edit
// replaced and still shows.
func (s *shownText) entities(all []tg.MessageEntityClass) {
	for _, e := range all {
		switch e := e.(type) {
		case *tg.MessageEntityTextURL:
			s.add(e.URL)
		case *tg.MessageEntityDiffReplace:
			s.add(e.OldText)
		}
	}
}

func (s *shownText) forward(f tg.MessageFwdHeader) { s.add(f.FromName, f.SavedFromName, f.PostAuthor) }

func (s *shownText) reply(class tg.MessageReplyHeaderClass) {
	if r, ok := class.(*tg.MessageReplyHeader); ok {
		s.add(r.QuoteText)
		s.entities(r.QuoteEntities)
		s.media(r.ReplyMedia)
		s.forward(r.ReplyFrom)
	}
}

func (s *shownText) media(class tg.MessageMediaClass) {
	switch m := class.(type) {
	case nil, *tg.MessageMediaPhoto:
	case *tg.MessageMediaDocument:
		s.document(m.Document)
		for _, d := range m.AltDocuments {
			s.document(d)
		}
	default:
		s.walk(reflect.ValueOf(m))
	}
}

// document adds a file's name, and a song's.
func (s *shownText) document(class tg.DocumentClass) {
	d, ok := class.(*tg.Document)
	if !ok {
		return
	}
	for _, a := range d.Attributes {
		switch a := a.(type) {
		case *tg.DocumentAttributeFilename:
			s.add(a.FileName)
		case *tg.DocumentAttributeAudio:
			s.add(a.Performer, a.Title)
		}
	}
}

// technical are the fields of type string that no reader is shown.
//
//nolint:gochecknoglobals // a constant set
var technical = map[string]bool{
	"AuctionSlug": true, "CountriesISO2": true, "Country": true, "CountryISO2": true, "CryptoCurrency": true, "Currency": true,
	"EmbedType": true, "GiftAddress": true, "ID": true, "InvoiceSlug": true, "Language": true, "MD5Checksum": true, "MimeType": true,
	"Num": true, "OwnerAddress": true, "Platform": true, "PrepaidUpgradeHash": true, "Provider": true, "ProviderChargeID": true,
	"PsaType": true, "ShippingOptionID": true, "Slug": true, "StartParam": true, "TransactionID": true, "Type": true,
	"ValueCurrency": true, "VenueID": true, "VenueType": true, "VideoCodec": true,
}

// label puts before a value what a form shows beside it; the matcher reads it.
func label(label, value string) string {
	if strings.TrimSpace(value) == "" {
		return ""
	}
	return label + value
}

// walk adds every text that is in a decoded value.
func (s *shownText) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if rich, ok := v.Interface().(tg.RichTextClass); ok {
			var line strings.Builder
			s.rich(reflect.ValueOf(rich), &line)
			s.add(line.String())
			return
		}
		s.walk(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			s.walk(v.Index(i))
		}
	case reflect.Struct:
		s.fields(v)
	}
}

func (s *shownText) fields(v reflect.Value) {
	switch m := v.Interface().(type) {
	case tg.MessageMediaUnsupported, tg.PageBlockUnsupported:
		s.unknown = true
	case tg.MessageMediaContact:
		s.name(m.FirstName, m.LastName)
		s.add(label("Phone: ", m.PhoneNumber), m.Vcard)
		return
	case tg.RequestedPeerUser:
		s.name(m.FirstName, m.LastName)
		s.add(m.Username)
		return
	case tg.PaymentRequestedInfo:
		s.name(m.Name, "")
		s.add(label("Phone: ", m.Phone), label("Email: ", m.Email))
		s.walk(reflect.ValueOf(m.ShippingAddress))
		return
	case tg.Document:
		s.document(&m)
		return
	}
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Field(i).Name
		switch field.Kind() {
		case reflect.String:
			if text := field.String(); text != "" && !technical[name] {
				s.add(text)
			}
		case reflect.Pointer, reflect.Interface, reflect.Struct:
			s.walk(field)
		case reflect.Slice:
			switch field.Type().Elem().Kind() {
			case reflect.String:
				for j := 0; !technical[name] && j < field.Len(); j++ {
					s.add(field.Index(j).String())
				}
			case reflect.Interface, reflect.Pointer, reflect.Struct, reflect.Slice:
				s.walk(field)
			}
		}
	}
}

func (s *shownText) name(first, last string) {
	if whole := strings.TrimSpace(first + " " + last); whole != "" {
		s.add("Name: " + whole)
	}
}

// rich writes the pieces of a formatted line as they are read, without a break
// between them: half a number may be bold.
func (s *shownText) rich(v reflect.Value, line *strings.Builder) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			s.rich(v.Elem(), line)
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.rich(v.Index(i), line)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field, name := v.Field(i), v.Type().Field(i).Name
			switch {
			case field.Kind() != reflect.String:
				s.rich(field, line)
			case name == "URL" || name == "Email" || name == "Phone": // behind the text before it
				if target := field.String(); target != "" {
					line.WriteString(" " + target + " ")
				}
			case !technical[name]:
				line.WriteString(field.String())
			}
		}
	}
}
