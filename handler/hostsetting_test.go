package handler

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMaxDequeueCount(t *testing.T) {
	t.Parallel()
	const own = `{"extensions":{"queues":{"maxDequeueCount":60}}}`
	const setting = "AzureFunctionsJobHost__extensions__queues__maxDequeueCount"
	for name, c := range map[string]struct {
		getenv   func(string) string
		hostJSON string
		want     int
		fault    string
	}{
		"host.json":        {env(), own, 60, ""},
		"setting":          {env(setting, "7"), own, 7, ""},
		"the host's own":   {env(), `{"version":"2.0"}`, 5, ""},
		"no such section":  {env(), `{"extensions":[]}`, 5, ""},
		"not a number":     {env(setting, "many"), own, 0, setting},
		"less than one":    {env(), `{"extensions":{"queues":{"maxDequeueCount":0}}}`, 0, "host.json"},
		"broken host.json": {env(), `{"extensions":`, 0, "host.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := MaxDequeueCount(c.getenv, rootWith(t, c.hostJSON))
			if c.fault != "" {
				assert.ErrorContains(t, err, c.fault)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}
