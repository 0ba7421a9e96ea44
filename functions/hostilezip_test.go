package functions_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"io/fs"
	"strings"

	"github.com/stretchr/testify/require"

	"visionkeeper/dev/zips"
	"visionkeeper/internal/archive"
)

// zipped is a zip of names and contents in turn; OWN in them is the iteration,
// and a name that ends in > is a symbolic link.
func zipped(entries ...string) func(string) []byte {
	return func(iteration string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for i := 0; i < len(entries); i += 2 {
			name, link := strings.CutSuffix(entries[i], ">")
			h := &zip.FileHeader{Name: name, Method: zip.Deflate}
			if h.SetMode(0o644); link {
				h.SetMode(fs.ModeSymlink | 0o777)
			}
			w, err := z.CreateHeader(h)
			if err != nil {
				panic(err)
			}
			w.Write([]byte(strings.ReplaceAll(entries[i+1], "OWN", iteration)))
		}
		if err := z.Close(); err != nil {
			panic(err)
		}
		return b.Bytes()
	}
}

// made is a zip of parts, made by hand.
func made(parts ...zips.Part) func(string) []byte {
	return func(string) []byte { return zips.Made(parts, nil) }
}

func plain(text string) func(string) []byte { return func(string) []byte { return []byte(text) } }

func sha1Hex(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (w *app) restored(b archive.Backup) []byte {
	w.t.Helper()
	var data bytes.Buffer
	_, err := w.Archive.Restore(w.t.Context(), b, &data)
	require.NoError(w.t, err)
	return data.Bytes()
}

// reasons are those of all conditions.
func (w *app) reasons() string {
	var all []string
	for _, c := range w.Remembered(w.project).Conditions {
		all = append(all, c.Why)
	}
	return strings.Join(all, "\n")
}
