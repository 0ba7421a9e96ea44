package connect

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/settings"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

type silent struct{}

func (silent) Done(string, string)   {}
func (silent) Refused()              {}
func (silent) Waiting(time.Duration) {}

// The test blob is there for a short time: without it, only the message tells whether
// there was a test. A blob from before is none of this test.
func TestTheTestBlobIsSeenNotSeenOrGone(t *testing.T) {
	t.Parallel()
	const id = "11111111-2222-3333-4444-555555555555"
	for _, c := range []struct {
		message, blob bool
		seen          Seen
		want          TestBlob
	}{
		{true, true, SeenInQueue, BlobSeen},
		{true, false, SeenInQueue, BlobGone},
		{false, true, NotSeen, BlobSeen},
		{false, false, NotSeen, BlobNotSeen},
	} {
		w := world.New(t, world.Options{})
		put := func(name string) {
			_, err := w.Containers.Models.NewBlockBlobClient(testFolder+"/"+name).UploadBuffer(t.Context(), []byte("test"), nil)
			require.NoError(t, err)
		}
		put("earlier")
		o := Options{
			Settings: settings.Settings{Models: w.Customer.Account, Queue: w.Names.Queue, ModelContainer: w.Names.Models},
			State:    w.State, Progress: silent{}, Patience: 300 * time.Millisecond,
		}
		made := Connection{Project: customvision.Project{ID: id}}
		var err error
		made.test, err = newTest(t.Context(), o)
		require.NoError(t, err)
		if c.message {
			_, err := w.Queue.EnqueueMessage(t.Context(), `{"version":"1.0","type":"ConnectionTest","Content":{"projectId":"`+id+`"}}`, nil)
			require.NoError(t, err)
		}
		if c.blob {
			put("now")
		}
		seen, blob, err := made.AwaitTest(t.Context())
		require.NoError(t, err)
		assert.Equal(t, c.seen, seen)
		assert.Equal(t, c.want, blob)
	}
}
