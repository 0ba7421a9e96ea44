package storage

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/remedy"
)

func configuration(values map[string]string) *dotnet.Configuration {
	var list []dotnet.Setting
	for name, value := range values {
		list = append(list, dotnet.Setting{Name: name, Value: value})
	}
	return dotnet.NewConfiguration(list...)
}

func TestFromSettingsLooksWhereTheHostLooks(t *testing.T) {
	t.Parallel()
	connection := func(name string) string { return "AccountName=" + name + ";AccountKey=" + someKey }
	for name, c := range map[string]struct {
		settings    map[string]string
		blob, queue string
	}{
		"the name":                   {map[string]string{"Models": connection("plain")}, "https://plain.blob.core.windows.net", "https://plain.queue.core.windows.net"},
		"AzureWebJobs before it":     {map[string]string{"Models": connection("plain"), "AzureWebJobsModels": connection("jobs")}, "https://jobs.blob.core.windows.net", "https://jobs.queue.core.windows.net"},
		"connection strings section": {map[string]string{"ConnectionStrings__Models": connection("section"), "Models": connection("plain")}, "https://section.blob.core.windows.net", "https://section.queue.core.windows.net"},
		"App Service's":              {map[string]string{"CUSTOMCONNSTR_Models": connection("custom")}, "https://custom.blob.core.windows.net", "https://custom.queue.core.windows.net"},
		"App Service's, of SQL":      {map[string]string{"SQLAZURECONNSTR_AzureWebJobsModels": connection("custom"), "Models": connection("plain")}, "https://custom.blob.core.windows.net", "https://custom.queue.core.windows.net"},
		"another letter case":        {map[string]string{"MODELS": connection("plain")}, "https://plain.blob.core.windows.net", "https://plain.queue.core.windows.net"},
		"space around it":            {map[string]string{"Models": " " + connection("plain") + "\n"}, "https://plain.blob.core.windows.net", "https://plain.queue.core.windows.net"},
		"identity before a string":   {map[string]string{"AzureWebJobsModels__accountName": "jobs", "Models": connection("plain")}, "https://jobs.blob.core.windows.net", "https://jobs.queue.core.windows.net"},
		"a string before identity":   {map[string]string{"Models": connection("plain"), "Models__accountName": "shop"}, "https://plain.blob.core.windows.net", "https://plain.queue.core.windows.net"},
		"identity by account name":   {map[string]string{"Models__accountName": " shop "}, "https://shop.blob.core.windows.net", "https://shop.queue.core.windows.net"},
		"with colons":                {map[string]string{"models:AccountName": "shop"}, "https://shop.blob.core.windows.net", "https://shop.queue.core.windows.net"},
		"in another cloud":           {map[string]string{"Models__accountName": "shop", "Models__endpointSuffix": ".core.usgovcloudapi.net"}, "https://shop.blob.core.usgovcloudapi.net", "https://shop.queue.core.usgovcloudapi.net"},
		"identity by endpoint":       {map[string]string{"Models__blobServiceUri": "https://shop.blob.core.windows.net/", "Models__credential": "managedidentity"}, "https://shop.blob.core.windows.net", ""},
		"an endpoint of its own":     {map[string]string{"Models__accountName": "shop", "Models__blobServiceUri": "https://shop.z01.blob.storage.azure.net"}, "https://shop.z01.blob.storage.azure.net", "https://shop.queue.core.windows.net"},
		"the endpoint of queues":     {map[string]string{"Models__serviceUri": "https://shop.queue.core.windows.net/"}, "https://shop.blob.core.windows.net", "https://shop.queue.core.windows.net"},
		"the endpoint of blobs":      {map[string]string{"Models__serviceUri": "https://shop.z01.blob.storage.azure.net"}, "https://shop.z01.blob.storage.azure.net", "https://shop.z01.queue.storage.azure.net"},
		"the host's own options":     {map[string]string{"Models__accountName": "shop", "Models__tableServiceUri": "https://x", "Models__retry__maxRetries": "3"}, "https://shop.blob.core.windows.net", "https://shop.queue.core.windows.net"},
		"nothing":                    {nil, "", ""},
		"nothing but empty ones":     {map[string]string{"Models": "", "AzureWebJobsModels": " ", "Models__credential": ""}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := FromSettings("Models", configuration(c.settings))
			require.NoError(t, err)
			assert.Equal(t, c.blob, a.BlobURL)
			assert.Equal(t, c.queue, a.QueueURL)
			assert.Equal(t, c.blob == "", a.IsZero())
		})
	}
}

