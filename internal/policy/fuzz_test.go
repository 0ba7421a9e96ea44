package policy

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// FuzzParse reads any bytes as a policy. A policy that is accepted keeps all
// limits.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{"projects":[]}`, `{"mode":"observe","projects":[{"project":"*"}]}`,
		`{"projects":[{"project":"Kitchen","exports":["ONNX","TensorFlow.TensorFlowLite"],"iterations":["all"],"retrain":{"afterFailure":2,"within":"1h","perMonth":3,"force":true}}]}`,
		`{"projects":[{"project":"*","retrain":{"afterFailure":1e9}}]}`, `{"projects":[{"project":"*","retrain":{"olderThan":"99999999999d","after":{"project":"A","event":"model.promoted"}}}]}`, `{"projects":[{"project":"*","retrain":{"within":"-1h"}}]}`, `[`, `null`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			return
		}
		assert.Contains(t, []Mode{Act, Observe}, p.Mode)
		for _, r := range p.Projects {
			assert.NotEmpty(t, r.Project)
			assert.NotEmpty(t, r.Hash())
			if r.Retrain != nil {
				assert.True(t, r.Retrain.AfterFailure >= 0 && r.Retrain.AfterFailure <= 5, r.Retrain.AfterFailure)
				assert.Positive(t, r.Retrain.Within)
				assert.Positive(t, r.Retrain.PerMonth)
				assert.True(t, r.Retrain.AfterFailure > 0 || r.Retrain.Images() || r.Retrain.OlderThan >= 0 || r.Retrain.After != nil)
				assert.True(t, r.Retrain.Type != Advanced || r.Retrain.BudgetHours > 0)
			}
		}
	})
}
