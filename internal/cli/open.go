package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"visionkeeper/handler"
	"visionkeeper/internal/app"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/redact"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/state"
)

// here are the folders from which the settings are looked for: what the host says, the
// working folder and the program's.
func here() (root, working, program string) {
	working, _ = os.Getwd()
	executable, _ := os.Executable()
	return os.Getenv("FUNCTIONS_APP_ROOT_PATH"), working, filepath.Dir(executable)
}

// environment is where the verbs' settings come from: the environment first, then
// the file that --settings names, else the local.settings.json that is found.
func (p *program) environment() (*dotnet.Configuration, error) {
	c := dotnet.NewConfiguration(dotnet.Environment()...)
	path := p.settingsFile
	if path == "" {
		if path, _ = settings.Find(here()); path == "" {
			return c, nil
		}
	}
	if err := settings.AddFile(c, path); err != nil {
		return nil, p.settingsProblem(err)
	}
	return c, nil
}

// settingsProblem makes a problem of each fault in the settings.
func (p *program) settingsProblem(err error) error {
	if err == nil {
		return nil
	}
	var list []error
	said := false // once is enough
	for _, e := range flatten(err) {
		why, do := remedy.Of(e)
		if do == "" {
			do = "Set it in the environment or in a local.settings.json; local.settings.json.example shows every setting"
		}
		if errors.As(e, new(settings.NotSet)) && !said {
			do, said = do+p.looked(), true
		}
		list = append(list, problem{What: "Could not use the settings", Why: why, Do: do})
	}
	return errors.Join(list...)
}

// looked says where a setting that is not set was looked for, and how to name
// another place.
func (p *program) looked() string {
	path := p.settingsFile
	if path == "" {
		path, _ = settings.Find(here())
	}
	if path != "" {
		return "; neither the environment nor " + path + " has it, and --settings FILE names another file"
	}
	return fmt.Sprintf("; the environment doesn't have it, there is no %s in %s, and --settings FILE names one that is elsewhere",
		settings.FileName, strings.Join(settings.Folders(here()), " or "))
}

// appRoot is the folder of the app, with policy.json and host.json: what the host
// says, else the folder of the settings that were named, else the one that is found.
func (p *program) appRoot(c *dotnet.Configuration) string {
	if p.settingsFile != "" {
		return handler.Root(c.Get, p.settingsFile)
	}
	_, app := settings.Find(here())
	return app
}

// settings are all of the app's settings.
func (p *program) settings() (settings.Settings, *dotnet.Configuration, error) {
	c, err := p.environment()
	if err != nil {
		return settings.Settings{}, nil, err
	}
	s, err := settings.Load(c)
	if err != nil {
		return s, c, p.settingsProblem(err)
	}
	p.hide(s)
	return s, c, nil
}

// hide keeps the settings' secrets out of everything that is printed from now on.
func (p *program) hide(s settings.Settings) {
	p.out.stdout = redact.Writer(p.out.stdout, s.Secrets()...)
	p.out.stderr = redact.Writer(p.out.stderr, s.Secrets()...)
	p.out.bar = redact.Writer(p.out.bar, s.Secrets()...)
}

// vault is the archive and the state beside it, with the settings that lead to
// them alone.
type vault struct {
	settings settings.Settings
	archive  *archive.Archive
	sets     *dataset.Store
	state    *state.Store
}

func (p *program) openVault() (*vault, error) {
	c, err := p.environment()
	if err != nil {
		return nil, err
	}
	v := &vault{}
	if v.settings, err = settings.LoadArchive(c); err != nil {
		return nil, p.settingsProblem(err)
	}
	p.hide(v.settings)
	if v.archive, v.state, err = app.OpenArchive(v.settings, p.version); err != nil {
		return v, err
	}
	v.sets, err = app.OpenSets(v.settings, p.version)
	return v, err
}
