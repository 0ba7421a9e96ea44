package customvision

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const imageJSON = `{"id":"0a1b2c3d-0000-4000-8000-000000000001","created":"2020-11-06T17:34:53.6925759","width":4,"height":"3","unknown":[1],
 "originalImageUri":"https://x/i?sig=s","resizedImageUri":null,"tags":[{"tagId":"t","tagName":null,"created":"2020-11-06T17:34:53"}],
 "regions":[{"regionId":"r","tagId":"t","left":0.1,"top":0.2,"width":0.3,"height":0.4}],"metadata":{"a":"b","-":"c"},"-":5}`

func TestImagesAreReadFieldByFieldAndKeptAsTheyAre(t *testing.T) {
	var query string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.RawQuery
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, "["+imageJSON+",5]")
	}))
	defer server.Close()
	c, err := NewClientWithKey(server.URL, "key", nil)
	require.NoError(t, err)
	list, err := c.Images(context.Background(), "0a1b2c3d-0000-4000-8000-000000000009", "0a1b2c3d-0000-4000-8000-000000000008", Page{Skip: 255, Take: PageSize})
	require.NoError(t, err)
	assert.Equal(t, "iterationId=0a1b2c3d-0000-4000-8000-000000000008&orderBy=Oldest&skip=255&taggingStatus=All&take=256", query)
	require.Len(t, list, 2)
	i := list[0]
	assert.Equal(t, imageJSON, string(i.Raw))
	assert.Equal(t, time.Date(2020, 11, 6, 17, 34, 53, 692575900, time.UTC), i.Created)
	assert.Equal(t, [2]int{4, 3}, [2]int{i.Width, i.Height})
	assert.Equal(t, map[string]string{"a": "b", "-": "c"}, i.Metadata)
	assert.Equal(t, Region{RegionID: "r", TagID: "t", Left: 0.1, Top: 0.2, Width: 0.3, Height: 0.4}, i.Regions[0])
	assert.Equal(t, "t", i.Tags[0].TagID)
	assert.Equal(t, Unreadable+"5", list[1].ID, "it must not look as if it weren't there")
}

func TestCountsAreBareNumbersOrText(t *testing.T) {
	for answer, want := range map[string]int{"10": 10, `"10"`: 10} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
		c, err := NewClientWithKey(server.URL, "key", nil)
		require.NoError(t, err)
		n, err := c.ImageCount(context.Background(), "0a1b2c3d-0000-4000-8000-000000000009", "", AllImages)
		require.NoError(t, err)
		assert.Equal(t, want, n)
		server.Close()
	}
}
