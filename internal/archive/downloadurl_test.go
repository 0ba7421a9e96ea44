package archive_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"visionkeeper/internal/archive"
)

func TestDownloadAddresses(t *testing.T) {
	t.Parallel()
	loopback := []string{"127.0.0.1:10000", "localhost:4000", "[::1]:5000", "example.com:80"}
	for url, ok := range map[string]bool{
		"https://irisprod.blob.core.windows.net/m-1/2.zip?sv=1&sig=SECRET": true,
		"https://irisprod.blob.core.windows.net:443/m-1/2.zip?sig=SECRET":  true,
		"https://IRISPROD.Blob.Core.Windows.NET/m-1/2.zip":                 true,
		"http://127.0.0.1:10000/service/m-1/2.zip?sig=SECRET":              true,
		"https://127.0.0.1:10000/service/m-1/2.zip?sig=SECRET":             true,
		"http://localhost:4000/x":                                          true,
		"http://[::1]:5000/x":                                              true,
		"http://localhost:10000/service/m-1/2.zip?sig=SECRET":              true,
		"http://LOCALHOST:10000/service/m-1/2.zip?sig=SECRET":              true,
		"http://127.0.0.1:4000/x?sig=SECRET":                               true,
		"http://127.0.0.2:4000/x?sig=SECRET":                               false,
		"http://localhost:4001/x?sig=SECRET":                               false,
		"http://irisprod.blob.core.windows.net/m-1/2.zip?sig=SECRET":       false,
		"https://irisprod.blob.core.windows.net:444/?sig=SECRET":           false,
		"https://irisprod.blob.core.windows.net:/?sig=SECRET":              false,
		"https://user@irisprod.blob.core.windows.net/?sig=SECRET":          false,
		"https://irisprod.blob.core.windows.net@evil.example/?sig=SECRET":  false,
		"https://evilblob.core.windows.net/?sig=SECRET":                    false,
		"https://blob.core.windows.net/?sig=SECRET":                        false,
		"https://.blob.core.windows.net/?sig=SECRET":                       false,
		"https://irisprod.blob.core.windows.net./?sig=SECRET":              false,
		"https://irisprod.blob.core.windows.net.evil.example/?sig=SECRET":  false,
		"https://evil.example/irisprod.blob.core.windows.net?sig=SECRET":   false,
		"https://evil.example#.blob.core.windows.net?sig=SECRET":           false,
		"https://evil.example\\.blob.core.windows.net/?sig=SECRET":         false,
		"https://evil.example%2f.blob.core.windows.net/?sig=SECRET":        false,
		"https://irisprod.blob.core.windows.net/x?sig=SECRET#f":            false,
		"https://xn--irsprod-x0a.blob.core.windows.net/?sig=SECRET":        false,
		"https://ırisprod.blob.core.windows.net/?sig=SECRET":               false,
		"https://irisprod.blob.core.windows.net。evil.example/?sig=SECRET":  false,
		"https://169.254.169.254/?sig=SECRET":                              false,
		"https://127.0.0.1/?sig=SECRET":                                    false,
		"http://127.0.0.1:10001/?sig=SECRET":                               false,
		"http://user@127.0.0.1:10000/?sig=SECRET":                          false,
		"http://127.1:10000/?sig=SECRET":                                   false,
		"http://example.com:80/?sig=SECRET":                                false,
		"ftp://127.0.0.1:10000/?sig=SECRET":                                false,
		"//irisprod.blob.core.windows.net/?sig=SECRET":                     false,
		"exports/2.zip?sig=SECRET":                                         false,
		"https:irisprod.blob.core.windows.net/?sig=SECRET":                 false,
		"https://irisprod.blob.core.windows.net /?sig=SECRET":              false,
		"": false,
	} {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			err := archive.CheckDownloadURL(url, "blob.core.windows.net", loopback)
			if ok {
				assert.NoError(t, err)
			} else {
				assert.Error(t, err)
				assert.NotContains(t, err.Error(), "SECRET")
			}
		})
	}
}

func TestLoopbackIsTakenOnlyWhereItIsListed(t *testing.T) {
	t.Parallel()
	assert.Error(t, archive.CheckDownloadURL("http://127.0.0.1:10000/x", "blob.core.windows.net", nil))
	assert.Error(t, archive.CheckDownloadURL("https://evil.example/x", "", nil))
}
