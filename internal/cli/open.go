package cli

import (
	"errors"
	"os"
	"path/filepath"

	"visionkeeper/handler"
	"visionkeeper/internal/app"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/redact"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/state"
)

// locate is settings.Find for this process.
func locate() (file, app string) {
	working, _ := os.Getwd()
	program, _ := os.Executable()
	return settings.Find(os.Getenv("FUNCTIONS_APP_ROOT_PATH"), working, filepath.Dir(program))
}

// environment is where the verbs' settings come from: the environment first, then
// the file that --settings names, else the local.settings.json that is found.
func (p *program) environment() (getenv func(string) string, err error) {
	path := p.settingsFile
	if path == "" {
		if path, _ = locate(); path == "" {
			return os.Getenv, nil
		}
	}
	getenv, err = settings.WithFile(os.LookupEnv, path)
	if err != nil {
		return nil, settingsProblem(err)
	}
	return getenv, nil
}

// settingsProblem makes a problem of each fault in the settings.
func settingsProblem(err error) error {
	var list []error
	for _, e := range flatten(err) {
		why, do := remedy.Of(e)
		if do == "" {
			do = "Set it in the environment or in a local.settings.json; local.settings.json.example shows every setting"
		}
		list = append(list, problem{What: "Could not use the settings", Why: why, Do: do})
	}
	return errors.Join(list...)
}

// appRoot is the folder of the app, with policy.json and host.json: what the host
// says, else the folder of the settings that were named, else the one that is found.
func (p *program) appRoot(getenv func(string) string) string {
	if p.settingsFile != "" {
		return handler.Root(getenv, p.settingsFile)
	}
	_, app := locate()
	return app
}

// settings are all of the app's settings.
func (p *program) settings() (settings.Settings, func(string) string, error) {
	getenv, err := p.environment()
	if err != nil {
		return settings.Settings{}, nil, err
	}
	s, err := settings.Load(getenv)
	if err != nil {
		return s, getenv, settingsProblem(err)
	}
	p.hide(s)
	return s, getenv, nil
}

// hide keeps the settings' secrets out of everything that is printed from now on.
func (p *program) hide(s settings.Settings) {
	p.out.stdout = redact.Writer(p.out.stdout, s.Secrets()...)
	p.out.stderr = redact.Writer(p.out.stderr, s.Secrets()...)
}

// vault is the archive and the state beside it, with the settings that lead to
// them alone.
type vault struct {
	settings settings.Settings
	archive  *archive.Archive
	state    *state.Store
}

func (p *program) openVault() (*vault, error) {
	getenv, err := p.environment()
	if err != nil {
		return nil, err
	}
	v := &vault{}
	if v.settings, err = settings.LoadArchive(getenv); err != nil {
		return nil, settingsProblem(err)
	}
	p.hide(v.settings)
	v.archive, v.state, err = app.OpenArchive(v.settings, p.version)
	return v, err
}
