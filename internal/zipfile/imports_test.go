package zipfile

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNothingElseReadsZips holds the promise that one reader decides what there is.
func TestNothingElseReadsZips(t *testing.T) {
	t.Parallel()
	files := 0
	for _, dir := range []string{"../../internal", "../../functions", "../../handler"} {
		require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files++
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			require.NoError(t, err)
			for _, i := range file.Imports {
				name, err := strconv.Unquote(i.Path.Value)
				require.NoError(t, err)
				assert.NotEqual(t, "archive/zip", name, path)
			}
			return nil
		}))
	}
	assert.Greater(t, files, 50)
}
