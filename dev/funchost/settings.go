package funchost

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"

	"visionkeeper/internal/dotnet"
)

// settings are the app settings. They are the host's environment, which the
// handler inherits.
type settings struct {
	environ map[string]string // as given
	values  map[string]string // keys in lower case with colons, as in .NET's configuration
}

// readSettings joins three sources: env (KEY=value), the environment of this
// process, and Values and ConnectionStrings of a local.settings.json. Earlier
// sources win. As func start does, it warns about a name in the file that is
// already set. An empty path means no file.
func readSettings(path string, env []string, log *logger) (*settings, error) {
	s := &settings{environ: map[string]string{}, values: map[string]string{}}
	for _, pair := range append(os.Environ(), env...) {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			s.set(name, value)
		}
	}
	if path == "" {
		return s, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	var file struct {
		IsEncrypted       bool
		Values            map[string]*string
		ConnectionStrings map[string]json.RawMessage
	}
	if err := json.Unmarshal(dotnet.JSON(text), &file); err != nil {
		return nil, fmt.Errorf("read %s: %w (Values must be a flat list of names and texts)", path, err)
	}
	if file.IsEncrypted {
		return nil, fmt.Errorf("read %s: IsEncrypted is true: run `func settings decrypt` first", path)
	}
	for name, raw := range file.ConnectionStrings {
		var value string
		if json.Unmarshal(raw, &value) == nil {
			s.setNew("ConnectionStrings:"+name, value, log)
		}
	}
	names := make([]string, 0, len(file.Values))
	for name := range file.Values {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if value := file.Values[name]; value != nil {
			s.setNew(name, *value, log)
		}
	}
	return s, nil
}

func (s *settings) set(name, value string) {
	s.environ[name] = value
	s.values[settingKey(name)] = value
}

func (s *settings) setNew(name, value string, log *logger) {
	if _, taken := s.environ[name]; taken {
		log.warnf("Skipping '%s' from local settings as it's already defined in current environment variables.", name)
		return
	}
	s.set(name, value)
}

func (s *settings) get(name string) string { return s.values[settingKey(name)] }

func settingKey(name string) string { return strings.ToLower(strings.ReplaceAll(name, "__", ":")) }

// environment returns the whole environment of a child process.
func (s *settings) environment() []string {
	list := make([]string, 0, len(s.environ))
	for name, value := range s.environ {
		list = append(list, name+"="+value)
	}
	sort.Strings(list)
	return list
}

var percentName = regexp.MustCompile(`%([^%]*)%`)

// resolve replaces every %NAME% by the setting of that name. A setting that
// doesn't exist is an error (NameResolverExtensions.cs).
func (s *settings) resolve(text string) (string, error) {
	var missing error
	resolved := percentName.ReplaceAllStringFunc(text, func(name string) string {
		value, ok := s.values[settingKey(strings.Trim(name, "%"))]
		if !ok {
			missing = fmt.Errorf("'%s' does not resolve to a value: set it", name)
		}
		return value
	})
	return resolved, missing
}

// expand is resolve for the command line, where %NAME% is removed if it is not
// set.
func (s *settings) expand(text string) string {
	resolved, _ := s.resolve(text)
	return resolved
}

// setDefault sets a setting that isn't set.
func (s *settings) setDefault(name, value string) {
	if _, taken := s.environ[name]; !taken {
		s.set(name, value)
	}
}
