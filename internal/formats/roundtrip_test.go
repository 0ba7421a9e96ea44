package formats_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/pictures"
	"visionkeeper/dev/pictures/archived"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/formats"
	"visionkeeper/internal/rescue"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

// TestTheServicesDataSetComesThrough uploads generated data sets to the emulated service,
// saves them into the archive as the app does, writes them in each format, and compares
// every byte, tag and box with what others' libraries read. The service writes the ids in
// images in capital letters, and those in the list of tags in small ones.
func TestTheServicesDataSetComesThrough(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Emulator: emulator.Options{NoValidation: true}})
	sets := dataset.Open(w.Archives.Blobs(nil), w.Names.Archive, "test")
	line := world.NewInterceptor(t)
	line.Use(world.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/images") }, world.Spoil(world.Capitals)))
	rescuer := rescue.New(rescue.Options{
		Service: w.Open(azcore.ClientOptions{Transport: line}), State: w.State, Sets: sets, Now: time.Now,
		Archive:   archive.Open(w.Archives.Blobs(nil), w.Names.Archive, archive.Options{}),
		CheckLink: func(string) error { return nil },
	})
	var all []*written
	for _, kind := range []pictures.Kind{pictures.Multiclass, pictures.Multilabel, pictures.Detection} {
		truth := upload(t, w, pictures.New(21, kind, 40, "cat", "a/b", "..", "CON", `say "hi"`, "line\nbreak", "<b>&amp;", "Übergröße"))
		_, err := rescuer.Run(t.Context(), truth.Project, rescue.Wish{Force: true})
		require.NoError(t, err)
		list, err := sets.Snapshots(t.Context(), truth.Project)
		require.NoError(t, err)
		best, ok := dataset.Best(list, dataset.Workspace)
		require.True(t, ok)
		proof, err := sets.Proof(t.Context(), best)
		require.NoError(t, err)
		require.Equal(t, dataset.Complete, proof.Verdict, proof.Note)
		for _, format := range formats.All {
			if kind != pictures.Detection && slices.Contains(onlyBoxes, format) {
				continue
			}
			one := &written{name: string(kind) + " " + format, set: memory{archived.Set{Set: truth}}, folder: filepath.Join(t.TempDir(), "out")}
			one.record, err = formats.Write(t.Context(), sets, formats.Request{Proof: proof, Format: format, To: one.folder})
			require.NoError(t, err)
			assert.Empty(t, one.record.Missing)
			all = append(all, one)
		}
	}
	read(t, all)
	for _, one := range all {
		t.Run(one.name, func(t *testing.T) { one.holds(t) })
	}
}

// upload makes a project of a set, as a person does, and returns the set with the ids that
// the service gave.
func upload(t *testing.T, w *world.World, set pictures.Set) pictures.Set {
	set.AsStored = true // the emulated service looks at no orientation
	domain, kind := set.Domain(), string(set.Kind)
	if set.Kind == pictures.Detection {
		kind = ""
	}
	set.Project = w.Create(customvision.CreateProjectOptions{Name: set.Name, DomainID: domain, ClassificationType: kind}).ID
	ids := map[string]string{}
	set.Tags = slices.Clone(set.Tags)
	for i, tag := range set.Tags {
		answer := w.Call(http.MethodPost, set.Project, "tags?type="+tag.Type+"&name="+url.QueryEscape(tag.Name), nil)
		ids[tag.ID] = answer["id"].(string)
		set.Tags[i].ID = ids[tag.ID]
	}
	set.Images = slices.Delete(slices.Clone(set.Images), 1, 2) // has the bytes of another, which the service takes once
	var entries []any
	for n, i := range set.Images {
		entry := map[string]any{"name": i.ID, "contents": i.Bytes}
		set.Images[n].Tags, set.Images[n].Regions = nil, slices.Clone(i.Regions)
		for _, tag := range i.Tags {
			set.Images[n].Tags = append(set.Images[n].Tags, ids[tag])
		}
		var regions []any
		for at, r := range set.Seen(i) {
			set.Images[n].Regions[at].Tag = ids[r.Tag]
			regions = append(regions, map[string]any{"tagId": ids[r.Tag], "left": r.Left, "top": r.Top, "width": r.Width, "height": r.Height})
		}
		if entry["regions"] = regions; regions == nil { // they bring their tags
			entry["tagIds"] = set.Images[n].Tags
		}
		entries = append(entries, entry)
	}
	answer := w.Call(http.MethodPost, set.Project, "images/files", map[string]any{"images": entries})
	for n, one := range answer["images"].([]any) {
		set.Images[n].ID = one.(map[string]any)["image"].(map[string]any)["id"].(string)
	}
	return set
}
