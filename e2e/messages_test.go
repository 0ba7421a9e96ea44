package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
)

// sample is a message as the storage-integration guide prints it, spacing and
// casing included, with the ids and the URL filled in.
func sample(t testing.TB, name, project, iteration, modelURI string) string {
	t.Helper()
	text, err := os.ReadFile("internal/customvision/testdata/notifications/" + name)
	require.NoError(t, err)
	const printedURI = "https://account.blob.core.windows.net/models/64b822c5-8082-4b36-a426-27225f4aa18c%20-%20e31a14ab-5d78-4f7b-a267-3a1e4fd8a758.ONNX"
	return strings.NewReplacer(printedURI, modelURI,
		"64b822c5-8082-4b36-a426-27225f4aa18c", project, "e31a14ab-5d78-4f7b-a267-3a1e4fd8a758", iteration).Replace(string(text))
}

func modelURI(a *app, project, iteration, platform string) string {
	return a.Containers.Models.URL() + "/" + strings.ReplaceAll(customvision.BlobName(project, iteration, platform), " ", "%20")
}

// succeeded counts the messages that were dealt with.
func (a *app) succeeded() int {
	all, failed := a.ended("notifications")
	return all - failed
}

// succeeds waits until n messages were dealt with.
func (a *app) succeeds(n int) {
	a.t.Helper()
	a.Eventually(fmt.Sprintf("%d messages are dealt with", n), func() bool { return a.succeeded() >= n })
}

func TestTheGuidesSamplesLeadToTheirEffects(t *testing.T) {
	t.Parallel()
	for name, encode := range map[string]func(string) string{
		"raw":    func(s string) string { return s },
		"Base64": func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, options{policy: `{"projects":[{"project":"*","exports":["ONNX"]}]}`})
			// Without a queue the service itself says nothing: only these messages do.
			p := a.Create(customvision.CreateProjectOptions{Name: "Kitchen", DomainID: world.Compact, ExportModelContainerURI: a.Containers.Models.URL()})

			a.put(encode(sample(t, "connection-test.json", p.ID, "", "")))
			a.succeeds(1)
			assert.NotNil(t, a.Remembered(p.ID).ConnectionTest, "the connection test is recorded")

			it := a.Train(p.ID)
			a.Service.StallExports(1)
			a.put(encode(sample(t, "training-completed.json", p.ID, it.ID, "")))
			a.succeeds(2)
			assert.Equal(t, 1, a.Service.Counts()["ExportIteration"], "the export is asked for")
			assert.Empty(t, a.Verdicts(p.ID, it.ID), "the export is not done yet")

			require.Equal(t, 1, a.Service.FinishNow(emulator.Scope{}), "the export is done now")
			a.put(encode(sample(t, "export-completed.json", p.ID, it.ID, modelURI(a, p.ID, it.ID, "ONNX"))))
			a.succeeds(3)
			assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven}, a.Verdicts(p.ID, it.ID))
			_, failed := a.ended("notifications")
			assert.Zero(t, failed, "every message succeeds at its first delivery")
		})
	}
}

func TestTheUnfilledSampleBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	text := sample(t, "export-unfilled.txt", "64b822c5-8082-4b36-a426-27225f4aa18c", "e31a14ab-5d78-4f7b-a267-3a1e4fd8a758", "")
	a.put(text)
	a.settles()
	letters := a.Letters()
	require.Len(t, letters, 1)
	assert.Equal(t, text, string(letters[0].Raw))
	assert.Contains(t, letters[0].Reason, "malformed")
	assert.Empty(t, a.Service.Counts(), "the service is asked nothing")
}

func TestTheSameMessagesTwiceInAnyOrderAtOnceHaveOneEffect(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{policy: exportsAndRetrain, world: world.Options{Emulator: emulator.Options{ExportTime: 300 * time.Millisecond}}})
	p := a.Create(customvision.CreateProjectOptions{Name: "Kitchen", DomainID: world.Compact, ExportModelContainerURI: a.Containers.Models.URL()})
	it := a.Train(p.ID)
	training := sample(t, "training-completed.json", p.ID, it.ID, "")
	export := sample(t, "export-completed.json", p.ID, it.ID, modelURI(a, p.ID, it.ID, "ONNX"))

	var senders sync.WaitGroup
	for range 10 {
		senders.Go(func() { a.put(export); a.put(training) })
	}
	senders.Wait()
	want := map[string]archive.Verdict{"ONNX": archive.Proven, "ONNX.ONNXFloat16": archive.Proven, "TensorFlow": archive.Proven}
	a.Eventually("all exports are archived", func() bool {
		if len(a.Verdicts(p.ID, it.ID)) < len(want) {
			a.put(export) // the service's own later messages
		}
		return assert.ObjectsAreEqual(want, a.Verdicts(p.ID, it.ID))
	})
	a.settles()
	assert.Equal(t, 3, a.Service.Counts()["ExportIteration"])
	assert.Equal(t, 1, a.Service.Counts()["TrainProject"])
}

// TestForgedMessagesLeadNowhere puts messages on the queue that an intruder might
// write. The trap is a server that an obedient program would call.
func TestForgedMessagesLeadNowhere(t *testing.T) {
	t.Parallel()
	var trapped atomic.Int32
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { trapped.Add(1) }))
	t.Cleanup(trap.Close)
	a := newApp(t, options{policy: `{"projects":[{"project":"*"}]}`, settings: map[string]string{
		"AzureFunctionsJobHost__extensions__queues__maxDequeueCount":   "2",
		"AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:00.1",
	}})
	p := a.Create(customvision.CreateProjectOptions{Name: "Kitchen", DomainID: world.Compact})
	it := a.Train(p.ID)
	const nobody = "11111111-2222-3333-4444-555555555555"
	export := func(project, iteration, uri string) string {
		text, err := json.Marshal(customvision.Notification{Kind: customvision.KindExport, ProjectID: project, IterationID: iteration,
			ExportStatus: customvision.NotifiedExportCompleted, ModelURI: uri})
		require.NoError(t, err)
		return string(text)
	}
	messages := []string{
		export(p.ID, it.ID, trap.URL+"/models/"+customvision.BlobName(p.ID, it.ID, "ONNX")),
		export(p.ID, it.ID, strings.Replace(a.Containers.Models.URL(), "/models-", "/other-", 1)+"/x.ONNX"),
		export(p.ID, it.ID, a.Containers.Models.URL()+"/../other/x.ONNX"),
		export(p.ID, nobody, trap.URL),
		export(nobody, nobody, trap.URL),
		`{"version":"1.0","type":"ConnectionTest","Content":{"projectId":"` + nobody + `"}}`,
		`{"version":"1.0","type":"Export","Content":{"projectId":"` + trap.URL + `","iterationId":"x"}}`,
		`{"version":"2.0","type":"Export","Content":{"url":"` + trap.URL + `"}}`,
		`{"version":"1.0","type":"Deleted","Content":{}}`,
		"\x00\x01", "null", "[]", "", trap.URL,
	}
	for _, m := range messages {
		a.put(base64.StdEncoding.EncodeToString([]byte(m)))
	}
	a.settles()
	assert.Zero(t, trapped.Load(), "nobody follows a message's link")
	assert.Empty(t, a.Verdicts("", ""), "nothing is archived")
	letters := a.Letters()
	assert.Len(t, letters, len(messages)-4, "all but those about the real project are dead letters")
	assert.Empty(t, a.Remembered(nobody).Name, "nothing is remembered of a project that isn't")
	poison := a.poisoned()
	assert.Zero(t, poison, "what can't be confirmed is left to the sweep, not to the poison queue")
}
