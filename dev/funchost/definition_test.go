package funchost

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryMistakeOfHostJSONIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.set("functionTimeout", "soon")
	a.set("extensions:queues:batchSize", 100)
	a.set("customHandler:enableForwardingHttpRequest", "perhaps")
	a.set("customHandler:description", map[string]any{})

	_, err := a.tryStart()

	for _, want := range []string{"functionTimeout", "batchSize", "enableForwardingHttpRequest", "defaultExecutablePath"} {
		assert.ErrorContains(t, err, want)
	}
}

func TestOldConsumptionCountsOneProcessor(t *testing.T) {
	t.Parallel()
	for sku, want := range map[string]int{"Dynamic": 1, "ElasticPremium": runtime.NumCPU()} {
		app, err := readSettings("", []string{"WEBSITE_SKU=" + sku}, nil)
		require.NoError(t, err)
		assert.Equal(t, want, processors(app))
	}
}
