package ondisk

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAFilesPlaceIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"labels.txt": "labels.txt", "./labels.txt": "labels.txt", `app\labels.txt`: "app/labels.txt", "a//b/./c": "a/b/c",
		"a/../labels.txt": "labels.txt", "./": ".", "folder/": "folder", ".hidden": ".hidden", "a .b": "a .b", "console.txt": "console.txt", "com10": "com10",
		"": "", "/labels.txt": "", `\labels.txt`: "", "//server/share": "", "../labels.txt": "", "a/../../b": "", "..": "",
		"C:labels.txt": "", "labels.txt:stream": "", "labels\n.txt": "", "labels\x00.txt": "", "labels\x7f": "",
		"...": "", "a./b": "", "labels.txt ": "", "a/.. /b": "", "labels?.txt": "", "*": "", `"`: "", "a|b": "", "<a>": "",
		"NUL": "", "app/con": "", "Con.txt": "", "aux .txt": "", "COM1": "", "lpt\u00b9.log": "", "conin$": "",
		strings.Repeat("a", 255): strings.Repeat("a", 255), strings.Repeat("a", 256): "",
	} {
		to, err := Path(name)
		assert.Equal(t, want, to, "%q", name)
		assert.Equal(t, want == "", err != nil, "%q", name)
	}
}
