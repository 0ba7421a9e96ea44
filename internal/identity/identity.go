// Package identity reads which identity proves who the app is, from the settings
// below a connection (CustomVisionStorage__credential and others), with the names
// and the meaning that they have for the Functions host. It signs nobody in: that
// happens with the first request. Start reading at Read.
package identity

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"visionkeeper/internal/clouds"
	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/telemetry"
)

// Identity proves who the app is. The zero value proves nothing.
type Identity struct {
	Credential azcore.TokenCredential

	settings, secret string
}

// Secrets lists what must never be printed.
func (i Identity) Secrets() []string {
	if i.secret == "" {
		return nil
	}
	return []string{i.secret}
}

// Fingerprint is different for each identity, and for each environment in which the
// same settings may lead to another one. It holds the secrets of both.
func (i Identity) Fingerprint() string { return i.settings }

// Keys are the settings of an identity that the app uses.
var Keys = []string{
	"credential", "clientId", "managedIdentityClientId", "managedIdentityResourceId", "managedIdentityObjectId",
	"tenantId", "clientSecret", "tokenFilePath", "additionallyAllowedTenants",
}

// unusable are the settings by which the Functions host finds identities that the
// app can't use.
var unusable = []string{
	"clientCertificate", "clientCertificateStoreName", "clientCertificateStoreLocation",
	"serviceConnectionId", "systemAccessToken", "azureCloud",
}

// HasKey reports whether a setting, in any letter case, is one of an identity's.
func HasKey(key string) bool {
	return slices.ContainsFunc(slices.Concat(Keys, unusable), func(k string) bool { return strings.EqualFold(k, key) })
}

// kind is how an identity is found. The first two are values of …__credential.
type kind string

const (
	managed  kind = "managedidentity"
	workload kind = "workloadidentity"
	secret   kind = "clientSecret"
	search   kind = "" // what azidentity.DefaultAzureCredential finds
)

// uses are the settings that each kind uses, beside credential and
// additionallyAllowedTenants.
var uses = map[kind][]string{
	managed:  {"clientId", "managedIdentityClientId", "managedIdentityResourceId", "managedIdentityObjectId", "tenantId"},
	workload: {"clientId", "tenantId", "tokenFilePath"},
	secret:   {"clientId", "tenantId", "clientSecret"},
	search:   {"clientId", "managedIdentityClientId", "managedIdentityResourceId", "tenantId"},
}

// Read reads the identity of a section, for the cloud in which it is to be used. The
// rules are those of ClientFactory.CreateCredential in Microsoft.Extensions.Azure:
//
//   - credential "managedidentity" is the system's, or the user-assigned one that
//     clientId, managedIdentityClientId, managedIdentityResourceId or
//     managedIdentityObjectId names;
//   - credential "workloadidentity" is that of a Kubernetes cluster; tenantId, clientId
//     and tokenFilePath win over its environment;
//   - tenantId, clientId and clientSecret together are an app registration;
//   - otherwise it is what azidentity.DefaultAzureCredential finds, where the name of
//     a user-assigned identity and tenantId narrow the search.
//
// That code passes over what it can't use. Here it is an error, which lists every
// fault, one a line.
func Read(section dotnet.Section, cloud clouds.Cloud) (Identity, error) {
	r := &reader{section: section, values: map[string]string{}}
	for _, key := range Keys {
		r.read(key)
	}
	for _, key := range unusable {
		if r.read(key); r.values[key] != "" {
			r.fault("use a managed identity, or an app registration with tenantId, clientId and clientSecret", key, "can't be used by this app")
		}
	}
	kind := r.kind()
	r.combine(kind)
	if err := errors.Join(r.faults...); err != nil {
		return Identity{}, err
	}
	credential, err := r.credential(kind, azcore.ClientOptions{Cloud: cloud.SignIn, PerRetryPolicies: []policy.Policy{telemetry.Policy()}})
	if err != nil {
		return Identity{}, remedy.New("mend the settings that begin so; README lists those of an identity", "%s__: %w", section.Path, err)
	}
	return Identity{credential, fmt.Sprintf("%q", r.values) + environment(section.Of), r.values["clientSecret"]}, nil
}

type reader struct {
	section dotnet.Section
	values  map[string]string // those that are set
	faults  []error
}

func (r *reader) read(key string) {
	value, err := r.section.Text(key)
	if err != nil {
		r.faults = append(r.faults, err)
	} else if value != "" {
		r.values[key] = value
	}
}

