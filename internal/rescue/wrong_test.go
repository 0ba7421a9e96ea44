package rescue

import (
	"bytes"
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/dataset"
)

func TestWrongBytesUnderAPicturesNameAreNotTakenForIt(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.add(0, 1)
	name := dataset.ImageBlob(w.project, hashes([]int{0})[0])
	wrong := slices.Clone(world.Picture(0))
	wrong[len(wrong)/2] ^= 1
	blobs := w.Archives.Blobs(nil).NewContainerClient(w.Names.Archive)
	_, err := blobs.NewBlockBlobClient(name).Upload(context.Background(), streaming.NopCloser(bytes.NewReader(wrong)), &blockblob.UploadOptions{})
	require.NoError(t, err)
	_, _, err = w.rescuer(azcore.ClientOptions{}).Sets.PutImage(context.Background(), w.project, world.Picture(0))
	require.ErrorIs(t, err, archive.ErrDamaged)
	p := w.run()
	assert.Equal(t, dataset.Incomplete, p.Kept[dataset.Workspace].Verdict)
}

// TestWhatIsPredictedTwiceIsNotTakenForAll has the service list a page of predictions twice.
func TestWhatIsPredictedTwiceIsNotTakenForAll(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	iteration := w.story()
	line := world.NewInterceptor(t)
	skip := regexp.MustCompile(`skip=\d+`)
	line.Use(world.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/performance/images") }, func(r *http.Request, send world.Send) (*http.Response, error) {
		r.URL.RawQuery = skip.ReplaceAllString(r.URL.RawQuery, "skip=0")
		return send(r)
	}))
	p, err := w.process(line).Run(context.Background(), w.project, Wish{})
	require.NoError(t, err)
	assert.NotEqual(t, dataset.Complete, p.Kept[iteration].Verdict)
}

// TestImagesThatComeWithoutTheirTagsAreNotComplete has the service list images without tags
// that it counts as tagged.
func TestImagesThatComeWithoutTheirTagsAreNotComplete(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.story()
	line := world.NewInterceptor(t)
	line.Use(world.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/images") }, world.Spoil(func(body []byte) []byte {
		return bytes.ReplaceAll(body, []byte(`"tags":`), []byte(`"gats":`))
	})))
	p, err := w.process(line).Run(context.Background(), w.project, Wish{})
	require.NoError(t, err)
	kept := p.Kept[dataset.Workspace]
	assert.NotEqual(t, dataset.Complete, kept.Verdict)
}

// everySecond lets each second answer about a data set have all its ids in capital letters.
func everySecond() world.Fault {
	var n atomic.Int64
	capitals := world.Spoil(world.Capitals)
	return world.On(func(r *http.Request) bool {
		return regexp.MustCompile(`/(images|tags|performance/images)$`).MatchString(r.URL.Path)
	},
		func(r *http.Request, send world.Send) (*http.Response, error) {
			if n.Add(1)%2 == 0 {
				return send(r)
			}
			return capitals(r, send)
		})
}

// The pages of a list, and two readings of it, differ in the letter case of all ids.
func TestIdsInADataSetAreTheSameInAnyLetterCase(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	iteration := w.story()
	line := world.NewInterceptor(t)
	line.Use(everySecond())
	p, err := w.process(line).Run(context.Background(), w.project, Wish{Force: true})
	require.NoError(t, err)
	w.isTrue(p, iteration)
	list, err := w.sets().Snapshots(context.Background(), w.project)
	require.NoError(t, err)
	assert.Len(t, list, 2, "nothing is taken for a change")
	w.now = w.now.Add(againAfter)
	read := 0
	for _, r := range line.During(func() {
		_, err := w.process(line).Run(context.Background(), w.project, Wish{Force: true})
		require.NoError(t, err)
	}) {
		if strings.Contains(r.URL.Path, "/_blob/") {
			read++
		}
	}
	assert.Zero(t, read, "no picture is read again")
}

// TestIdsInCapitalsAreTheSame has the service write iterations' ids in capital letters.
func TestIdsInCapitalsAreTheSame(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	iteration := w.story()
	line := world.NewInterceptor(t)
	line.Use(world.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/iterations") }, world.Spoil(func(body []byte) []byte {
		return bytes.ReplaceAll(body, []byte(iteration), []byte(strings.ToUpper(iteration)))
	})))
	for range 3 {
		_, err := w.process(line).Run(context.Background(), w.project, Wish{Force: true})
		require.NoError(t, err)
	}
	list, err := w.sets().Snapshots(context.Background(), w.project)
	require.NoError(t, err)
	assert.Len(t, list, 2)
}

// TestAListWithoutAnEndIsLeft has the service give the same page again and again.
func TestAListWithoutAnEndIsLeft(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.add(0, 7)
	line := world.NewInterceptor(t)
	skip := regexp.MustCompile(`skip=\d+`)
	line.Use(world.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/images") }, func(r *http.Request, send world.Send) (*http.Response, error) {
		r.URL.RawQuery = skip.ReplaceAllString(r.URL.RawQuery, "skip=0")
		return send(r)
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := w.process(line).Run(ctx, w.project, Wish{})
	require.NoError(t, err)
	require.Nil(t, p.Taking)
	assert.Equal(t, dataset.Changed, p.Kept[dataset.Workspace].Verdict)
}
