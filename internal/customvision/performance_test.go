package customvision

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPerformanceIsRead(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, answerWith(http.StatusOK, `{"perTagPerformance":[
		{"id":"e31ff107-5505-4753-be42-b369b21b026c","name":"Hemlock","precision":1.0,"precisionStdDeviation":0.0,"recall":0.5,"recallStdDeviation":0.25}],
		"precision":0.9,"precisionStdDeviation":0.1,"recall":0.8,"recallStdDeviation":0.2,"averagePrecision":0.95}`))
	performance, err := client.Performance(t.Context(), projectID, iterationID, 0.5, 0)
	require.NoError(t, err)
	assert.Equal(t, Performance{
		PerTag: []TagPerformance{{
			ID: "e31ff107-5505-4753-be42-b369b21b026c", Name: "Hemlock",
			Precision: new(1.0), PrecisionStdDeviation: new(0.0), Recall: new(0.5), RecallStdDeviation: new(0.25),
		}},
		Precision: new(0.9), PrecisionStdDeviation: new(0.1), Recall: new(0.8), RecallStdDeviation: new(0.2), AveragePrecision: new(0.95),
	}, performance)
}

func TestThresholdsArePlainDecimals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		threshold, overlap float64
		want               url.Values
	}{
		{0.5, 0, url.Values{"threshold": {"0.5"}}},
		{0, 0.3, url.Values{"threshold": {"0"}, "overlapThreshold": {"0.3"}}},
		{1e-7, 1, url.Values{"threshold": {"0.0000001"}, "overlapThreshold": {"1"}}},
	} {
		client, s := setup(t, answerWith(http.StatusOK, `{}`))
		_, err := client.Performance(t.Context(), projectID, iterationID, c.threshold, c.overlap)
		require.NoError(t, err)
		assert.Equal(t, c.want, s.only(t).query)
	}
}