// fault notes a setting that can't be used.
func (r *reader) fault(do, key, format string, a ...any) {
	r.faults = append(r.faults, remedy.New(do, "%s %s", r.section.Name(key), fmt.Sprintf(format, a...)))
}

func (r *reader) kind() kind {
	switch k := kind(strings.ToLower(r.values["credential"])); {
	case k == managed, k == workload:
		return k
	case k != "":
		r.fault("use managedidentity or workloadidentity, or leave it out", "credential", "is %q, which is not known", r.values["credential"])
	case r.values["clientSecret"] != "":
		return secret
	}
	return search
}

// combine finds settings that don't go together.
func (r *reader) combine(k kind) {
	if len(r.faults) > 0 {
		return
	}
	for _, key := range Keys {
		if r.values[key] == "" || key == "credential" || key == "additionallyAllowedTenants" || slices.Contains(uses[k], key) {
			continue
		}
		credential := r.section.Name("credential")
		switch {
		case k == secret:
			r.fault("leave one of them out", key, "and %s can't be used together", r.section.Name("clientSecret"))
		case k != search:
			r.fault("leave one of them out", key, "can't be used together with %s, which is %s", credential, k)
		case key == "tokenFilePath":
			r.fault("set "+credential+" to workloadidentity", key, "needs %s", credential)
		default:
			r.fault("set "+credential+" to managedidentity", key, "needs %s", credential)
		}
	}
	if named := r.named(k); len(named) > 1 {
		r.fault("leave one of them out", named[0], "and %s name a managed identity each", r.section.Name(named[1]))
	}
	for _, key := range []string{"tenantId", "clientId"} {
		if k == secret && r.values[key] == "" {
			r.fault("set "+r.section.Name(key)+" too", "clientSecret", "needs %s", r.section.Name(key))
		}
	}
}

// named are the settings that name a managed identity. In a search, clientId doesn't
// if managedIdentityClientId is set.
func (r *reader) named(k kind) []string {
	if k != managed && k != search {
		return nil
	}
	var set []string
	for _, key := range []string{"managedIdentityResourceId", "managedIdentityObjectId", "managedIdentityClientId", "clientId"} {
		if r.values[key] != "" && !(k == search && key == "clientId" && r.values["managedIdentityClientId"] != "") {
			set = append(set, key)
		}
	}
	return set
}

func (r *reader) credential(k kind, o policy.ClientOptions) (azcore.TokenCredential, error) {
	v := r.values
	var tenants []string
	for tenant := range strings.SplitSeq(v["additionallyAllowedTenants"], ";") {
		if tenant = strings.TrimSpace(tenant); tenant != "" {
			tenants = append(tenants, tenant)
		}
	}
	cluster := &azidentity.WorkloadIdentityCredentialOptions{
		ClientOptions: o, AdditionallyAllowedTenants: tenants, TenantID: v["tenantId"], ClientID: v["clientId"], TokenFilePath: v["tokenFilePath"],
	}
	offered := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: o, ID: r.managedID(k)}
	switch k {
	case managed:
		return azidentity.NewManagedIdentityCredential(offered)
	case workload:
		return azidentity.NewWorkloadIdentityCredential(cluster)
	case secret:
		return azidentity.NewClientSecretCredential(v["tenantId"], v["clientId"], v["clientSecret"],
			&azidentity.ClientSecretCredentialOptions{ClientOptions: o, AdditionallyAllowedTenants: tenants})
	}
	anyone, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
		ClientOptions: o, AdditionallyAllowedTenants: tenants, TenantID: v["tenantId"],
	})
	if err != nil || offered.ID == nil {
		return anyone, err
	}
	cluster.ClientID = cmp.Or(v["managedIdentityClientId"], v["clientId"])
	return newNamed(cluster, offered, anyone)
}

// managedID is the name of a user-assigned identity, nil if there is none.
func (r *reader) managedID(k kind) azidentity.ManagedIDKind {
	named := r.named(k)
	if len(named) == 0 {
		return nil
	}
	switch value := r.values[named[0]]; named[0] {
	case "managedIdentityResourceId":
		return azidentity.ResourceID(value)
	case "managedIdentityObjectId":
		return azidentity.ObjectID(value)
	default:
		return azidentity.ClientID(value)
	}
}
