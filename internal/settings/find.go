package settings

import (
	"cmp"
	"os"
	"path/filepath"
)

// Find returns the local.settings.json that a person's command uses, "" if there
// is none, and the app's folder, which holds host.json and policy.json.
//
// It looks first in root, which is FUNCTIONS_APP_ROOT_PATH if that is set; then
// in the working folder and its parents up to one that holds host.json, as Core
// Tools do; then in the program's folder. If no parent holds host.json, only the
// working folder counts, so that a stray file further up is never used.
func Find(root, working, program string) (file, app string) {
	folders, project := upTo(working, "host.json")
	type place struct{ folder, app string }
	var places []place
	if root != "" {
		places = append(places, place{root, root})
	}
	for _, folder := range folders {
		places = append(places, place{folder, project})
	}
	for _, p := range append(places, place{program, program}) {
		if path := filepath.Join(p.folder, FileName); isFile(path) {
			return path, cmp.Or(root, p.app)
		}
	}
	if !isFile(filepath.Join(project, "host.json")) {
		project = program
	}
	return "", cmp.Or(root, project)
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
