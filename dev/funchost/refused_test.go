package funchost

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
)

// front stands between a host and Azurite's queues.
type front struct {
	mu     sync.Mutex
	faults []*fault
	set    []string // visibility timeouts that were set to messages, in seconds
}

// fault is what the requests of a kind meet in the place of an answer.
type fault struct {
	request string // method and last segments of the path, and comp, as in kind
	status  int    // 0 breaks the connection
	code    string
	left    int // how many requests it meets
	met     int
}

// kind names a request as "GET queue/messages" or "PUT queue", with a message's id
// left out.
func kind(r *http.Request) string {
	parts := strings.SplitN(strings.Trim(r.URL.Path, "/"), "/", 4) // account, queue, messages, id
	if len(parts) > 3 {
		parts[3] = "id"
	}
	return r.Method + " " + strings.Join(parts[1:], "/")
}

// withFront puts a front before AzureWebJobsStorage's queues.
func withFront(t *testing.T, a *app) *front {
	t.Helper()
	service, err := url.Parse(azuritetest.Start(t).QueueURL(azurite.Customer))
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: service.Scheme, Host: service.Host})
	f := &front{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if met := f.meets(r); met == nil {
			forward.ServeHTTP(w, r)
		} else if met.status == 0 {
			connection, _, _ := http.NewResponseController(w).Hijack()
			connection.(*net.TCPConn).SetLinger(0)
			connection.Close()
		} else {
			w.Header().Set("x-ms-error-code", met.code)
			w.WriteHeader(met.status)
		}
	}))
	t.Cleanup(server.Close)
	a.env("AzureWebJobsStorage=" + strings.ReplaceAll(azuritetest.Start(t).ConnectionString(azurite.Customer), service.Host, server.Listener.Addr().String()))
	return f
}

func (f *front) meets(r *http.Request) *fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.faults {
		if fault.request == kind(r) && fault.left > 0 {
			fault.left--
			fault.met++
			return fault
		}
	}
	if q := r.URL.Query(); r.Method == http.MethodPut && q.Has("visibilitytimeout") {
		f.set = append(f.set, q.Get("visibilitytimeout"))
	}
	return nil
}

// updates lists the visibility timeouts that were set to messages, in seconds.
func (f *front) updates() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.set...)
}

// count is how many requests a fault has met.
func (f *front) count(met *fault) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return met.met
}

// always is more requests than a test sends.
const always = 1 << 30

// queueRequest is a request of a listener, and the app in which it is sent.
type queueRequest struct {
	function string // holdQueue is renewed and then released by the test
	request  string // with QUEUE for the queue's name
	more     []fault
	poison   bool // the message goes to the poison queue at its first failure
}

// listenerRequests are all that a queue's listener sends.
var listenerRequests = map[string]queueRequest{
	"look":        {"okQueue", "GET QUEUE", nil, false},
	"receive":     {"okQueue", "GET QUEUE/messages", nil, false},
	"renew":       {"holdQueue", "PUT QUEUE/messages/id", nil, false},
	"delete":      {"okQueue", "DELETE QUEUE/messages/id", nil, false},
	"release":     {"failQueue", "PUT QUEUE/messages/id", nil, false},
	"copy":        {"failQueue", "POST QUEUE-poison/messages", nil, true},
	"create":      {"failQueue", "PUT QUEUE-poison", nil, true},
	"delete copy": {"failQueue", "DELETE QUEUE/messages/id", nil, true},
}

// meeting is an app with one message whose listener's requests meet a fault.
func meeting(t *testing.T, of queueRequest, status int, code string, times int) (*app, *front, *fault, *azqueue.QueueClient) {
	t.Helper()
	a := newApp(t)
	a.options.MessageLock = 2 * time.Second
	a.options.timing.retry = time.Millisecond
	name := azuritetest.Name("refused")
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, "eA==")
	if of.poison {
		a.set("extensions:queues:maxDequeueCount", 1)
	}
	a.queue(of.function, name, "")
	f := withFront(t, a)
	met := &fault{request: strings.ReplaceAll(of.request, "QUEUE", name), status: status, code: code, left: times}
	f.faults = append(f.faults, met)
	return a, f, met, q
}

