package settings

import (
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/identity"
	"visionkeeper/internal/nearest"
	"visionkeeper/internal/pattern"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/storage"
)

// The settings that the Functions host needs to run a function and that the app
// itself doesn't read.
const (
	hostStorage = "Storage" // AzureWebJobsStorage
	// SweepSchedule is when the host sweeps.
	SweepSchedule = "SWEEP_SCHEDULE"
)

// CheckHost lists the faults in what only the Functions host reads: settings that it
// needs, a schedule that it can't read or that never comes, and a queue that it would
// look for in another place than the app. The app works as far as it can with each
// of them.
func CheckHost(c *dotnet.Configuration) []error {
	var faults []error
	const do = "set it, as local.settings.json.example does"
	switch account, err := storage.FromSettings(hostStorage, c); {
	case err != nil:
		faults = append(faults, err)
	case account.IsZero():
		faults = append(faults, notSet(do, "AzureWebJobsStorage is not set, and the Functions host needs it"))
	}
	switch text, err := c.Text(SweepSchedule); {
	case err != nil:
		faults = append(faults, err)
	case text == "":
		faults = append(faults, notSet(do, "SWEEP_SCHEDULE is not set, and the Functions host needs it"))
	default:
		faults = append(faults, schedule(text))
	}
	if models, err := storage.FromSettings(modelsConnection, c); err == nil {
		faults = append(faults, storage.HostReads(modelsConnection, models, c))
	}
	return slices.DeleteFunc(faults, func(err error) bool { return err == nil })
}

func schedule(text string) error {
	s, err := dotnet.ParseSchedule(text)
	switch {
	case err != nil:
		why, do := remedy.Of(err)
		return remedy.New(do, "SWEEP_SCHEDULE: %s", why)
	case s.Next(time.Now()).IsZero():
		return remedy.New(`write a day that every month has, or *, as in "0 */15 * * * *"`, "SWEEP_SCHEDULE: %q never comes", text)
	}
	return nil
}

// connections are the connections of the app and of the host.
var connections = []string{modelsConnection, archivesConnection, hostStorage}

// documented is the spelling of a connection in the documents.
func documented(connection string) string {
	if connection == hostStorage {
		return "AzureWebJobs" + hostStorage
	}
	return connection
}

// Spelled lists the settings that are set in another spelling than that of the
// documents, and are used all the same.
func Spelled(c *dotnet.Configuration) []string {
	var list []string
	note := func(name string, set dotnet.Setting) {
		if set.Name != name && strings.TrimSpace(set.Value) != "" {
			list = append(list, name+" is read from "+set.Name)
		}
	}
	for _, name := range append(texts(), overrides...) {
		set, _ := c.Lookup(name)
		note(name, set)
	}
	section := func(name string, s dotnet.Section, keys []string) {
		set, _ := c.Lookup(s.Path)
		note(name, set)
		for _, key := range keys {
			set, _ := c.Lookup(s.Path + "__" + key)
			note(name+"__"+key, set)
		}
	}
	for _, connection := range connections {
		section(documented(connection), storage.Section(connection, c), storage.Keys)
	}
	section(visionIdentity, c.FirstSection(visionIdentity), identity.Keys)
	return list
}

// texts are the settings that are one text.
func texts() []string {
	list := []string{SweepSchedule}
	for _, o := range own {
		list = append(list, o.name)
	}
	return list
}

// overrides are the settings in place of host.json that the app reads (see
// handler.Deadline and handler.MaxDequeueCount).
var overrides = []string{"AzureFunctionsJobHost__functionTimeout", "AzureFunctionsJobHost__extensions__queues__maxDequeueCount"}

// names are all settings in all the places where they are looked for.
func names() []string {
	list := append(texts(), overrides...)
	for _, connection := range connections {
		for _, path := range []string{documented(connection), "AzureWebJobs" + connection} {
			for _, path := range []string{path, "ConnectionStrings__" + path} {
				list = append(list, path)
				for _, key := range storage.Keys {
					list = append(list, path+"__"+key)
				}
			}
		}
	}
	for _, key := range identity.Keys {
		list = append(list, visionIdentity+"__"+key)
	}
	return list
}

// Strays lists the settings that look like the app's and that nothing reads: slips,
// whose names are almost, but not quite, those of the app, and others that begin as
// its settings do. Slips below a connection aren't listed, since Load finds them.
func Strays(c *dotnet.Configuration) (slips []error, others []string) {
	known := names()
	read := &dotnet.Configuration{}
	for _, name := range known {
		read.Add(dotnet.Setting{Name: name})
	}
	for _, set := range c.Settings() {
		if _, ok := read.Lookup(set.Name); ok || strings.TrimSpace(set.Value) == "" {
			continue
		}
		near := nearest.Of(set.Name, known)
		if begins := beginning().MatchString(set.Name); near != "" && !inSection().MatchString(set.Name) {
			slips = append(slips, remedy.New("rename it to "+near+", or take it out", "%s is no setting of the app, but %s is", set.Name, near))
		} else if begins && near == "" {
			others = append(others, set.Name)
		}
	}
	return slips, others
}

var (
	// beginning matches what begins as the app's settings do.
	beginning = pattern.Of(`(?i)^(CUSTOMVISION(_|:|Storage)|ArchiveStorage|VISIONKEEPER_|EVENTS_(QUEUE|WEBHOOK|GRID)|(NOTIFICATION_QUEUE|(MODEL|ARCHIVE|STATE)_CONTAINER|SWEEP_SCHEDULE))`)
	// inSection matches what is below one of the app's or the host's sections.
	inSection = pattern.Of(`(?i)^(CUSTOMVISION|(AzureWebJobs)?(CustomVisionStorage|ArchiveStorage|Storage))(__|:)`)
)
