package customvision

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// Artifact opens what a relative URI of the service, such as an export's
// DownloadURI behind a virtual network, stands for (GetArtifact). The caller
// closes it. It may be of any size; a stream that breaks off stays broken, and
// ends with an error.
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
