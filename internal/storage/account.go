// Package storage opens Azure Blob and Queue Storage the way a setting says: by
// connection string (UseDevelopmentStorage=true included) or by identity, with
// the setting names the Functions host accepts. It signs copy sources and turns
// the SDK's errors into one readable line. It knows nothing of what is stored.
package storage

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"visionkeeper/internal/identity"
	"visionkeeper/internal/remedy"
)

// Account is one storage account and how to prove who we are to it: by the
// account's key, or by an identity.
type Account struct {
	// BlobURL and QueueURL are the service endpoints, without a trailing slash.
	// One of them may be empty where a setting names only the other.
	BlobURL, QueueURL string

	name, key string
	identity  identity.Identity
	clock     *clock // of the service; all copies of the account share it
}

// developmentStorage is what UseDevelopmentStorage=true stands for:
// https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string
const (
	developmentName = "devstoreaccount1"
	developmentKey  = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// ParseConnectionString reads a storage connection string with an account key.
// Names are matched without regard to case. The error never holds the string.
func ParseConnectionString(s string) (Account, error) {
	fields := map[string]string{}
	for part := range strings.SplitSeq(s, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return Account{}, errors.New("a connection string is a list of name=value, separated by semicolons")
		}
		fields[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	if strings.EqualFold(fields["usedevelopmentstorage"], "true") {
		return developmentAccount(fields["developmentstorageproxyuri"])
	}
	if fields["sharedaccesssignature"] != "" {
		return Account{}, remedy.New("use one with an AccountKey, or the identity form (…__blobServiceUri)", "a connection string with a SharedAccessSignature cannot sign copies")
	}
	a := Account{name: fields["accountname"], key: fields["accountkey"]}
	if a.name == "" || a.key == "" {
		return Account{}, errors.New("a connection string needs AccountName and AccountKey, or UseDevelopmentStorage=true")
	}
	if _, err := azqueue.NewSharedKeyCredential(a.name, a.key); err != nil {
		return Account{}, remedy.New("copy the connection string again from the portal", "AccountKey is not Base64")
	}
	protocol, suffix := fields["defaultendpointsprotocol"], fields["endpointsuffix"]
	if protocol == "" {
		protocol = "https"
	}
	if suffix == "" {
		suffix = "core.windows.net"
	}
	a.BlobURL, a.QueueURL = fields["blobendpoint"], fields["queueendpoint"]
	if a.BlobURL == "" {
		a.BlobURL = fmt.Sprintf("%s://%s.blob.%s", protocol, a.name, suffix)
	}
	if a.QueueURL == "" {
		a.QueueURL = fmt.Sprintf("%s://%s.queue.%s", protocol, a.name, suffix)
	}
	return a, a.normalise()
}

func developmentAccount(proxy string) (Account, error) {
	if proxy == "" {
		proxy = "http://127.0.0.1"
	}
	proxy = strings.TrimRight(proxy, "/")
	a := Account{
		name: developmentName, key: developmentKey,
		BlobURL:  proxy + ":10000/" + developmentName,
		QueueURL: proxy + ":10001/" + developmentName,
	}
	return a, a.normalise()
}

// normalise checks both endpoints, cuts trailing slashes, and begins the clock.
func (a *Account) normalise() error {
	a.clock = &clock{}
	for _, endpoint := range []*string{&a.BlobURL, &a.QueueURL} {
		if *endpoint == "" {
			continue
		}
		*endpoint = strings.TrimRight(*endpoint, "/")
		u, err := url.Parse(*endpoint)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" {
			return errors.New("a storage endpoint must be a plain http or https URL without user or query")
		}
	}
	return nil
}

// Transport sends the requests to storage. It leaves the bytes as they are stored,
// and follows no redirect, which would take a signed link elsewhere.
var Transport = func() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.MaxIdleConnsPerHost = 10 // as azcore's own: copies and listings go on at once
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}()

// Blob opens the account's Blob service. Options may be nil.
func (a Account) Blob(o *azcore.ClientOptions) (*service.Client, error) {
	if a.BlobURL == "" {
		return nil, remedy.New("set …__blobServiceUri or …__accountName", "no blob endpoint")
	}
	options := &service.ClientOptions{ClientOptions: a.observed(o)}
	if a.identity.Credential != nil {
		return service.NewClient(a.BlobURL, a.identity.Credential, options)
	}
	credential, err := service.NewSharedKeyCredential(a.name, a.key)
	if err != nil {
		return nil, err
	}
	return service.NewClientWithSharedKeyCredential(a.BlobURL, credential, options)
}

// Queue opens the account's Queue service. Options may be nil.
func (a Account) Queue(o *azcore.ClientOptions) (*azqueue.ServiceClient, error) {
	if a.QueueURL == "" {
		return nil, remedy.New("set …__queueServiceUri or …__accountName", "no queue endpoint")
	}
	options := &azqueue.ClientOptions{ClientOptions: a.observed(o)}
	if a.identity.Credential != nil {
		return azqueue.NewServiceClient(a.QueueURL, a.identity.Credential, options)
	}
	credential, err := azqueue.NewSharedKeyCredential(a.name, a.key)
	if err != nil {
		return nil, err
	}
	return azqueue.NewServiceClientWithSharedKeyCredential(a.QueueURL, credential, options)
}

// observed are Options with which the account's clock is kept.
func (a Account) observed(o *azcore.ClientOptions) azcore.ClientOptions {
	options := Options(o)
	if a.clock != nil {
		options.PerRetryPolicies = append([]policy.Policy{a.clock}, options.PerRetryPolicies...)
	}
	return options
}

// Secrets lists what must never be printed of this account.
func (a Account) Secrets() []string {
	if a.key == "" {
		return a.identity.Secrets()
	}
	return []string{a.key}
}

// Fingerprint is different for each account and each way to prove who we are to it.
// It holds the account's key or the identity's secret.
func (a Account) Fingerprint() string {
	return fmt.Sprintf("%q", []string{a.BlobURL, a.QueueURL, a.name, a.key, a.identity.Fingerprint()})
}

// Identity is the one by which the account is opened, the zero value with a key.
func (a Account) Identity() identity.Identity { return a.identity }

// Same reports whether both are one account, as far as their blob endpoints show: scheme,
// letter case and the scheme's own port make no difference.
func (a Account) Same(b Account) bool { return a.place() == b.place() }

// place is where the blob endpoint leads, in a form that can be compared.
func (a Account) place() string {
	u, err := url.Parse(strings.TrimRight(a.BlobURL, "/"))
	if err != nil || u.Host == "" {
		return a.BlobURL
	}
	host := Host(u)
	for _, port := range []string{":80", ":443"} {
		host = strings.TrimSuffix(host, port)
	}
	return host + u.Path
}

// AccountName is the name of the account that the URL of a container or blob leads to, as
// commands of the Azure CLI want it: the first label of the host, or on this machine the
// first part of the path.
func AccountName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(u.Hostname(), ".")
	if IsLoopback(u.Hostname()) {
		name, _, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	}
	return name
}

// IsZero reports whether no setting names the account.
func (a Account) IsZero() bool { return a.BlobURL == "" && a.QueueURL == "" }
