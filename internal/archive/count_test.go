package archive_test

import (
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
)

// over is this house's archive, asked over an Interceptor.
func (h *house) over(i *world.Interceptor) *archive.Archive {
	return h.open(h.world.Archives.Blobs(&azcore.ClientOptions{Transport: i}))
}

// once is one that doesn't try again.
func (h *house) once(i *world.Interceptor) *archive.Archive {
	return h.open(h.world.Archives.Blobs(&azcore.ClientOptions{Transport: i, Retry: policy.RetryOptions{MaxRetries: -1}}))
}

// spoiling is an Interceptor with a Fault.
func spoiling(t world.T, f world.Fault) *world.Interceptor {
	i := world.NewInterceptor(t)
	i.Use(f)
	return i
}

// kinds are the requests so far: the method, and what the query asks for.
func kinds(i *world.Interceptor) []string {
	var list []string
	for _, r := range i.Sent() {
		kind := r.Method
		for _, of := range []string{"comp", "restype"} {
			if v := r.URL.Query().Get(of); v != "" {
				kind += " " + v
			}
		}
		if world.Copies(r.Request) {
			kind += " from URL"
		}
		list = append(list, kind)
	}
	return list
}

// tally counts the requests of each kind.
func tally(i *world.Interceptor) map[string]int {
	n := map[string]int{}
	for _, kind := range kinds(i) {
		n[kind]++
	}
	return n
}

// count counts the requests whose kind begins so.
func count(i *world.Interceptor, kind string) (n int) {
	for _, k := range kinds(i) {
		if strings.HasPrefix(k, kind) {
			n++
		}
	}
	return n
}

// commits reports whether a request makes a blob of its blocks.
func commits(req *http.Request) bool {
	return req.Method == http.MethodPut && req.URL.Query().Get("comp") == "blocklist"
}

func isGet(req *http.Request) bool { return req.Method == http.MethodGet }
func isPut(req *http.Request) bool { return req.Method == http.MethodPut }

// killed is how a process ends that no one hears of.
func killed(*http.Request, world.Send) (*http.Response, error) { return nil, world.Killed{} }
