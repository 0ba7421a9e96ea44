package customvision

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDomainsAreRead(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, answerWith(http.StatusOK, `[
		{"id":"ee85a74c-405e-4adc-bb47-ffa8ca0c9f31","name":"General","type":"Classification","exportable":false,"enabled":true},
		{"id":"a27d5ca5-bb19-49d8-a70a-fec086c47f5b","name":"General (compact)","type":"ObjectDetection","exportable":true,"enabled":false,
		 "exportablePlatforms":["CoreML","IVS"],"modelInformation":{"estimatedModelSizeInMegabytes":42}}]`))
	domains, err := client.Domains(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []Domain{
		{ID: "ee85a74c-405e-4adc-bb47-ffa8ca0c9f31", Name: "General", Type: "Classification", Enabled: true},
		{ID: "a27d5ca5-bb19-49d8-a70a-fec086c47f5b", Name: "General (compact)", Type: "ObjectDetection", Exportable: true},
	}, domains)
}

func TestADomainIsRead(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, answerWith(http.StatusOK, `{"id":"ee85a74c-405e-4adc-bb47-ffa8ca0c9f31","name":"General"}`))
	domain, err := client.Domain(t.Context(), "ee85a74c-405e-4adc-bb47-ffa8ca0c9f31")
	require.NoError(t, err)
	assert.Equal(t, "General", domain.Name)
}
