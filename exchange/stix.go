package exchange

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"prahari/evidence"
)

// tlp is a label of TLP 2.0 as STIX names it. The ids are those of the extension
// for TLP 2.0, which all producers share.
func tlp(label string) (id, word string) {
	ids := map[string]string{
		"TLP:CLEAR": "94868c89-83c2-464b-929b-a1a8aa3c8487", "TLP:GREEN": "bab4a63c-aed9-4cf5-a766-dfca5abac2bb", "TLP:AMBER": "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
		"TLP:AMBER+STRICT": "939a9414-2ddd-4d32-a0cd-375ea402b003", "TLP:RED": "e828b379-4e03-4974-9ac4-e53a884c97c1",
	}
	if ids[label] == "" {
		label = "TLP:RED" // what is not known is not to be passed on
	}
	return "marking-definition--" + ids[label], strings.ToLower(strings.TrimPrefix(label, "TLP:"))
}

// An object of STIX or of a JSON-LD graph.
type object map[string]any

// observable makes an id as STIX 2.1 (2.9) asks for observables: version 5 over
// the properties that tell them apart, in the order of their names.
func observable(kind string, properties object) string {
	space := uuid.MustParse("00abedb4-aa42-466c-9c01-fed23315a9b7")
	canonical, err := json.Marshal(properties) // maps are encoded in the order of their keys
	if err != nil {
		panic(err) // strings only
	}
	id := uuid.NewSHA1(space, canonical)
	if !plain(id) { // see lettered; the standard lets a producer choose
		id = own(kind, string(canonical))
	}
	return kind + "--" + id.String()
}

// stix is a bundle: who reports, the accounts and addresses, when they were
// observed, a masked note, and a report of it all. No object of it holds a
// person's data.
func (c Case) stix() object {
	marking, word := tlp(c.TLP)
	at := stamp(c.At)
	identity := "identity--" + own("identity", c.Organisation.Name).String()
	domain := func(kind, name string, properties object) object {
		o := object{
			"type": kind, "spec_version": "2.1", "id": kind + "--" + own(c.Case.ID, kind, name).String(), "created": stamp(c.Case.OpenedAt), "modified": at,
			"created_by_ref": identity, "object_marking_refs": []string{marking},
		}
		for k, v := range properties {
			o[k] = v
		}
		return o
	}
	objects := []object{
		{
			"type": "marking-definition", "spec_version": "2.1", "id": marking, "created": "2022-10-01T00:00:00.000Z", "name": "TLP:" + strings.ToUpper(word),
			"extensions": object{"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": object{"extension_type": "property-extension", "tlp_2_0": word}},
		},
		{
			"type": "identity", "spec_version": "2.1", "id": identity, "created": stamp(c.Case.OpenedAt), "modified": at, "name": text(c.Organisation.Name, 200),
			"identity_class": "organization", "contact_information": c.Organisation.Email, "object_marking_refs": []string{marking},
		},
	}
	var all []string
	for _, s := range c.sources() {
		login := s.Username
		if login == "" {
			login = s.ID
		}
		naming := object{"account_type": "telegram", "account_login": text(login, 64), "user_id": fmt.Sprint(s.PeerID)}
		account := object{
			"type": "user-account", "spec_version": "2.1", "id": observable("user-account", naming), "display_name": text(s.Title, 200),
			"object_marking_refs": []string{marking},
		}
		for k, v := range naming {
			account[k] = v
		}
		if s.Kind == evidence.Bot {
			account["is_service_account"] = true
		}
		objects = append(objects, account)
		refs := []string{account["id"].(string)}
		for _, u := range addresses(s) {
			id := observable("url", object{"value": u})
			objects = append(objects, object{"type": "url", "spec_version": "2.1", "id": id, "value": u, "object_marking_refs": []string{marking}})
			refs = append(refs, id)
		}
		seen := domain("observed-data", s.ID, object{
			"first_observed": stamp(s.first().CapturedAt), "last_observed": stamp(lastSeen(s)), "number_observed": len(s.items), "object_refs": refs,
		})
		objects = append(objects, seen)
		all = append(append(all, refs...), seen["id"].(string))
	}
	note := domain("note", "summary", object{"abstract": "What was observed, masked", "content": c.summary(), "object_refs": all})
	report := domain("report", "report", object{
		"name": text(c.Case.ID+" "+c.Case.Title, 200), "description": c.summary(), "published": at, "report_types": []string{"observed-data"},
		"object_refs": append(append([]string{identity}, all...), note["id"].(string)),
	})
	return object{"type": "bundle", "id": "bundle--" + own(c.Case.ID, "bundle", at).String(), "objects": append(objects, note, report)}
}

// addresses lists the public links of a source and its messages, each once.
func addresses(s source) []string {
	var out []string
	seen := map[string]bool{}
	add := func(u string) {
		if strings.HasPrefix(u, "https://t.me/") && !seen[u] {
			out = append(out, u)
		}
		seen[u] = true
	}
	add(s.address())
	for _, e := range s.items {
		add(e.URL)
	}
	return out
}
