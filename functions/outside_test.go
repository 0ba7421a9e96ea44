package functions_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"visionkeeper/dev/figures"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
)

// outside is where every request of this process arrives that doesn't go to
// loopback, whichever client sends it: net/http's, azcore's and those of the app
// ask the environment for a proxy, once, at their first request. It is a port of
// loopback, too, that nobody may ask. It notes what comes, and hangs up.
var outside = newTrap()

type trap struct {
	v4, v6 string // host and port

	mu  sync.Mutex
	met []string
}

func newTrap() *trap {
	t := &trap{}
	t.v4 = t.listen("127.0.0.1:0")
	t.v6 = t.listen("[::1]:0")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		os.Setenv(name, "http://"+t.v4)
	}
	os.Setenv("NO_PROXY", "127.0.0.1") // Azurite, too, asks the environment, and would not except it
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.note("a name is looked up")
		return nil, errors.New("no name is looked up in these tests")
	}}
	return t
}

// listen returns the URL at which it listens. If this machine has no such address,
// nobody else can reach it either.
func (t *trap) listen(address string) string {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return address
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(time.Second))
			line, _ := bufio.NewReader(conn).ReadString('\n')
			t.note("a connection: " + line)
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func (t *trap) note(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.met = append(t.met, what)
}

func (t *trap) noted() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.met)
}

// watched checks, when the test has ended, that from here on the app asked nothing
// but the API and its own containers and queue, and nobody anything outside.
func (w *app) watched() {
	own := []string{w.API + "/", w.Poison.URL(), w.Containers.Models.URL(), w.Containers.Archive.URL(), w.Containers.State.URL()}
	before := len(w.line.Sent())
	w.t.Cleanup(func() {
		for _, r := range w.line.Sent()[before:] {
			asked := r.URL.String()
			assert.True(w.t, slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(asked, prefix) }), "nobody else is asked: %s", asked)
		}
	})
	w.untroubled()
}

// untroubled checks, when the test has ended, that nothing outside was asked.
func (w *app) untroubled() {
	w.t.Cleanup(func() { assert.Empty(w.t, outside.noted(), "nothing outside is asked") })
}

// leadsOver makes the service's download links lead over a crossing.
func (w *app) leadsOver(c *world.Interceptor) {
	crossing := world.Host(w.t, c.Before("http://"+world.Host(w.t, w.Provider.BlobURL)))
	w.options.Downloads.Loopback = append(w.options.Downloads.Loopback, crossing)
	w.spoil("GetExports", rewritten(func(e map[string]any) {
		u, err := url.Parse(e["downloadUri"].(string))
		require.NoError(w.t, err)
		u.Host = crossing
		e["downloadUri"] = u.String()
	}))
}

// TestNoSourceLeadsElsewhere has each source of a package, and the archive that
// is to copy it, answer by a redirect. What asks them are the clients of production.
func TestNoSourceLeadsElsewhere(t *testing.T) {
	t.Parallel()
	quick := azcore.ClientOptions{Retry: policy.RetryOptions{RetryDelay: time.Millisecond}}
	always := func(*http.Request) bool { return true }
	places := map[string]struct {
		setting setting
		before  func(*app, *world.Interceptor) // leads the app over a crossing
		turns   func(*http.Request) bool
		from    int // the first of these requests that is sent elsewhere
	}{
		"the model container": {setting{policy: onnx, container: true, emulator: inside()}, func(w *app, c *world.Interceptor) {
			customer := w.Customer.Over(c)
			w.options.Models = models.Open(customer.Account, customer.Blobs(nil), w.Names.Models)
		}, always, 1},
		"the archive": {setting{policy: onnx, container: true}, func(w *app, c *world.Interceptor) {
			w.options.Archive = archive.Open(w.Archives.Over(c).Blobs(nil), w.Names.Archive, archive.Options{Sources: quick})
		}, func(r *http.Request) bool { return r.Method == http.MethodPut }, 1}, // asked to copy, and then to take the bytes
		"a download link":                       {setting{policy: onnx}, (*app).leadsOver, always, 1},
		"a download link that was read already": {setting{policy: onnx}, (*app).leadsOver, always, 2},
		"an artifact": {setting{policy: onnx, emulator: relative()}, func(w *app, c *world.Interceptor) {
			client, err := customvision.NewClientWithKey(c.Before(w.API), world.Key, &customvision.ClientOptions{ClientOptions: quick, Limit: rate.NewLimiter(rate.Inf, 1)})
			require.NoError(t, err)
			w.options.Service = client
		}, func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/artifacts") }, 1},
	}
	addresses := []string{"http://" + outside.v4 + "/x.ONNX", "https://evil.example/x.ONNX", "//evil.example/x.ONNX", "http://169.254.169.254/metadata/identity", "https://10.0.0.1/x.ONNX", "file:///etc/passwd"}
	statuses := []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, place.setting)
			n := exported(w)
			w.options.Archive = archive.Open(w.Archives.Blobs(nil), w.Names.Archive, archive.Options{Sources: quick})
			c := world.NewInterceptor(t)
			c.All = true
			place.before(w, c)
			w.restart()
			w.untroubled()
			for _, address := range addresses {
				for _, status := range statuses {
					var met atomic.Int64
					c.Use(func(r *http.Request, send world.Send) (*http.Response, error) {
						switch {
						case strings.HasPrefix(r.UserAgent(), "axios/"): // the storage service can't read it, and the app must
							return world.Answer(r, http.StatusNotFound, http.Header{}, nil), nil
						case place.turns(r) && met.Add(1) >= int64(place.from):
							return world.Answer(r, status, http.Header{"Location": {address}}, nil), nil
						}
						return send(r)
					})
					w.tryAnew()
					assert.ErrorContains(t, w.tell(t.Context(), n), strconv.Itoa(status), "to %s", address)
				}
			}
			assert.Empty(t, w.kept())
			c.Use(nil)
			w.tryAnew()
			require.NoError(t, w.tell(t.Context(), n), "once it answers, it is archived")
			list := w.kept()
			require.Len(t, list, 1)
			assert.Equal(t, archive.Proven, list[0].Verdict)
		})
	}
	figures.Print(t, "%d rows", len(places)*len(addresses)*len(statuses))
}
