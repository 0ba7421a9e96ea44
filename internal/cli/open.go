package cli

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"visionkeeper/handler"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/redact"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

const policyName = "policy.json"

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

// settingsProblem is one for each line of a fault in the settings.
func settingsProblem(err error) error {
	var list []error
	for _, e := range flatten(err) {
		p := problem{
			What: "Could not use the settings", Why: e.Error(),
			Do: "Set it in the environment or in a local.settings.json; local.settings.json.example shows every setting",
		}
		if m := remedy.FindStringSubmatch(p.Why); m != nil {
			p.Why, p.Do = m[1], m[2]
		}
		list = append(list, p)
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

// vault is what remains when everything else is gone: the archive and the state
// beside it.
type vault struct {
	settings settings.Settings
	archive  *archive.Archive
	state    *state.Store
}

// openVault opens archive and state by the settings that lead to them alone.
func (p *program) openVault() (*vault, error) {
	getenv, err := p.environment()
	if err != nil {
		return nil, err
	}
	s, err := settings.LoadArchive(getenv)
	if err != nil {
		return nil, settingsProblem(err)
	}
	p.hide(s)
	blobs, err := s.Archives.Blob(nil)
	if err != nil {
		return nil, err
	}
	return &vault{
		settings: s,
		archive:  archive.Open(blobs, s.ArchiveContainer, archive.Options{Version: p.version}),
		state:    state.Open(blobs, s.StateContainer),
	}, nil
}

// openService opens Custom Vision; nil without an endpoint. Options may be nil.
func openService(s settings.Settings, o *customvision.ClientOptions) (*customvision.Client, error) {
	if s.Endpoint == "" {
		return nil, nil
	}
	if s.Key != "" {
		return customvision.NewClientWithKey(s.Endpoint, s.Key, o)
	}
	identity, err := storage.Identity("", "")
	if err != nil {
		return nil, fmt.Errorf("CUSTOMVISION_KEY is not set, and there is no identity: %w", err)
	}
	return customvision.NewClient(s.Endpoint, identity, o)
}

// newReconciler opens all that reconciling needs. Nothing is asked of any service
// yet. The warnings say what the app won't do until its settings are mended.
func newReconciler(s settings.Settings, version, policyPath string) (*reconcile.Reconciler, []string, error) {
	var warnings []string
	rules, err := policy.Load(policyPath)
	if err != nil {
		warnings = append(warnings, "no exports are asked for and nothing is retrained, finished exports are archived all the same: "+err.Error())
		rules = policy.ArchiveOnly
	}
	if s.Endpoint == "" {
		warnings = append(warnings, "CUSTOMVISION_ENDPOINT is not set: only what lands in the model container is archived")
	}
	service, err := openService(s, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("open Custom Vision: %w", err)
	}
	models, err := s.Models.Blob(storage.SmallRequests())
	if err != nil {
		return nil, nil, fmt.Errorf("CustomVisionStorage: %w", err)
	}
	archives, err := s.Archives.Blob(nil)
	if err != nil {
		return nil, nil, fmt.Errorf("ArchiveStorage: %w", err)
	}
	states, err := s.Archives.Blob(storage.SmallRequests())
	if err != nil {
		return nil, nil, fmt.Errorf("ArchiveStorage: %w", err)
	}
	return reconcile.New(reconcile.Options{
		Policy:    rules,
		Service:   service,
		Archive:   archive.Open(archives, s.ArchiveContainer, archive.Options{Version: version}),
		State:     state.Open(states, s.StateContainer),
		Models:    reconcile.OpenModels(s.Models, models, s.ModelContainer),
		Downloads: reconcile.Downloads{Suffix: blobSuffix(s.Models.BlobURL), Loopback: s.Loopback()},
		Times: reconcile.Times{
			LookInterval: s.LookInterval, SettledFor: s.SettledFor, StuckAfter: s.StuckAfter, IntentGrace: s.IntentGrace,
		},
		Clock: reconcile.SystemClock{},
	}), warnings, nil
}

// blobSuffix is the domain of the cloud's blob hosts, as the model container's
// own endpoint shows it: blob.core.windows.net, or that of another cloud.
func blobSuffix(endpoint string) string {
	if u, err := url.Parse(endpoint); err == nil {
		if _, domain, ok := strings.Cut(u.Hostname(), ".blob."); ok {
			return "blob." + domain
		}
	}
	return "blob.core.windows.net"
}
