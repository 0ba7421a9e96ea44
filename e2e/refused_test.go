package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/funchost"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
)

// queueFront stands before the customer's queues and refuses what it is told to, as
// storage does where a role is missing.
type queueFront struct {
	connection string       // of the account, over the front
	refused    atomic.Value // of strings: the methods refused
}

func newQueueFront(t *testing.T) *queueFront {
	t.Helper()
	server := azuritetest.Start(t)
	service, err := url.Parse(server.QueueURL(azurite.Customer))
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: service.Scheme, Host: service.Host})
	f := &queueFront{}
	f.refuse("")
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(f.refused.Load().(string), r.Method) {
			w.Header().Set("x-ms-error-code", "AuthorizationPermissionMismatch")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	f.connection = strings.ReplaceAll(server.ConnectionString(azurite.Customer), service.Host, front.Listener.Addr().String())
	return f
}

func (f *queueFront) refuse(methods string) { f.refused.Store(methods) }

const everyMethod = "GET HEAD PUT POST DELETE"

var bothProven = map[string]archive.Verdict{"ONNX": archive.Proven, "TensorFlow": archive.Proven}

// TestRefusedQueueLosesNothing takes away first the right to delete messages, with
// which a host ends after work that is done, and then all rights to the queue, with
// which it ends at its first poll. Hosts come and go until the rights are back.
func TestRefusedQueueLosesNothing(t *testing.T) {
	t.Parallel()
	const sweeps = 5 * time.Second
	front := newQueueFront(t)
	a := newApp(t, options{
		settings: map[string]string{"CustomVisionStorage": front.connection, "SWEEP_SCHEDULE": "00:00:05"},
		lock:     2 * time.Second, // so that the messages of a host that ended come back soon
	})
	p := a.connect("Kitchen", world.Compact)
	a.settles()
	a.Eventually("a sweep runs by its schedule", func() bool { all, _ := a.ended("sweep"); return all > 0 })

	front.refuse(http.MethodDelete)
	first := a.Train(p.ID)
	require.ErrorContains(t, a.host.Wait(), "an unhandled exception ended the host")
	require.Contains(t, a.printed.String(), "An unhandled exception has occurred. Host is shutting down.")

	front.refuse(everyMethod)
	refused, _ := a.ended("sweep")
	begun := strings.Count(a.printed.String(), "Host is shutting down")
	since := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- funchost.Supervise(ctx, a.hosting, 100*time.Millisecond) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
	})
	second := a.Train(p.ID)
	a.Eventually("hosts die for longer than two sweeps take to come", func() bool {
		return time.Since(since) > 2*sweeps && strings.Count(a.printed.String(), "Host is shutting down") >= begun+3
	})
	swept, _ := a.ended("sweep")
	assert.Equal(t, refused, swept, "no sweep while no host lives")
	assert.Empty(t, a.Verdicts(p.ID, second.ID))

	front.refuse("")
	for _, it := range []string{first.ID, second.ID} {
		a.Eventually("the exports are archived", func() bool { return assert.ObjectsAreEqual(bothProven, a.Verdicts(p.ID, it)) })
	}
	a.Eventually("sweeps run again", func() bool { all, _ := a.ended("sweep"); return all > swept })
	a.settles()
	assert.Zero(t, a.poisoned())
}

// TestSweepsArchiveWithoutAQueueThatIsSwitchedOff shows what the setting is for: an
// app that has no right to the queue.
func TestSweepsArchiveWithoutAQueueThatIsSwitchedOff(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"AzureWebJobs.notifications.Disabled", "AzureWebJobs_notifications_Disabled"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			front := newQueueFront(t)
			front.refuse(everyMethod)
			a := newApp(t, options{settings: map[string]string{"CustomVisionStorage": front.connection, "SWEEP_SCHEDULE": "00:00:01", setting: "true"}})
			p := a.connect("Kitchen", world.Compact)
			it := a.Train(p.ID)

			a.Eventually("sweeps archive the exports", func() bool { return assert.ObjectsAreEqual(bothProven, a.Verdicts(p.ID, it.ID)) })
			assert.NotContains(t, a.printed.String(), "Host is shutting down")
			notified, _ := a.ended("notifications")
			assert.Zero(t, notified)
		})
	}
}
