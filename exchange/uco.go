package exchange

import (
	"time"

	"prahari/evidence"
)

// uco is the case as a graph of CASE 1 and UCO 1 in JSON-LD: the investigation,
// what was done, with what, and the sealed files that came of it. It is a view of
// the custody log, which stays the source of truth. The digests are those of the
// sealed files: none of a file inside would be safe to publish.
func (c Case) uco() object {
	id := func(kind, name string) string { return "kb:" + kind + "-" + own(c.Case.ID, kind, name).String() }
	ref := func(id string) object { return object{"@id": id} }
	moment := func(t time.Time) object { return object{"@type": "xsd:dateTime", "@value": stamp(t)} }
	tool, investigator := id("tool", c.Tool.Name+c.Tool.Version), id("organization", c.Organisation.Name)
	graph := []object{
		{"@id": tool, "@type": "uco-tool:Tool", "uco-core:name": c.Tool.Name, "uco-tool:version": c.Tool.Version},
		{"@id": investigator, "@type": "uco-identity:Organization", "uco-core:name": text(c.Organisation.Name, 200)},
	}
	inside := []object{ref(tool), ref(investigator)}
	for _, s := range c.sources() {
		for _, e := range s.items {
			file, record, action := id("file", e.ID), id("provenancerecord", e.ID), id("investigativeaction", e.ID)
			graph = append(graph, c.exhibit(e, file, record, action, tool, investigator, moment, ref)...)
			inside = append(inside, ref(action), ref(file), ref(record))
		}
	}
	graph = append(graph, object{
		"@id": id("investigation", "case"), "@type": "case-investigation:Investigation", "uco-core:name": text(c.Case.ID+" "+c.Case.Title, 200),
		"uco-core:description": c.summary(), "case-investigation:focus": "Personal data published on Telegram", "uco-action:startTime": moment(c.Case.OpenedAt),
		"uco-core:tag": []string{c.TLP}, "uco-core:object": inside,
	})
	return object{
		"@context": object{
			"kb": "urn:prahari:" + own(c.Case.ID).String() + "/", "xsd": "http://www.w3.org/2001/XMLSchema#",
			"case-investigation": "https://ontology.caseontology.org/case/investigation/", "uco-action": "https://ontology.unifiedcyberontology.org/uco/action/",
			"uco-core": "https://ontology.unifiedcyberontology.org/uco/core/", "uco-identity": "https://ontology.unifiedcyberontology.org/uco/identity/",
			"uco-observable": "https://ontology.unifiedcyberontology.org/uco/observable/", "uco-tool": "https://ontology.unifiedcyberontology.org/uco/tool/",
			"uco-types": "https://ontology.unifiedcyberontology.org/uco/types/", "uco-vocabulary": "https://ontology.unifiedcyberontology.org/uco/vocabulary/",
		},
		"@graph": graph,
	}
}

// exhibit is one collected message: the action, the sealed file, its record.
func (c Case) exhibit(e evidence.Evidence, file, record, action, tool, investigator string, moment func(time.Time) object, ref func(string) object) []object {
	return []object{
		{
			"@id": action, "@type": "case-investigation:InvestigativeAction", "uco-core:name": "collect " + e.ID, "uco-core:description": text(e.Collection.Request, 300),
			"uco-action:startTime": moment(e.CapturedAt), "uco-action:endTime": moment(e.CapturedAt), "uco-action:performer": ref(investigator),
			"uco-action:instrument": []object{ref(tool)}, "uco-action:result": []object{ref(file), ref(record)},
		},
		{
			"@id": file, "@type": "uco-observable:File", "uco-core:hasFacet": []object{
				{"@id": file + "-name", "@type": "uco-observable:FileFacet", "uco-observable:fileName": "raw-" + e.ID + ".tar.age", "uco-observable:sizeInBytes": e.SealedSize},
				{
					"@id": file + "-content", "@type": "uco-observable:ContentDataFacet", "uco-observable:hash": []object{{
						"@id": file + "-hash", "@type": "uco-types:Hash", "uco-types:hashMethod": object{"@type": "uco-vocabulary:HashNameVocab", "@value": "SHA256"},
						"uco-types:hashValue": object{"@type": "xsd:hexBinary", "@value": e.SealedSHA},
					}},
				},
			},
		},
		{
			"@id": record, "@type": "case-investigation:ProvenanceRecord", "case-investigation:exhibitNumber": e.ID, "uco-core:description": text(e.URL, 200),
			"uco-core:object": []object{ref(file)},
		},
	}
}
