package world

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"visionkeeper/dev/emulator"
	"visionkeeper/internal/storage"
)

// Deletes is the iteration that a request asks the service to delete; empty where it asks
// for something else.
func Deletes(req *http.Request) string {
	parts := strings.Split(req.URL.Path, "/")
	if n := len(parts); req.Method == http.MethodDelete && n > 1 && parts[n-2] == "iterations" {
		return parts[n-1]
	}
	return ""
}

// Unsaved says what of an iteration would be lost if it were deleted now: each export that
// the service has, and that is unfinished, or of which no proof that counts is in the
// archive beside the package that it names, with its ETag and size. It goes by the blobs
// themselves and knows nothing of how the app decides.
func (w *World) Unsaved(project, iteration string) []string {
	proofs := w.proofs(project + "/" + iteration + "/")
	var lost []string
	for _, p := range w.Service.View().Projects {
		for _, it := range p.Iterations {
			if p.ID != project || it.ID != iteration {
				continue
			}
			if it.Status == "Completed" && len(proofs) == 0 {
				lost = append(lost, it.Name+" without any export")
			}
			for _, e := range it.Exports {
				if e.Status != "Failed" && (e.Status != "Done" || !proofs[exportName(e)]) {
					lost = append(lost, it.Name+" "+exportName(e)+" "+e.Status)
				}
			}
		}
	}
	return lost
}

// exportName is an export's name in lower case; TensorFlow's default has no flavor.
func exportName(e emulator.ExportView) string {
	name := strings.ToLower(e.Platform + "." + e.Flavor)
	return strings.TrimSuffix(strings.TrimSuffix(name, ".tensorflownormal"), ".")
}

// proofs are the exports below a prefix of the archive that have a proof that counts, and
// whose package is there as it says.
func (w *World) proofs(prefix string) map[string]bool {
	type blobOf struct {
		etag string
		size int64
	}
	blobs := map[string]blobOf{}
	pages := w.Containers.Archive.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
	for pages.More() {
		page, err := pages.NextPage(w.t.Context())
		if storage.Status(err) == http.StatusNotFound {
			return nil
		}
		if err != nil {
			w.t.Errorf("list the archive: %v", err)
			return nil
		}
		for _, item := range page.Segment.BlobItems {
			blobs[*item.Name] = blobOf{strings.Trim(string(*item.Properties.ETag), `"`), *item.Properties.ContentLength}
		}
	}
	found := map[string]bool{}
	for name := range blobs {
		if !strings.HasSuffix(name, ".proven.json") && !strings.HasSuffix(name, ".intact.json") {
			continue
		}
		var proof struct {
			Body struct {
				Platform, Flavor, Blob, ETag string
				Size                         int64
			}
		}
		resp, err := w.Containers.Archive.NewBlobClient(name).DownloadStream(w.t.Context(), nil)
		if err != nil {
			continue
		}
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || json.Unmarshal(data, &proof) != nil {
			continue
		}
		if p := proof.Body; blobs[p.Blob] == (blobOf{p.ETag, p.Size}) {
			found[exportName(emulator.ExportView{Platform: p.Platform, Flavor: p.Flavor})] = true
		}
	}
	return found
}