// TestRefusedRequestEndsTheHost follows QueueListener.ExecuteAsync and
// ProcessMessageAsync, QueueProcessor.cs, UpdateQueueMessageVisibilityCommand.cs and
// WebScriptHostExceptionHandler.cs.
func TestRefusedRequestEndsTheHost(t *testing.T) {
	t.Parallel()
	type answer struct {
		status int
		code   string
	}
	// What every request throws.
	thrown := []answer{
		{0, ""}, {401, "NoAuthenticationInformation"}, {403, "AuthorizationPermissionMismatch"}, {404, "ResourceNotFound"},
		{409, "QueueDisabled"}, {400, "InvalidQueryParameterValue"},
	}
	for name, of := range listenerRequests {
		answers := thrown
		switch name {
		case "look", "receive":
			// Here a message can't be the one that is missing.
			answers = append(answers[:len(answers):len(answers)], answer{404, "MessageNotFound"}, answer{400, "PopReceiptMismatch"})
		default:
			answers = append(answers[:len(answers):len(answers)], answer{500, "InternalError"}, answer{503, "ServerBusy"})
		}
		for _, answer := range answers {
			t.Run(fmt.Sprintf("%s answered %d %s", name, answer.status, answer.code), func(t *testing.T) {
				t.Parallel()
				a, f, met, _ := meeting(t, of, answer.status, answer.code, always)
				h := a.start()
				pid := h.Pid()
				if of.function == "holdQueue" {
					eventually(t, func() bool { return f.count(met) > 0 }, "no renewal")
				}

				err := h.Wait()

				require.Error(t, err)
				assert.Contains(t, a.output.String(), "error: An unhandled exception has occurred. Host is shutting down.")
				assert.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "the handler outlived the host")
			})
		}
	}
}

// TestTroubleThatPassesDoesNotEndTheHost lets each request meet, once or for as long
// as the SDK tries, what the host swallows.
func TestTroubleThatPassesDoesNotEndTheHost(t *testing.T) {
	t.Parallel()
	const tries = 4 // of the SDK
	gone := []fault{{status: 404, code: "MessageNotFound"}, {status: 404, code: "QueueNotFound"}, {status: 400, code: "PopReceiptMismatch"}, {status: 409, code: "QueueBeingDeleted"}}
	waits := []fault{{status: 404, code: "QueueNotFound"}, {status: 409, code: "QueueBeingDeleted"}, {status: 500, code: "InternalError"}, {status: 503, code: "ServerBusy"}}
	swallowed := map[string][]fault{"look": waits, "receive": waits, "renew": gone, "delete": gone, "release": gone, "delete copy": gone}
	for name, of := range listenerRequests {
		for _, answer := range swallowed[name] {
			t.Run(fmt.Sprintf("%s answered %d %s", name, answer.status, answer.code), func(t *testing.T) {
				t.Parallel()
				times := 1
				if answer.status >= 500 {
					times = tries
				}
				a, f, met, q := meeting(t, of, answer.status, answer.code, times)
				a.start()

				eventually(t, func() bool { return f.count(met) == times }, "the fault is not met")
				a.release()
				a.invocation()
				send(t, q, "eQ==")
				eventually(t, func() bool { return strings.Contains(a.bodies(), `"\"y\""`) }, "the next message is not handled")
				assert.NotContains(t, a.output.String(), "Host is shutting down")
			})
		}
	}
}

// bodies are those of all requests that the handler has seen.
func (a *app) bodies() string {
	var all strings.Builder
	for _, s := range a.seen() {
		all.WriteString(s.Body + "\n")
	}
	return all.String()
}

func TestEndingHostStillFinishesWhatRuns(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.options.timing.drain = patience
	name := azuritetest.Name("refused")
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, "eA==")
	a.queue("holdQueue", name, "")
	f := withFront(t, a)
	h := a.start()
	eventually(t, func() bool { return a.runs("holdQueue") == 1 }, "the message did not arrive")

	f.mu.Lock()
	f.faults = []*fault{{request: "GET " + name + "/messages", status: 403, code: "AuthorizationPermissionMismatch", left: always}}
	f.mu.Unlock()
	a.logged("Host is shutting down")
	a.release()

	require.Error(t, h.Wait())
	require.NoError(t, a.invocation().Err)
	assert.Zero(t, length(t, q), "the message was not deleted")
}

func TestRefusedQueueOfADisabledFunctionIsNotPolled(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"AzureWebJobs.okQueue.Disabled=true", "AzureWebJobs_okQueue_Disabled=1", "AzureWebJobs.OKQUEUE.disabled=True"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			a, f, met, _ := meeting(t, listenerRequests["look"], 403, "AuthorizationPermissionMismatch", always)
			a.env(setting)
			a.timer("other", "00:00:00.05", "")
			a.start()
			a.logged("Function okQueue: queueTrigger (disabled)")

			a.alsoTicks(5)
			assert.Zero(t, f.count(met))
		})
	}
}

func TestSupervisedHostIsStartedAgainUntilItsQueueIsMended(t *testing.T) {
	t.Parallel()
	a, _, _, q := meeting(t, listenerRequests["look"], 403, "AuthorizationPermissionMismatch", 3)
	a.write()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Supervise(ctx, a.options, time.Millisecond) }()

	require.NoError(t, a.invocation().Err)
	eventually(t, func() bool { return length(t, q) == 0 }, "the message is still there")
	stop()

	require.NoError(t, <-ended)
	assert.Equal(t, 3, strings.Count(a.output.String(), "Host is shutting down"))
	assert.Equal(t, 4, strings.Count(a.output.String(), "Listening on"))
}

func TestSupervisedHostThatCannotStartIsAnError(t *testing.T) {
	t.Parallel()
	assert.ErrorContains(t, Supervise(t.Context(), Options{Root: t.TempDir()}, time.Millisecond), "read host.json")
}
