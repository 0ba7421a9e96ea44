package state

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/seal"
)

// FuzzProject reads any bytes as a state blob. They are either what was sealed or
// refused.
func FuzzProject(f *testing.F) {
	for _, p := range []Project{{}, {ID: projectID, Name: "K\u00fcche", Trainings: []*Training{{Token: "t"}}}, {Iterations: map[string]*Iteration{"i": {Exports: map[string]*Export{"ONNX": nil}}, "j": nil}}} {
		data, err := seal.Marshal(p)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p Project
		if err := decode(data, &p); err != nil {
			return
		}
		c := p.Clone()
		c.Iteration("i").Export("ONNX").Asked = time.Unix(0, 0).UTC()
		c.Iteration("i").Archived("blob", "etag")
		c.Version = formatVersion
		sealed, err := encode(c)
		require.NoError(t, err)
		var again Project
		require.NoError(t, decode(sealed, &again))
		assert.Equal(t, c.Iteration("i").Exports["ONNX"], again.Iteration("i").Exports["ONNX"])
	})
}
