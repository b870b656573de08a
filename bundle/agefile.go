package bundle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// sealedInfo is what anybody can read from an age file without a key.
type sealedInfo struct {
	types     []string // recipients' types in order: "X25519"
	plainSize int64    // bytes of the container inside
}

const (
	ageIntro     = "age-encryption.org/v1"
	ageNonce     = 16       // bytes before the payload's chunks
	ageChunk     = 64 << 10 // plaintext bytes of a chunk
	ageTag       = 16       // bytes that sealing adds to each chunk
	maxAgeHeader = 64 << 10
)

// readSealed reads the header of an age file (age-encryption.org/v1) of size
// bytes. It is the re-read test of a sealed file: a header that parses and a
// length that fits.
func readSealed(r io.Reader, size int64) (sealedInfo, error) {
	var info sealedInfo
	in := bufio.NewReader(io.LimitReader(r, maxAgeHeader))
	header := int64(0)
	for first := true; ; first = false {
		line, err := in.ReadString('\n')
		if err != nil {
			return info, errors.New("it is not an age file, or a truncated one")
		}
		header += int64(len(line))
		if first && line != ageIntro+"\n" {
			return info, errors.New("it is not an age file")
		}
		if strings.HasPrefix(line, "---") {
			break
		}
		if args, ok := strings.CutPrefix(line, "-> "); ok {
			kind, _, _ := strings.Cut(strings.TrimSuffix(args, "\n"), " ")
			info.types = append(info.types, kind)
		}
	}
	payload := size - header - ageNonce
	if payload < ageTag || len(info.types) == 0 {
		return info, errors.New("it is a truncated age file")
	}
	chunks := (payload + ageChunk + ageTag - 1) / (ageChunk + ageTag)
	info.plainSize = payload - chunks*ageTag
	if info.plainSize <= 0 || info.plainSize <= (chunks-1)*ageChunk {
		return info, fmt.Errorf("its length of %d bytes is not one of an age file", size)
	}
	return info, nil
}

// kinds joins the types for a CSV cell.
func (i sealedInfo) kinds() string { return strings.Join(i.types, " ") }
