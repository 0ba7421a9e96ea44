package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/figures"
	"visionkeeper/dev/funchost"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
)

// TestTwoProcessesHaveEachEffectOnce gives the same two hundred messages about six
// iterations of five projects to two machines at once, each in an order of its own,
// and has both of them sweep meanwhile.
func TestTwoProcessesHaveEachEffectOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{
		policy:   `{"projects":[{"project":"*","iterations":["all"],"exports":["ONNX","ONNX.ONNXFloat16","TensorFlow"],"retrain":{"afterFailure":1}}]}`,
		world:    world.Options{Emulator: emulator.Options{ModelSize: 20_000, ExportTime: 300 * time.Millisecond}},
		settings: map[string]string{"AzureFunctionsJobHost__extensions__queues__maxDequeueCount": "1000"},
	})
	wanted := map[string]archive.Verdict{"ONNX": archive.Proven, "ONNX.ONNXFloat16": archive.Proven, "TensorFlow": archive.Proven}

	// Two projects whose training failed: both are answered, and the answers exported.
	var messages, projects []string
	tell := func(n int, text string) {
		for range n {
			messages = append(messages, text)
		}
	}
	begin := func(name string) string {
		// Without a queue the service says nothing of its own.
		p := a.Create(customvision.CreateProjectOptions{Name: name, DomainID: world.Compact, ExportModelContainerURI: a.Containers.Models.URL()}).ID
		projects = append(projects, p)
		return p
	}
	for i := range 2 {
		p := begin(fmt.Sprintf("Garden %d", i))
		a.put(sample(t, "connection-test.json", p, "", ""))
		a.Eventually("the app knows the project", func() bool { return a.Remembered(p).ConnectionTest != nil })
		a.Service.FailTrainings(1)
		tell(20, sample(t, "training-failed.json", p, a.Train(p).ID, ""))
	}
	// Three whose trainings, one, two and one, were completed.
	for i, trainings := range []int{1, 2, 1} {
		p := begin(fmt.Sprintf("Kitchen %d", i))
		for range trainings {
			it := a.Train(p)
			tell(10, sample(t, "training-completed.json", p, it.ID, ""))
			tell(20, sample(t, "export-completed.json", p, it.ID, modelURI(a, p, it.ID, "ONNX")))
			tell(10, sample(t, "export-completed.json", p, it.ID, modelURI(a, p, it.ID, "TensorFlow")))
		}
	}
	require.Len(t, messages, 200)
	seed := rand.Uint64()
	if text := os.Getenv("RAPID_SEED"); text != "" { // the same as for all that is left to chance
		var err error
		seed, err = strconv.ParseUint(text, 0, 64)
		require.NoError(t, err)
	}

	// The other machine has a queue of its own, and all else in common with the first.
	queues := a.Customer.Queues(nil)
	other := azuritetest.Name("notifications")
	_, err := queues.CreateQueue(t.Context(), other, nil)
	require.NoError(t, err)
	var there atomic.Int64 // messages dealt with by the other machine
	invoked := a.hosting.OnInvocation
	a.hosting.OnInvocation = func(i funchost.Invocation) {
		if i.Function == "notifications" && i.Err == nil {
			there.Add(1)
		}
		invoked(i)
	}
	a.hosting.Env = append(a.hosting.Env, "NOTIFICATION_QUEUE="+other)
	hosts := []*funchost.Host{a.host, a.another()}
	sweep := func() {
		begun, _ := a.ended("sweep")
		for _, host := range hosts {
			resp, err := http.Post(host.URL()+"/admin/functions/sweep", "application/json", strings.NewReader("{}"))
			require.NoError(t, err)
			resp.Body.Close()
		}
		a.Eventually("both sweeps end", func() bool { all, _ := a.ended("sweep"); return all == begun+len(hosts) })
	}
	a.settles()
	knew := a.succeeded()

	var senders sync.WaitGroup
	for machine, queue := range []*azqueue.QueueClient{a.Queue, queues.NewQueueClient(other)} {
		order := rand.New(rand.NewPCG(seed, uint64(machine))).Perm(len(messages))
		for n := range 4 {
			senders.Go(func() {
				for i := n; i < len(order); i += 4 {
					_, err := queue.EnqueueMessage(t.Context(), messages[order[i]], nil)
					assert.NoError(t, err)
				}
			})
		}
	}
	senders.Wait()
	archived := func() (missing int) {
		for _, p := range projects {
			its, err := a.Client.Iterations(t.Context(), p)
			require.NoError(t, err)
			for _, it := range its {
				if it.Status == customvision.StatusCompleted && !assert.ObjectsAreEqual(wanted, a.Verdicts(p, it.ID)) {
					missing++
				}
			}
		}
		return missing
	}
	for began := time.Now(); time.Since(began) < world.Patience; {
		sweep()
		if a.succeeded() >= knew+2*len(messages) && archived() == 0 {
			break
		}
	}
	sweep()
	here := a.succeeded() - knew - int(there.Load())
	figures.Print(t, "seed %d: %d messages dealt with by one process, %d by the other; %d trainings, %d exports",
		seed, here, there.Load(), a.Service.Counts()["TrainProject"], a.Service.Counts()["ExportIteration"])
	assert.Equal(t, len(messages), here, "every message succeeds, once, here")
	assert.Equal(t, len(messages), int(there.Load()), "and there")
	assert.Zero(t, archived(), "every iteration has all its backups")
	assert.Equal(t, 6+2, a.Service.Counts()["TrainProject"], "the test's own, and one answer to each failure")
	assert.Equal(t, 6*len(wanted), a.Service.Counts()["ExportIteration"], "each export is asked for once, refused ones counted too")
	list := a.Backups("", "")
	assert.Len(t, list, 6*len(wanted), "and archived once")
}
