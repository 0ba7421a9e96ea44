package identity

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/clouds"
	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/remedy"
)

func read(values map[string]string) (Identity, error) {
	c := &dotnet.Configuration{}
	for key, value := range values {
		c.Add(dotnet.Setting{Name: "X__" + key, Value: value})
	}
	return Read(c.FirstSection("X"), clouds.Of(""))
}

func TestWhichIdentityIsUsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings map[string]string
		want     string
	}{
		"none is named":       {nil, "*azidentity.DefaultAzureCredential"},
		"a tenant":            {map[string]string{"tenantId": "t"}, "*azidentity.DefaultAzureCredential"},
		"the system's":        {map[string]string{"credential": "ManagedIdentity"}, "*azidentity.ManagedIdentityCredential"},
		"a user-assigned one": {map[string]string{"credential": " managedidentity ", "clientId": "c"}, "*azidentity.ManagedIdentityCredential"},
		"by its resource":     {map[string]string{"credential": "managedidentity", "managedIdentityResourceId": "/subscriptions/s"}, "*azidentity.ManagedIdentityCredential"},
		"by its object":       {map[string]string{"credential": "managedidentity", "managedIdentityObjectId": "o"}, "*azidentity.ManagedIdentityCredential"},
		"a client alone":      {map[string]string{"clientId": "c"}, "*azidentity.ChainedTokenCredential"},
		"a resource alone":    {map[string]string{"managedIdentityResourceId": "/subscriptions/s"}, "*azidentity.ChainedTokenCredential"},
		"two clients":         {map[string]string{"managedIdentityClientId": "m", "clientId": "c"}, "*azidentity.ChainedTokenCredential"},
		"an app registration": {map[string]string{"tenantId": "t", "clientId": "c", "clientSecret": "s"}, "*azidentity.ClientSecretCredential"},
		"more tenants":        {map[string]string{"tenantId": "t", "clientId": "c", "clientSecret": "s", "additionallyAllowedTenants": "u; v;"}, "*azidentity.ClientSecretCredential"},
		"a cluster's":         {map[string]string{"credential": "workloadidentity", "tenantId": "t", "clientId": "c", "tokenFilePath": "f"}, "*azidentity.WorkloadIdentityCredential"},
		"empty settings":      {map[string]string{"credential": "", "clientId": " ", "clientSecret": ""}, "*azidentity.DefaultAzureCredential"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, err := read(c.settings)
			require.NoError(t, err)
			assert.Equal(t, c.want, fmt.Sprintf("%T", i.Credential))
		})
	}
}

func TestWhatCannotBeUsedIsAFault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings map[string]string
		why, do  string
	}{
		"not known":               {map[string]string{"credential": "password"}, `X__credential is "password", which is not known`, "use managedidentity"},
		"of pipelines":            {map[string]string{"credential": "azurepipelines"}, "which is not known", ""},
		"two names":               {map[string]string{"credential": "managedidentity", "clientId": "c", "managedIdentityResourceId": "r"}, "X__managedIdentityResourceId and X__clientId name a managed identity each", "leave one of them out"},
		"two names in a search":   {map[string]string{"clientId": "c", "managedIdentityResourceId": "r"}, "name a managed identity each", ""},
		"a secret without tenant": {map[string]string{"clientId": "c", "clientSecret": "the-secret"}, "X__clientSecret needs X__tenantId", "set X__tenantId too"},
		"a secret without client": {map[string]string{"tenantId": "t", "clientSecret": "the-secret"}, "X__clientSecret needs X__clientId", "set X__clientId too"},
		"a secret too many":       {map[string]string{"credential": "managedidentity", "clientId": "c", "clientSecret": "the-secret"}, "X__clientSecret can't be used together with X__credential, which is managedidentity", "leave one of them out"},
		"an identity too many":    {map[string]string{"tenantId": "t", "clientId": "c", "clientSecret": "the-secret", "managedIdentityResourceId": "r"}, "X__managedIdentityResourceId and X__clientSecret can't be used together", ""},
		"an object alone":         {map[string]string{"managedIdentityObjectId": "o"}, "X__managedIdentityObjectId needs X__credential", "set X__credential to managedidentity"},
		"a token's file alone":    {map[string]string{"tokenFilePath": "f"}, "X__tokenFilePath needs X__credential", "set X__credential to workloadidentity"},
		"not in a cluster":        {map[string]string{"credential": "workloadidentity", "clientId": "c"}, "X__", "README"},
		"a certificate":           {map[string]string{"tenantId": "t", "clientId": "c", "clientCertificate": "0123"}, "X__clientCertificate can't be used by this app", "use a managed identity"},
		"no tenant":               {map[string]string{"tenantId": "no tenant", "clientId": "c", "clientSecret": "the-secret"}, "X__", ""},
		"a reference":             {map[string]string{"clientId": "@Microsoft.KeyVault(VaultName=v;SecretName=s)"}, "X__clientId is a reference to Key Vault", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(c.settings)
			require.ErrorContains(t, err, c.why)
			_, do := remedy.Of(err)
			assert.Contains(t, do, c.do)
			assert.NotContains(t, err.Error(), "the-secret")
		})
	}
}

func TestEachIdentityHasAFingerprintOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, settings := range []map[string]string{
		nil, {"credential": "managedidentity"}, {"clientId": "c"}, {"credential": "managedidentity", "clientId": "c"}, {"tenantId": "c"},
		{"tenantId": "t", "clientId": "c", "clientSecret": "s"}, {"tenantId": "t", "clientId": "c", "clientSecret": "other"},
	} {
		i, err := read(settings)
		require.NoError(t, err)
		assert.False(t, seen[i.Fingerprint()], "%v", settings)
		seen[i.Fingerprint()] = true
		assert.Equal(t, settings["clientSecret"] != "", len(i.Secrets()) == 1)
	}
}

// TestTheNamedIdentityIsAskedFor needs the variables of App Service, so it isn't
// parallel.
func TestTheNamedIdentityIsAskedFor(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = q.Get("client_id") + q.Get("mi_res_id") + q.Get("object_id") + q.Get("principal_id")
		json.NewEncoder(w).Encode(map[string]string{
			"access_token": "token", "expires_on": fmt.Sprint(time.Now().Add(time.Hour).Unix()), "resource": q.Get("resource"), "token_type": "Bearer",
		})
	}))
	t.Cleanup(server.Close)
	t.Setenv("IDENTITY_ENDPOINT", server.URL)
	t.Setenv("IDENTITY_HEADER", "header")
	for _, c := range []struct {
		settings map[string]string
		want     string
	}{
		{map[string]string{"credential": "managedidentity"}, ""},
		{map[string]string{"credential": "managedidentity", "clientId": "client"}, "client"},
		{map[string]string{"credential": "managedidentity", "managedIdentityResourceId": "/subscriptions/s"}, "/subscriptions/s"},
		{map[string]string{"credential": "managedidentity", "managedIdentityObjectId": "object"}, "object"},
		{map[string]string{"clientId": "alone"}, "alone"},
		{map[string]string{"managedIdentityResourceId": "/subscriptions/alone"}, "/subscriptions/alone"},
	} {
		asked = "nobody"
		i, err := read(c.settings)
		require.NoError(t, err)
		_, err = i.Credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://storage.azure.com/.default"}})
		require.NoError(t, err)
		assert.Equal(t, c.want, asked, "%v", c.settings)
	}
}
