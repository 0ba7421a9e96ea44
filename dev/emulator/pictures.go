package emulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"image"
	_ "image/gif"  // decoders of the accepted formats
	_ "image/jpeg" //
	_ "image/png"  //
	"io/fs"
	"os"
	"path/filepath"
)

// maxPicture is the largest training image: 6 MB.
const maxPicture = 6 << 20

// pictureStore keeps the bytes of pictures by their SHA-256. They are kept in
// memory, or in a folder, where they survive a restart.
type pictureStore struct {
	dir    string
	memory map[string][]byte
}

func (s *pictureStore) put(content []byte) (hash string, err error) {
	hash = pictureHash(content)
	if s.dir == "" {
		if s.memory == nil {
			s.memory = map[string][]byte{}
		}
		s.memory[hash] = content
		return hash, nil
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return "", err
	}
	return hash, os.WriteFile(filepath.Join(s.dir, hash), content, 0o644)
}

func pictureHash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// get returns nil for a hash that isn't stored.
func (s *pictureStore) get(hash string) ([]byte, error) {
	if s.dir == "" || hash == "" {
		return s.memory[hash], nil
	}
	content, err := os.ReadFile(filepath.Join(s.dir, hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return content, err
}

// measure returns the size in pixels of a JPEG, PNG, GIF or BMP. ok is false for
// anything else.
func measure(content []byte) (width, height int, ok bool) {
	if config, _, err := image.DecodeConfig(bytes.NewReader(content)); err == nil {
		return config.Width, config.Height, config.Width > 0 && config.Height > 0
	}
	if len(content) >= 26 && content[0] == 'B' && content[1] == 'M' { // BITMAPINFOHEADER
		width = int(int32(binary.LittleEndian.Uint32(content[18:])))
		height = max(int(int32(binary.LittleEndian.Uint32(content[22:]))), -int(int32(binary.LittleEndian.Uint32(content[22:]))))
		return width, height, width > 0 && height > 0
	}
	return 0, 0, false
}
