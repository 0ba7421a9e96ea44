package functions_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
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
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/figures"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/storage"
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

// listen tells where it listens; where this machine has no such address, nobody
// else can reach it either.
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

// watched checks, until the test ends, that the app asks nothing but the API and
// its own containers and queue, and that nothing outside is asked by anybody.
func (w *world) watched() {
	archives := account(w.t, azurite.Archive).BlobURL + "/"
	own := []string{"http://" + w.names.api + "/", w.poison.URL(), w.modelURL, archives + w.names.archive, archives + w.names.state}
	w.line.asked(func(req *http.Request) {
		asked := req.URL.String()
		assert.True(w.t, slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(asked, prefix) }), "nobody else is asked: %s", asked)
	})
	w.untroubled()
}

// untroubled checks, when the test has ended, that nothing outside was asked.
func (w *world) untroubled() {
	w.t.Cleanup(func() { assert.Empty(w.t, outside.noted(), "nothing outside is asked") })
}

func account(t *testing.T, name string) storage.Account {
	a, err := storage.ParseConnectionString(azuritetest.Start(t).ConnectionString(name))
	require.NoError(t, err)
	return a
}

// crossing passes requests on to a server, but for those that turn answers.
type crossing struct {
	*httptest.Server
	turn atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func newCrossing(t *testing.T, server string) *crossing {
	to, err := url.Parse(server)
	require.NoError(t, err)
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: to.Scheme, Host: to.Host})
	c := &crossing{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if turn := c.turn.Load(); turn == nil || !(*turn)(w, r) {
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// leadsOver makes the service's download links lead over a crossing.
func (w *world) leadsOver(c *crossing) {
	w.options.Downloads.Loopback = append(w.options.Downloads.Loopback, host(w.t, c.URL))
	w.line.spoil("GetExports", rewritten(func(e map[string]any) {
		u, err := url.Parse(e["downloadUri"].(string))
		require.NoError(w.t, err)
		u.Host = host(w.t, c.URL)
		e["downloadUri"] = u.String()
	}), -1)
}

// over opens an account of Azurite's, which stands at base, over a crossing.
func over(t *testing.T, c *crossing, name, base string) (storage.Account, *service.Client) {
	t.Helper()
	text := strings.ReplaceAll(azuritetest.Start(t).ConnectionString(name), host(t, base), host(t, c.URL))
	account, err := storage.ParseConnectionString(text)
	require.NoError(t, err)
	client, err := account.Blob(nil)
	require.NoError(t, err)
	return account, client
}

// TestNoSourceLeadsElsewhere has each source of a package, and the archive that
// is to copy it, answer by a redirect. What asks them are the clients of production.
func TestNoSourceLeadsElsewhere(t *testing.T) {
	t.Parallel()
	quick := azcore.ClientOptions{Retry: policy.RetryOptions{RetryDelay: time.Millisecond}}
	always := func(*http.Request) bool { return true }
	places := map[string]struct {
		setting setting
		before  func(*world) *crossing // leads the app over a crossing
		turns   func(*http.Request) bool
		from    int // the first of these requests that is sent elsewhere
	}{
		"the model container": {setting{policy: onnx, container: true}, func(w *world) *crossing {
			c := newCrossing(t, w.modelURL)
			models, client := over(t, c, azurite.Customer, w.modelURL)
			w.options.Models = reconcile.OpenModels(models, client, w.names.models)
			return c
		}, always, 1},
		"the archive, asked to copy": {setting{policy: onnx, container: true}, func(w *world) *crossing {
			c := newCrossing(t, w.modelURL)
			_, client := over(t, c, azurite.Archive, w.modelURL)
			w.options.Archive = archive.Open(client, w.names.archive, archive.Options{Sources: quick})
			return c
		}, func(r *http.Request) bool { return r.Header.Get("X-Ms-Copy-Source") != "" }, 1},
		"a download link": {setting{policy: onnx}, func(w *world) *crossing {
			c := newCrossing(t, w.modelURL)
			w.leadsOver(c)
			return c
		}, always, 1},
		"a download link that was read already": {setting{policy: onnx}, func(w *world) *crossing {
			c := newCrossing(t, w.modelURL)
			w.leadsOver(c)
			return c
		}, always, 2},
		"an artifact": {setting{policy: onnx, emulator: relative()}, func(w *world) *crossing {
			c := newCrossing(t, "http://"+w.names.api)
			client, err := customvision.NewClientWithKey(c.URL, trainingKey, &customvision.ClientOptions{ClientOptions: quick, RatePerSecond: -1})
			require.NoError(t, err)
			w.options.Service = client
			return c
		}, func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/artifacts") }, 1},
	}
	addresses := []string{"http://" + outside.v4 + "/x.ONNX", "https://evil.example/x.ONNX", "//evil.example/x.ONNX", "http://169.254.169.254/metadata/identity", "https://10.0.0.1/x.ONNX", "file:///etc/passwd"}
	statuses := []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, place.setting)
			n := exported(w)
			archives, err := account(t, azurite.Archive).Blob(nil)
			require.NoError(t, err)
			w.options.Archive = archive.Open(archives, w.names.archive, archive.Options{Sources: quick})
			c := place.before(w)
			w.restart()
			w.untroubled()
			for _, address := range addresses {
				for _, status := range statuses {
					var met atomic.Int64
					turn := func(answer http.ResponseWriter, r *http.Request) bool {
						switch {
						case strings.HasPrefix(r.UserAgent(), "axios/"): // the storage service can't read it, and the app must
							answer.WriteHeader(http.StatusNotFound)
						case place.turns(r) && met.Add(1) >= int64(place.from):
							answer.Header().Set("Location", address)
							answer.WriteHeader(status)
						default:
							return false
						}
						return true
					}
					c.turn.Store(&turn)
					assert.ErrorContains(t, w.tell(t.Context(), n), strconv.Itoa(status), "to %s", address)
				}
			}
			assert.Empty(t, w.kept())
			c.turn.Store(nil)
			require.NoError(t, w.tell(t.Context(), n), "once it answers, it is archived")
			list := w.kept()
			require.Len(t, list, 1)
			assert.Equal(t, archive.Proven, list[0].Verdict)
		})
	}
	figures.Print(t, "%d rows", len(places)*len(addresses)*len(statuses))
}
