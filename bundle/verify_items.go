package bundle

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// table calls each with every row of a CSV file whose head is given.
func (v *verifier) table(name, head string, each func(n int, row []string)) error {
	f, ok := v.open(name)
	if !ok {
		return nil
	}
	in := csv.NewReader(contextReader{v.ctx, f})
	in.ReuseRecord = true
	for n := 1; ; n++ {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			if n == 1 {
				v.problem(name, 0, "is empty")
			}
			break
		}
		if err != nil {
			if v.ctx.Err() == nil {
				v.problem(name, n, "is not a row of the table")
			}
			break
		}
		if n == 1 {
			if strings.Join(row, ",") != head {
				v.problem(name, 1, "is not the table's head")
				break
			}
			continue
		}
		each(n, row)
	}
	closing := f.Close()
	if err := v.ctx.Err(); err != nil {
		return err
	}
	if closing != nil {
		v.problem(name, 0, "cannot be read")
	}
	return nil
}

// sealedFiles matches data/sealed/ with commitments.csv, both ways, and reads
// each age file's header and length.
func (v *verifier) sealedFiles() error {
	if !v.profile().has(commitments) {
		v.absent("data/sealed/")
		return v.listed()
	}
	err := v.table(commitmentsPath, commitmentsHead, func(n int, row []string) {
		item, commitment := row[0], row[1]
		if !plainName.MatchString(item) || !hexSHA256.MatchString(commitment) {
			v.problem(commitmentsPath, n, "names no item with a SHA-256")
			return
		}
		if _, twice := v.sealed[item]; twice {
			v.problem(commitmentsPath, n, "lists %s twice", item)
			return
		}
		v.sealed[strings.Clone(item)] = strings.Clone(commitment)
		if v.profile().has(sealedOriginals) {
			v.sealedFile(n, item, row[2], row[3])
		}
	})
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(v.files) {
		rest, ok := strings.CutPrefix(name, "data/sealed/")
		if !ok || name == commitmentsPath {
			continue
		}
		if !v.profile().has(sealedOriginals) {
			v.problem(name, 0, "is no part of a bundle for a %s", v.profile())
			continue
		}
		item, isAge := strings.CutSuffix(strings.TrimPrefix(rest, "raw-"), ".tar.age")
		if _, listed := v.sealed[item]; !isAge || !listed || name != sealedPath(item) {
			v.problem(name, 0, "has no commitment in %s", commitmentsPath)
		}
	}
	v.report.Items = len(v.sealed)
	if !v.profile().has(sealedOriginals) {
		v.detail("%d commitments; the originals are no part of a bundle for a %s", len(v.sealed), v.profile())
		return nil
	}
	v.detail("%d sealed originals; a key holder's check of their content is a separate act", len(v.sealed))
	return nil
}

// absent says that a part belongs to other profiles, and that it is not here.
func (v *verifier) absent(dir string) {
	for _, name := range sortedKeys(v.files) {
		if strings.HasPrefix(name, dir) {
			v.problem(name, 0, "is no part of a bundle for a %s", v.profile())
		}
	}
	v.check.Status = Skip
	v.detail("no part of a bundle for a %s", v.profile())
}

// listed takes the items from their table, where there are no commitments.
func (v *verifier) listed() error {
	err := v.table(itemsPath, itemsHead, func(n int, row []string) {
		if !plainName.MatchString(row[7]) {
			v.problem(itemsPath, n, "names no item")
			return
		}
		v.sealed[strings.Clone(row[7])] = ""
	})
	v.report.Items = len(v.sealed)
	return err
}

func (v *verifier) sealedFile(n int, item, size, kinds string) {
	name := sealedPath(item)
	f, ok := v.open(name)
	if !ok {
		return
	}
	info, err := readSealed(f, v.files[name])
	if closing := f.Close(); err == nil && closing != nil {
		err = errors.New("cannot be read")
	}
	switch {
	case err != nil:
		v.problem(name, 0, "%v", err)
	case size != strconv.FormatInt(info.plainSize, 10):
		v.problem(commitmentsPath, n, "gives %s another size than the sealed file has", item)
	case kinds != info.kinds():
		v.problem(commitmentsPath, n, "gives %s other recipient types than the sealed file has", item)
	}
}