func TestWhatCannotBeUsedOfAConnectionIsAFault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings map[string]string
		why, do  string
	}{
		"a kind that isn't known":     {map[string]string{"Models__accountName": "shop", "Models__credential": "password"}, "Models__credential is \"password\"", "use managedidentity"},
		"an endpoint for a name":      {map[string]string{"Models__accountName": "https://shop.blob.core.windows.net"}, "Models__accountName is", "write the name alone"},
		"a capital letter":            {map[string]string{"models__accountname": "Shop"}, "models__accountname is \"Shop\"", "small letters"},
		"two letters":                 {map[string]string{"Models__accountName": "ab"}, "Models__accountName", "3 to 24"},
		"twenty-five letters":         {map[string]string{"Models__accountName": "abcdefghijklmnopqrstuvwxy"}, "Models__accountName", "3 to 24"},
		"an identity alone":           {map[string]string{"Models__credential": "managedidentity"}, "Models__accountName is not set, nor is Models__blobServiceUri", "name of the storage account"},
		"a slip":                      {map[string]string{"Models__acountName": "shop"}, "Models__acountName is no setting", "rename it to Models__accountName"},
		"a slip of the identity":      {map[string]string{"Models__accountName": "shop", "Models__credentail": "managedidentity"}, "Models__credentail is no setting", "rename it to Models__credential"},
		"a key":                       {map[string]string{"Models__accountKey": someKey}, "Models__accountName is not set", ""},
		"no https":                    {map[string]string{"Models__blobServiceUri": "http://shop.blob.core.windows.net"}, "Models__blobServiceUri is no https URL", "page Endpoints"},
		"a signature":                 {map[string]string{"Models__queueServiceUri": "https://shop.queue.core.windows.net?sig=" + someKey}, "Models__queueServiceUri is no https URL", ""},
		"a container's":               {map[string]string{"Models__blobServiceUri": "https://shop.blob.core.windows.net/models"}, "more than an account's endpoint", "leave /models out"},
		"which of the two":            {map[string]string{"Models__serviceUri": "https://shop.example.com"}, "Models__serviceUri doesn't show", "Models__blobServiceUri"},
		"a suffix without an account": {map[string]string{"Models__endpointSuffix": "core.usgovcloudapi.net"}, "Models__endpointSuffix needs Models__accountName", ""},
		"a suffix that is none":       {map[string]string{"Models__accountName": "shop", "Models__endpointSuffix": "https://core.windows.net"}, "no domain", ""},
		"a reference":                 {map[string]string{"Models": "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"}, "Models is a reference to Key Vault", "Key Vault Secrets User"},
		"a reference below it":        {map[string]string{"Models__accountName": "@Microsoft.AppConfiguration(Endpoint=https://x.azconfig.io; Key=k)"}, "Models__accountName is a reference to App Configuration", ""},
		"a string, where it is set":   {map[string]string{"CUSTOMCONNSTR_Models": "AccountName=shop"}, "setting CUSTOMCONNSTR_Models: ", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := FromSettings("Models", configuration(c.settings))
			require.ErrorContains(t, err, c.why)
			_, do := remedy.Of(err)
			assert.Contains(t, do, c.do)
			assert.NotContains(t, err.Error(), someKey)
		})
	}
}

func TestEveryFaultOfAConnectionIsNamed(t *testing.T) {
	t.Parallel()
	_, err := FromSettings("Models", configuration(map[string]string{
		"Models__accountName": "Shop", "Models__blobServiceUri": "shop", "Models__credential": "password",
	}))
	for _, want := range []string{"Models__accountName", "Models__blobServiceUri", "Models__credential"} {
		assert.ErrorContains(t, err, want)
	}
}

func TestWhereTheHostLooksElsewhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings map[string]string
		want     string
	}{
		"a connection string":    {map[string]string{"Models": "UseDevelopmentStorage=true", "Models__accountName": "shop"}, ""},
		"a name":                 {map[string]string{"Models__accountName": "shop"}, ""},
		"the same endpoint":      {map[string]string{"Models__accountName": "shop", "Models__queueServiceUri": "https://shop.queue.core.windows.net/"}, ""},
		"endpoints alone":        {map[string]string{"Models__serviceUri": "https://shop.queue.core.usgovcloudapi.net"}, ""},
		"another cloud's suffix": {map[string]string{"Models__accountName": "shop", "Models__endpointSuffix": "core.usgovcloudapi.net"}, "https://shop.queue.core.windows.net"},
		"another endpoint":       {map[string]string{"Models__accountName": "shop", "Models__queueServiceUri": "https://shop2.queue.core.windows.net"}, "https://shop.queue.core.windows.net"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := FromSettings("Models", configuration(c.settings))
			require.NoError(t, err)
			err = HostReads("Models", a, configuration(c.settings))
			if c.want == "" {
				assert.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			_, do := remedy.Of(err)
			assert.Contains(t, do, "Models__queueServiceUri to "+a.QueueURL+", and take Models__accountName")
		})
	}
}

func TestTheSecretOfAnIdentityIsOne(t *testing.T) {
	t.Parallel()
	a, err := FromSettings("Models", configuration(map[string]string{
		"Models__accountName": "shop", "Models__tenantId": "t", "Models__clientId": "c", "Models__clientSecret": "the-secret",
	}))
	require.NoError(t, err)
	assert.Equal(t, []string{"the-secret"}, a.Secrets())
	assert.NotNil(t, a.Identity().Credential)
	_, err = a.Blob(nil)
	require.NoError(t, err)
}
