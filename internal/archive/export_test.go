package archive

import (
	"bytes"
	"context"
	"io"
)

// What the tests outside of the package need.
const LayoutVersion = layoutVersion

var ParseManifest = parseManifest

// Judge is judge of bytes of a blob in the model container.
func Judge(ctx context.Context, data []byte, k Key) (Verdict, string, error) {
	size := int64(len(data))
	f, err := judge(ctx, bytes.NewReader(data), size, k, Origin{Kind: FromContainer}, maxExpanded(size, defaultMaxSize))
	return f.verdict, f.note, err
}

// JudgeFrom is judge of what a reader has, and its error.
func JudgeFrom(ctx context.Context, r io.ReaderAt, size int64, k Key, maxExpanded int64) error {
	_, err := judge(ctx, r, size, k, Origin{Kind: FromContainer}, maxExpanded)
	return err
}
