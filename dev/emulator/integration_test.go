package emulator

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestContainersAndQueuesOfAnAccount(t *testing.T) {
	t.Parallel()
	const endpoint = "http://127.0.0.1:10000/devstoreaccount1"
	for uri, want := range map[string]string{
		endpoint + "/models":                        "models",
		endpoint + "/models/":                       "models",
		"HTTP://127.0.0.1:10000/devstoreaccount1/m": "m",
		endpoint:                   "",
		endpoint + "/":             "",
		endpoint + "/models/below": "",
		"http://127.0.0.1:10001/devstoreaccount1/m":    "",
		"https://devstoreaccount1.blob.example/models": "",
	} {
		name, ok := childOf(endpoint, uri)
		assert.Equal(t, want != "", ok, uri)
		if ok {
			assert.Equal(t, want, name, uri)
		}
	}
}
