package rescue

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/dataset"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

// scene is a project with images, and a clock that tests turn.
type scene struct {
	*world.World
	t       *testing.T
	project string
	tags    []string
	now     time.Time
	link    error // what links are refused with
}

func newScene(t *testing.T, o emulator.Options) *scene {
	t.Helper()
	o.NoValidation = true
	w := &scene{t: t, now: time.Now(), World: world.New(t, world.Options{Emulator: o, Still: true})}
	var err error
	w.project, err = w.Service.CreateProject("parts", world.Compact, "", "")
	require.NoError(t, err)
	for _, name := range []string{"bolt", "nut"} {
		tag := w.call(http.MethodPost, "tags?name="+name, nil)
		w.tags = append(w.tags, tag["id"].(string))
	}
	return w
}

// call calls the Training API about the project, as a person does.
func (w *scene) call(method, path string, body any) map[string]any {
	w.t.Helper()
	var text []byte
	if body != nil {
		var err error
		text, err = json.Marshal(body)
		require.NoError(w.t, err)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, w.API+"/customvision/v3.3/training/projects/"+w.project+"/"+path, bytes.NewReader(text))
	require.NoError(w.t, err)
	req.Header.Set("Training-Key", world.Key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	require.Less(w.t, resp.StatusCode, 300, string(data))
	var out map[string]any
	_ = json.Unmarshal(data, &out)
	return out
}

// add uploads n pictures, each another one, with a tag and a box, and returns their ids.
func (w *scene) add(first, n int, tags ...string) []string {
	w.t.Helper()
	var ids []string
	for begin := first; begin < first+n; begin += 64 {
		var entries []map[string]any
		for i := begin; i < min(begin+64, first+n); i++ {
			entries = append(entries, map[string]any{"name": fmt.Sprint(i), "contents": picture(i), "tagIds": tags})
		}
		answer := w.call(http.MethodPost, "images/files", map[string]any{"images": entries, "metadata": map[string]string{"batch": fmt.Sprint(begin)}})
		for _, one := range answer["images"].([]any) {
			ids = append(ids, one.(map[string]any)["image"].(map[string]any)["id"].(string))
		}
	}
	return ids
}

// picture is a small PNG, another for each number.
func picture(n int) []byte {
	i := image.NewRGBA(image.Rect(0, 0, 4, 3))
	i.Set(0, 0, color.RGBA{uint8(n), uint8(n >> 8), uint8(n >> 16), 255})
	var b bytes.Buffer
	if err := png.Encode(&b, i); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// rescuer is one process, whose requests go by these options.
func (w *scene) rescuer(o azcore.ClientOptions) *Rescuer {
	blobs := w.Archives.Blobs(&o)
	r := New(Options{
		Service: w.Open(o), State: w.State,
		Archive:   archive.Open(blobs, w.Names.Archive, archive.Options{Sources: o}),
		Sets:      dataset.Open(blobs, w.Names.Archive, "test"),
		CheckLink: func(string) error { return w.link },
		Now:       func() time.Time { return w.now },
	})
	return r
}

func (w *scene) sets() *dataset.Store { return dataset.Open(w.Archives.Blobs(nil), w.Names.Archive, "test") }

// run runs until nothing is left to do.
func (w *scene) run() Progress {
	w.t.Helper()
	p, err := w.rescuer(azcore.ClientOptions{}).Run(context.Background(), w.project, true)
	require.NoError(w.t, err)
	require.Nil(w.t, p.Taking)
	return p
}

// lines are those of the newest snapshot.
func (w *scene) lines(p Progress, of string) []dataset.Line {
	w.t.Helper()
	require.NotNil(w.t, p.Kept[of])
	body, err := w.sets().Lines(context.Background(), dataset.Name{Project: w.project, Of: of, Snapshot: p.Kept[of].Snapshot})
	require.NoError(w.t, err)
	defer body.Close()
	var list []dataset.Line
	for l, err := range dataset.Read(body) {
		require.NoError(w.t, err)
		list = append(list, l)
	}
	return list
}
