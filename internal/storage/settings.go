package storage

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"visionkeeper/internal/clouds"
	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/identity"
	"visionkeeper/internal/pattern"
	"visionkeeper/internal/remedy"
)

// The settings by which an account is named. Those of its identity are identity.Keys.
const (
	keyName   = "accountName"
	keySuffix = "endpointSuffix"
	keyBlob   = "blobServiceUri"
	keyQueue  = "queueServiceUri"
	keyEither = "serviceUri"
)

// Keys are the settings below a connection that the app uses.
var Keys = append([]string{keyName, keySuffix, keyBlob, keyQueue, keyEither}, identity.Keys...)

// Section is where a connection's settings stand, as the Functions host looks for
// them (WebJobsConfigurationExtensions.GetWebJobsConnectionStringSection).
func Section(name string, c *dotnet.Configuration) dotnet.Section {
	return c.FirstSection("ConnectionStrings:AzureWebJobs"+name, "AzureWebJobs"+name, "ConnectionStrings:"+name, name)
}

// FromSettings opens the connection called name. The first of these sections in which
// something is set counts: ConnectionStrings:AzureWebJobsNAME, AzureWebJobsNAME,
// ConnectionStrings:NAME, NAME. Its own value is a connection string. Without one it
// is the identity form: __accountName (with __endpointSuffix in
// another cloud), or the endpoints __blobServiceUri and __queueServiceUri, of which
// __serviceUri can be either (StorageClientProvider.TryGetServiceUri), and an
// identity (see identity.Read).
//
// The zero Account means that nothing is set. An error lists every fault, one a line.
func FromSettings(name string, c *dotnet.Configuration) (Account, error) {
	section := Section(name, c)
	text, err := section.Value()
	if err != nil {
		return Account{}, err
	}
	if text != "" {
		a, err := ParseConnectionString(text)
		if err != nil {
			set, _ := c.Lookup(section.Path)
			return Account{}, fmt.Errorf("setting %s: %w", set.Name, err)
		}
		return a, nil
	}
	if !section.IsSet() {
		return Account{}, nil
	}
	r := &reader{section: section, faults: section.Slips(Keys)}
	a := r.account()
	if a.identity, err = identity.Read(section, clouds.Of(cmp.Or(a.BlobURL, a.QueueURL))); err != nil {
		r.faults = append(r.faults, err)
	}
	if a.IsZero() && len(r.faults) == 0 {
		r.fault(keyName, "set it to the name of the storage account", "is not set, nor is %s, but other settings of the connection are", section.Name(keyBlob))
	}
	if err := errors.Join(r.faults...); err != nil {
		return Account{}, err
	}
	return a, nil
}

// reader reads the identity form of a connection.
type reader struct {
	section dotnet.Section
	faults  []error
}

func (r *reader) read(key string) string {
	value, err := r.section.Text(key)
	if err != nil {
		r.faults = append(r.faults, err)
	}
	return value
}

// fault notes a setting that can't be used.
func (r *reader) fault(key, do, format string, a ...any) {
	r.faults = append(r.faults, remedy.New(do, "setting %s %s", r.section.Name(key), fmt.Sprintf(format, a...)))
}

// account reads the endpoints.
func (r *reader) account() Account {
	a := Account{clock: &clock{}}
	if a.name = r.read(keyName); a.name != "" && !accountName().MatchString(a.name) {
		r.fault(keyName, "write the name alone, 3 to 24 small letters and digits, such as shop for https://shop.blob.core.windows.net", "is %q, which is no account's name", a.name)
		a.name = ""
	}
	suffix := strings.Trim(r.read(keySuffix), ".")
	switch {
	case suffix == "":
		suffix = clouds.Of("").StorageSuffix
	case !domain().MatchString(suffix):
		r.fault(keySuffix, "write what follows \"blob.\" in the account's endpoint, such as core.usgovcloudapi.net", "is %q, which is no domain", suffix)
	case a.name == "":
		r.fault(keySuffix, "set "+r.section.Name(keyName)+" too, or leave it out", "needs %s", r.section.Name(keyName))
	}
	if a.name != "" {
		a.BlobURL, a.QueueURL = "https://"+a.name+".blob."+suffix, "https://"+a.name+".queue."+suffix
	}
	either, blob, queue := r.endpoint(keyEither), r.endpoint(keyBlob), r.endpoint(keyQueue)
	if either != "" {
		if b, q, ok := bothEndpoints(either); ok {
			a.BlobURL, a.QueueURL = b, q
		} else {
			r.fault(keyEither, "give it as "+r.section.Name(keyBlob)+" and as "+r.section.Name(keyQueue)+" instead", "doesn't show whether it is the endpoint of blobs or of queues")
		}
	}
	if blob != "" {
		a.BlobURL = blob
	}
	if queue != "" {
		a.QueueURL = queue
	}
	return a
}

// endpoint reads an endpoint. Tokens are sent over https alone.
func (r *reader) endpoint(key string) string {
	text := strings.TrimRight(r.read(key), "/")
	if text == "" {
		return ""
	}
	if u, err := url.Parse(text); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		r.fault(key, "write the endpoint from the account's page Endpoints, such as https://shop.blob.core.windows.net", "is no https URL without user and query")
		return ""
	} else if _, _, ok := bothEndpoints(text); ok && u.Path != "" {
		r.fault(key, "leave "+u.Path+" out; containers and queues have settings of their own", "is more than an account's endpoint")
		return ""
	}
	return text
}

var (
	// accountName matches the names that storage accounts may have:
	// https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name
	accountName = pattern.Of(`^[a-z0-9]{3,24}$`)
	domain      = pattern.Of(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
	// serviceHost is NAME.blob.DOMAIN, or NAME.zNN.blob.DOMAIN with a DNS zone.
	serviceHost = pattern.Of(`^(https?://[^./]+(?:\.z[0-9]+)?)\.(blob|queue)\.(.+)$`)
)

// bothEndpoints are those of blobs and queues of the account to which an endpoint
// belongs. ok is false if the endpoint doesn't have Azure's form.
func bothEndpoints(endpoint string) (blob, queue string, ok bool) {
	m := serviceHost().FindStringSubmatch(endpoint)
	if m == nil {
		return "", "", false
	}
	return m[1] + ".blob." + m[3], m[1] + ".queue." + m[3], true
}

// HostReads says where the Functions host looks for the queues of the connection
// called name if that isn't where the app looks: it passes over __endpointSuffix,
// and over __queueServiceUri where __accountName is set
// (StorageClientProvider.TryGetServiceUri). It is nil if both look at one place.
func HostReads(name string, a Account, c *dotnet.Configuration) error {
	section := Section(name, c)
	account, err := section.Text(keyName)
	if text, _ := section.Value(); text != "" || err != nil || account == "" {
		return nil
	}
	theirs := "https://" + account + ".queue." + clouds.Of("").StorageSuffix
	if theirs == a.QueueURL {
		return nil
	}
	out := section.Name(keyName)
	if suffix, _ := section.Text(keySuffix); suffix != "" {
		out += " and " + section.Name(keySuffix)
	}
	return remedy.New(fmt.Sprintf("set %s to %s and %s to %s, and take %s out", section.Name(keyBlob), a.BlobURL, section.Name(keyQueue), a.QueueURL, out),
		"the Functions host takes %s for the account's queues at %s, where the app doesn't look", section.Name(keyName), theirs)
}
