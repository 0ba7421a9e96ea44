package storage

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzParseConnectionString reads what a setting may hold: what is taken can be
// opened, and no error repeats the key.
func FuzzParseConnectionString(f *testing.F) {
	for _, s := range []string{
		"UseDevelopmentStorage=true", "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://host:1/",
		"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net",
		"AccountName=shop;AccountKey=c2VjcmV0;BlobEndpoint=http://127.0.0.1:10000/shop/;QueueEndpoint=http://user@host/?x",
		"SharedAccessSignature=sig;BlobEndpoint=https://x", "AccountName;", "accountname=a;AccountKey=%%%", ";;=;",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseConnectionString(s)
		if err != nil {
			if _, key, ok := strings.Cut(s, "AccountKey="); ok && len(key) > 20 {
				assert.NotContains(t, err.Error(), key)
			}
			return
		}
		for _, endpoint := range []string{a.BlobURL, a.QueueURL} {
			u, err := url.Parse(endpoint)
			require.NoError(t, err)
			assert.Contains(t, []string{"http", "https"}, u.Scheme)
			assert.Nil(t, u.User)
			assert.Empty(t, u.RawQuery)
		}
		_, err = a.Blob(nil)
		require.NoError(t, err)
		_, err = a.Queue(nil)
		require.NoError(t, err)
	})
}
