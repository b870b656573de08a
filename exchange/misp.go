package exchange

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"prahari/evidence"
)

// An attribute of a MISP object: relation and value; its type is the template's.
type attribute struct{ relation, kind, value string }

// misp is an event with objects of MISP's templates: telegram-bot,
// instant-message-group and chat-message. It fills no token, no phone, and no
// text that is not masked.
func (c Case) misp() object {
	var objects []object
	for _, s := range c.sources() {
		if s.Kind == evidence.Bot {
			objects = append(objects, c.mispObject("telegram-bot", "misc", "e2cb6c8f-45fa-429d-9cdb-05298ab21f46", 2, s.ID, []attribute{
				{"chat-id", "text", strconv.FormatInt(s.PeerID, 10)}, {"name", "text", text(s.Title, 200)}, {"username", "text", text(s.Username, 64)},
				{"comment", "text", c.summary()},
			}))
		} else {
			objects = append(objects, c.mispObject("instant-message-group", "misc", "e26becca-2149-4bc0-b3fb-7090d43af28f", 1, s.ID, []attribute{
				{"group-name", "text", text(s.Title, 200)}, {"group-alias", "text", text(s.Username, 64)}, {"app-used", "text", "Telegram"}, {"url", "url", s.address()},
			}))
		}
		for _, e := range s.items {
			objects = append(objects, c.mispObject("chat-message", "misc", "2273e7ab-9cf7-43d3-9eb6-e69697dcc7d5", 1, e.ID, []attribute{
				{"message-id", "text", strconv.FormatInt(e.MessageID, 10)}, {"timestamp", "datetime", e.PostedAt.UTC().Format(time.RFC3339)},
				{"protocol", "text", "telegram"}, {"chat-id", "text", strconv.FormatInt(s.PeerID, 10)}, {"url", "url", e.URL}, {"content", "text", text(e.Masked, 2000)},
			}))
		}
	}
	return object{"Event": object{
		"uuid": own(c.Case.ID, "event").String(), "info": text(c.Case.ID+" "+c.Case.Title, 200), "date": c.At.UTC().Format(time.DateOnly),
		"timestamp": strconv.FormatInt(c.At.Unix(), 10), "threat_level_id": "2", "analysis": "1", "distribution": "0", "published": false,
		"Orgc": object{"name": text(c.Organisation.Name, 200), "uuid": own("identity", c.Organisation.Name).String()},
		"Tag":  []object{{"name": strings.ToLower(c.TLP)}}, "Object": objects,
	}}
}

// mispObject leaves out what is empty.
func (c Case) mispObject(name, category, template string, version int, of string, attributes []attribute) object {
	categories := map[string]string{"text": "Other", "datetime": "Other", "url": "Network activity"}
	var list []object
	for _, a := range attributes {
		if a.value != "" {
			list = append(list, object{
				"uuid": own(c.Case.ID, name, of, a.relation).String(), "object_relation": a.relation, "type": a.kind, "category": categories[a.kind], "value": a.value,
				"to_ids": false, "disable_correlation": a.kind == "text", "distribution": "5", "timestamp": strconv.FormatInt(c.At.Unix(), 10),
			})
		}
	}
	return object{
		"name": name, "meta-category": category, "template_uuid": template, "template_version": fmt.Sprint(version), "uuid": own(c.Case.ID, name, of).String(),
		"distribution": "5", "timestamp": strconv.FormatInt(c.At.Unix(), 10), "Attribute": list,
	}
}
