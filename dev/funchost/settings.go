package funchost

import (
	"errors"
	"fmt"
	"io/fs"
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
	values  dotnet.Configuration
}

// readSettings joins three sources: env (KEY=value), the environment of this
// process, and Values and ConnectionStrings of a local.settings.json. Earlier
// sources win. As func start does, it warns about a name in the file that is
// already set. An empty path means no file.
func readSettings(path string, env []string, log *logger) (*settings, error) {
	s := &settings{environ: map[string]string{}}
	var list []dotnet.Setting
	for _, pair := range append(os.Environ(), env...) {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			s.environ[name] = value
		}
	}
	for name, value := range s.environ {
		list = append(list, dotnet.Setting{Name: name, Value: value})
	}
	s.values.Add(list...)
	if path == "" {
		return s, nil
	}
	file, err := dotnet.ReadLocalSettings(path)
	if errors.As(err, new(*fs.PathError)) {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if err != nil { // it begins with the file
		return nil, fmt.Errorf("read %w", err)
	}
	for _, set := range file {
		if _, taken := s.environ[set.Name]; taken {
			log.warnf("Skipping '%s' from local settings as it's already defined in current environment variables.", set.Name)
			continue
		}
		s.set(set)
	}
	return s, nil
}

func (s *settings) set(set dotnet.Setting) {
	s.environ[set.Name] = set.Value
	s.values.Add(set)
}

func (s *settings) get(name string) string { return s.values.Get(name) }

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
		set, ok := s.values.Lookup(strings.Trim(name, "%"))
		if !ok {
			missing = fmt.Errorf("'%s' does not resolve to a value: set it", name)
		}
		return set.Value
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
		s.set(dotnet.Setting{Name: name, Value: value})
	}
}
