package storage

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const someKey = "c2VjcmV0LWtleQ=="

func TestParseConnectionString(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, blob, queue string }{
		"as the portal gives it": {"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=" + someKey + ";EndpointSuffix=core.windows.net", "https://shop.blob.core.windows.net", "https://shop.queue.core.windows.net"},
		"another cloud":          {"AccountName=shop;AccountKey=" + someKey + ";EndpointSuffix=core.chinacloudapi.cn", "https://shop.blob.core.chinacloudapi.cn", "https://shop.queue.core.chinacloudapi.cn"},
		"own endpoints":          {"AccountName=shop;AccountKey=" + someKey + ";BlobEndpoint=http://127.0.0.1:1/shop/;QueueEndpoint=http://127.0.0.1:2/shop", "http://127.0.0.1:1/shop", "http://127.0.0.1:2/shop"},
		"any case, any order":    {"accountkey=" + someKey + "; accountname=shop;", "https://shop.blob.core.windows.net", "https://shop.queue.core.windows.net"},
		"development storage":    {"UseDevelopmentStorage=true", "http://127.0.0.1:10000/devstoreaccount1", "http://127.0.0.1:10001/devstoreaccount1"},
		"development by a proxy": {"UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite/", "http://azurite:10000/devstoreaccount1", "http://azurite:10001/devstoreaccount1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := ParseConnectionString(c.in)
			require.NoError(t, err)
			assert.Equal(t, c.blob, a.BlobURL)
			assert.Equal(t, c.queue, a.QueueURL)
		})
	}
}

func TestParseConnectionStringSaysWhatIsWrongAndNoSecret(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"empty":             {"", "AccountName"},
		"no list":           {"AccountName=shop;nothing", "name=value"},
		"no key":            {"AccountName=shop", "AccountKey"},
		"key isn't Base64":  {"AccountName=shop;AccountKey=!" + someKey, "Base64"},
		"SAS":               {"BlobEndpoint=https://x;SharedAccessSignature=sv=1&sig=" + someKey, "AccountKey"},
		"endpoint with SAS": {"AccountName=shop;AccountKey=" + someKey + ";BlobEndpoint=https://x?sig=" + someKey, "without user or query"},
		"no URL":            {"AccountName=shop;AccountKey=" + someKey + ";BlobEndpoint=shop", "http"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseConnectionString(c.in)
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), someKey)
		})
	}
}

func TestOneAccountIsKnownInSeveralForms(t *testing.T) {
	t.Parallel()
	const key = "AccountKey=a2V5;AccountName=shop;"
	parse := func(text string) Account {
		a, err := ParseConnectionString(key + text)
		require.NoError(t, err, text)
		return a
	}
	shop := parse("")
	for _, same := range []string{
		"DefaultEndpointsProtocol=http", "AccountName=Shop", "BlobEndpoint=https://shop.blob.core.windows.net/", "BlobEndpoint=https://SHOP.blob.core.windows.net:443",
	} {
		assert.True(t, shop.Same(parse(same)), same)
	}
	for _, other := range []string{
		"AccountName=shop2", "EndpointSuffix=core.chinacloudapi.cn", "BlobEndpoint=https://shop.blob.core.windows.net:444", "BlobEndpoint=http://127.0.0.1:10000/shop",
	} {
		assert.False(t, shop.Same(parse(other)), other)
	}
	local := parse("BlobEndpoint=http://127.0.0.1:10000/shop")
	for address, name := range map[string]string{
		"https://shop.blob.core.windows.net/models": "shop", "https://shop.z01.blob.storage.azure.net/models": "shop",
		"http://127.0.0.1:10000/shop/models": "shop", "http://localhost:10000/shop": "shop", ":": "",
	} {
		assert.Equal(t, name, AccountName(address), address)
	}
	assert.True(t, local.Same(parse("BlobEndpoint=http://localhost:10000/shop/")))
	assert.False(t, local.Same(parse("BlobEndpoint=http://localhost:10000/attic")))
	assert.False(t, shop.Same(Account{}), "none")
}