// records holds the open records and tables to the commitments and manifests.
func (v *verifier) records() error {
	for _, item := range sortedKeys(v.sealed) {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		v.record(item)
		if _, ok := v.files[messagePath(item)]; !ok && v.profile().has(allTexts) {
			v.problem(messagePath(item), 0, "is missing")
		}
	}
	for _, name := range sortedKeys(v.files) {
		if rest, ok := strings.CutPrefix(name, "data/items/"); ok {
			item, _, _ := strings.Cut(rest, "/")
			if _, sealed := v.sealed[item]; !sealed {
				v.problem(name, 0, "is of an item that has no commitment")
			}
		}
	}
	if err := v.hashReport(); err != nil {
		return err
	}
	return v.itemTable()
}

func (v *verifier) record(item string) {
	name := recordPath(item)
	data, ok := v.small(name, 16<<20)
	if !ok {
		return
	}
	var r struct {
		ItemID string    `json:"item_id"`
		Raw    recordRaw `json:"raw"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		v.problem(name, 0, "is not JSON of a record")
		return
	}
	path := sealedPath(item)
	if !v.profile().has(sealedOriginals) {
		path = ""
	}
	if r.ItemID != item || r.Raw.Path != path {
		v.problem(name, 0, "is the record of another item")
	}
	if !v.profile().has(sealedOriginals) {
		if r.Raw.SHA256 != v.sealed[item] {
			v.problem(name, 0, "has another commitment than %s", commitmentsPath)
		}
		return
	}
	if r.Raw.SHA256 != v.sealed[item] {
		v.problem(name, 0, "has another commitment than %s", commitmentsPath)
	}
	if r.Raw.SealedSHA256 != v.payload[sealedPath(item)] || r.Raw.SealedSize != v.files[sealedPath(item)] {
		v.problem(name, 0, "describes another sealed file than %s", sealedPath(item))
	}
}

func (v *verifier) hashReport() error {
	seen := map[string]bool{}
	err := v.table(hashReportPath, hashReportHead, func(n int, row []string) {
		item, name, size, sum := row[0], row[1], row[2], row[3]
		if seen[name] {
			v.problem(hashReportPath, n, "lists a file twice")
			return
		}
		seen[strings.Clone(name)] = true
		if name == sealedContent(item) {
			if v.sealed[item] != sum {
				v.problem(hashReportPath, n, "has another commitment than %s", commitmentsPath)
			}
			return
		}
		if v.payload[name] != sum || strconv.FormatInt(v.files[name], 10) != size {
			v.problem(hashReportPath, n, "differs from the file or from %s", payloadManifest)
		}
	})
	if err != nil {
		return err
	}
	for _, item := range sortedKeys(v.sealed) {
		names := []string{recordPath(item), messagePath(item)}
		if _, ok := v.files[messagePath(item)]; !ok && !v.profile().has(allTexts) {
			names = names[:1]
		}
		if v.profile().has(sealedOriginals) {
			names = append(names, sealedPath(item))
		}
		if v.profile().has(commitments) {
			names = append(names, sealedContent(item))
		}
		for _, name := range names {
			if !seen[name] {
				v.problem(hashReportPath, 0, "does not list %s", name)
			}
		}
	}
	return nil
}

func (v *verifier) itemTable() error {
	seen := map[string]bool{}
	err := v.table(itemsPath, itemsHead, func(n int, row []string) {
		item := strings.Clone(row[7])
		if _, ok := v.sealed[item]; !ok || seen[item] {
			v.problem(itemsPath, n, "names an item that is not in the bundle, or twice")
		}
		seen[item] = true
	})
	if err != nil {
		return err
	}
	for _, item := range sortedKeys(v.sealed) {
		if !seen[item] {
			v.problem(itemsPath, 0, "does not list %s", item)
		}
	}
	return nil
}
