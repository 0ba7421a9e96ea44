package customvision

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// Artifact opens the file at a relative URI that the service returned, such as an
// export's DownloadURI in a virtual network (GetArtifact). The caller closes it.
// The size has no limit. A stream that breaks ends with an error and is not
// resumed.
func (c *Client) Artifact(ctx context.Context, projectID, path string) (io.ReadCloser, error) {
	r := request{operation: "GetArtifact", method: http.MethodGet,
		path: "projects/{}/artifacts", ids: []string{projectID}, query: url.Values{"path": {path}}}
	req, err := c.newRequest(policy.WithRetryOptions(withStream(ctx), c.streamed), r)
	if err != nil {
		return nil, err
	}
	req.Raw().Header.Set("Accept", "application/octet-stream")
	runtime.SkipBodyDownload(req)
	resp, err := c.send(req, r)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
