package world

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"

	"github.com/stretchr/testify/require"
)

// Call calls an operation of the Training API about a project that the app has no use
// for, as a person's browser would, and returns the object that it answers.
func (w *World) Call(method, project, path string, body any) map[string]any {
	w.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(w.t, err)
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.API+"/customvision/v3.3/training/projects/"+project+"/"+path, bytes.NewReader(text))
	require.NoError(w.t, err)
	req.Header.Set("Training-Key", Key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	require.Less(w.t, resp.StatusCode, 300, string(data))
	var answer map[string]any
	if len(data) > 0 {
		require.NoError(w.t, json.Unmarshal(data, &answer))
	}
	return answer
}

// Tag makes a tag, and returns its id.
func (w *World) Tag(project, name string) string {
	w.t.Helper()
	return w.Call(http.MethodPost, project, "tags?name="+name, nil)["id"].(string)
}

// AddPictures uploads Picture of n numbers from first on, with tags, and returns the ids of
// the images.
func (w *World) AddPictures(project string, first, n int, tags ...string) []string {
	w.t.Helper()
	const batch = 64
	var ids []string
	for ; n > 0; first, n = first+batch, n-batch {
		var entries []map[string]any
		for i := first; i < first+min(batch, n); i++ {
			entries = append(entries, map[string]any{"name": fmt.Sprint(i), "contents": Picture(i), "tagIds": tags})
		}
		answer := w.Call(http.MethodPost, project, "images/files", map[string]any{"images": entries, "metadata": map[string]string{"batch": fmt.Sprint(first)}})
		for _, one := range answer["images"].([]any) {
			ids = append(ids, one.(map[string]any)["image"].(map[string]any)["id"].(string))
		}
	}
	return ids
}

// Picture is a PNG of 4 by 3 pixels, another for each number.
func Picture(n int) []byte {
	i := image.NewRGBA(image.Rect(0, 0, 4, 3))
	i.Set(0, 0, color.RGBA{uint8(n), uint8(n >> 8), uint8(n >> 16), 255})
	var b bytes.Buffer
	if err := png.Encode(&b, i); err != nil {
		panic(err)
	}
	return b.Bytes()
}
