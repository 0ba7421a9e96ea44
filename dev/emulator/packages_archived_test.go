package emulator

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/storage"
)

// TestEveryPackageIsABackup shows that the packages of every platform hold a model
// with all of its parts.
func TestEveryPackageIsABackup(t *testing.T) {
	t.Parallel()
	account, err := storage.ParseConnectionString(azuritetest.Start(t).ConnectionString(azurite.Archive))
	require.NoError(t, err)
	client, err := account.Blob(nil)
	require.NoError(t, err)
	name := azuritetest.Name("archive")
	require.NoError(t, storage.CreateContainer(t.Context(), client, name))
	a := archive.Open(client, name, archive.Options{})
	flavors := map[string][]string{
		"TensorFlow": {"TensorFlowLite", "TensorFlowLiteFloat16", "TensorFlowSavedModel", "TensorFlowJs"},
		"DockerFile": {"Linux", "Windows", "ARM"}, "ONNX": {"ONNX10", "ONNX12", "ONNXFloat16"},
		"CoreML": {"CoreMLFloat16"}, "OpenVino": {"NoPostProcess"},
	}
	const project, iteration = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	for _, platform := range platforms {
		for _, flavor := range append(flavors[platform], "") {
			sizes := []int{5000}
			if flavor == "" {
				sizes = append(sizes, 1)
			}
			for _, size := range sizes {
				p := packageSpec{iterationID: iteration, platform: platform, flavor: flavor, manifestFlavor: optional(flavor), labels: []string{"cat"}, exported: time.Unix(0, 0), size: size}
				want := archive.Proven
				if flavor == "TensorFlowJs" {
					want = archive.Intact
				}
				assert.Equal(t, want, judged(t, a, project, p), "%s %s", platform, flavor)
			}
		}
	}
	bare := packageSpec{iterationID: iteration, platform: "CoreML", size: 5000, bare: true}
	assert.Equal(t, archive.Intact, judged(t, a, project, bare))
}

// judged archives a package, and returns what it is worth.
func judged(t *testing.T, a *archive.Archive, project string, p packageSpec) archive.Verdict {
	t.Helper()
	content, err := p.build()
	require.NoError(t, err)
	s := archive.Source{Kind: archive.FromArtifact, Name: "package", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
	id, err := a.Identify(t.Context(), s)
	require.NoError(t, err)
	key, err := archive.NewKey(project, p.iterationID, p.platform, p.flavor)
	require.NoError(t, err)
	b, err := a.Copy(t.Context(), key, s, id)
	require.NoError(t, err)
	proof, err := a.Verify(t.Context(), b, archive.Facts{})
	require.NoError(t, err)
	return proof.Verdict
}
