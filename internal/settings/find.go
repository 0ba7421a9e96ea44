package settings

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
)

// Find returns the local.settings.json that a person's command uses, "" if there
// is none, and the app's folder, which holds host.json and policy.json.
//
// It looks first in root, which is FUNCTIONS_APP_ROOT_PATH if that is set; then
// in the working folder and its parents up to one that holds host.json, as Core
// Tools do; then in the program's folder. If no parent holds host.json, only the
// working folder counts, so that a stray file further up is never used.
func Find(root, working, program string) (file, app string) {
	for _, p := range places(root, working, program) {
		if path := filepath.Join(p.folder, FileName); isFile(path) {
			return path, cmp.Or(root, p.app)
		}
	}
	_, project := upTo(working, "host.json")
	if !isFile(filepath.Join(project, "host.json")) {
		project = program
	}
	return "", cmp.Or(root, project)
}

// Folders lists the folders in which Find looks, in their order.
func Folders(root, working, program string) []string {
	var list []string
	for _, p := range places(root, working, program) {
		if !slices.Contains(list, p.folder) {
			list = append(list, p.folder)
		}
	}
	return list
}

// place is a folder in which a local.settings.json may be, and the folder of its app.
type place struct{ folder, app string }

func places(root, working, program string) []place {
	var list []place
	if root != "" {
		list = append(list, place{root, root})
	}
	folders, project := upTo(working, "host.json")
	for _, folder := range folders {
		list = append(list, place{folder, project})
	}
	return append(list, place{program, program})
}

// upTo returns folder and its parents up to the nearest one that holds the file,
// and that one as holder. If none holds it, both results are folder alone.
func upTo(folder, file string) (folders []string, holder string) {
	for at := folder; ; at = filepath.Dir(at) {
		folders = append(folders, at)
		if isFile(filepath.Join(at, file)) {
			return folders, at
		}
		if at == filepath.Dir(at) {
			return []string{folder}, folder
		}
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}
