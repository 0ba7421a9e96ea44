package formats_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/pictures"
	"visionkeeper/dev/pictures/archived"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/formats"
)

// memory is an archive of one set. Its files can be taken away and spoilt.
type memory struct{ archived.Set }

func (m memory) Lines(context.Context, dataset.Name) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(m.Set.Lines)), nil
}

func (m memory) Image(_ context.Context, project, hash string) (io.ReadCloser, error) {
	data, ok := m.Files[hash]
	if !ok || project != m.Project {
		return nil, archive.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (m memory) request(format, to string) formats.Request {
	return formats.Request{Proof: m.Proof, Format: format, To: to, Version: "v1.0.0"}
}

// found is a picture as the reader in dev/tools finds it.
type found struct {
	File, Part                 string
	Width, Height, Orientation int
	Labels                     []string
	Boxes                      []foundBox
}

type foundBox struct {
	Label                    string
	Left, Top, Right, Bottom float64 // pixels
}

// written is a data set on disk, with the truth about it.
type written struct {
	name   string
	set    memory
	record formats.Record
	folder string
	got    map[string]found // what others' libraries read, by the picture's id
}

// read has data sets read by others' libraries.
func read(t *testing.T, sets []*written) {
	args := []string{filepath.Join("..", "..", "dev", "tools", "dataset.mjs")}
	for _, s := range sets {
		args = append(args, s.record.Format, s.folder)
	}
	cmd := exec.CommandContext(t.Context(), "node", args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, errs.String())
	var lists [][]found
	require.NoError(t, json.Unmarshal(out, &lists))
	for i, list := range lists {
		sets[i].got = map[string]found{}
		for _, f := range list {
			id := strings.TrimSuffix(filepath.Base(f.File), filepath.Ext(f.File))
			assert.NotContains(t, sets[i].got, id)
			sets[i].got[id] = f
		}
	}
}

// write writes a data set with a split.
func write(t *testing.T, name string, set memory, format, split string) *written {
	w := &written{name: name + " " + format, set: set, folder: filepath.Join(t.TempDir(), "out")}
	request := set.request(format, w.folder)
	var err error
	request.Split, err = formats.ParseSplit(split, 5)
	require.NoError(t, err)
	w.record, err = formats.Write(t.Context(), set, request)
	require.NoError(t, err)
	assert.Zero(t, w.record.Lost())
	return w
}

// TestWhatIsWrittenIsRead compares every byte, tag and box of generated data sets with
// what other libraries read in each format.
func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	truths := map[string]pictures.Set{
		"Multiclass": pictures.New(1, pictures.Multiclass, 70), "Multilabel": pictures.New(1, pictures.Multilabel, 70),
		"Detection": pictures.New(1, pictures.Detection, 70), "Detection as stored": pictures.New(2, pictures.Detection, 70),
	}
	var all []*written
	for name, truth := range truths {
		truth.AsStored = name == "Detection as stored"
		set := memory{archived.New(truth, nil)}
		for _, format := range formats.All {
			if truth.Kind == pictures.Detection || !slices.Contains(onlyBoxes, format) {
				all = append(all, write(t, name, set, format, "60/20/20"))
			}
		}
	}
	read(t, all)
	for _, w := range all {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			w.holds(t)
			sumsHold(t, w.folder)
		})
	}
}

var onlyBoxes = []string{formats.COCO, formats.YOLO, formats.VOC}

// holds compares what was read with the truth.
func (w *written) holds(t *testing.T) {
	expected := expect(w.set, w.record)
	assert.Len(t, w.got, len(expected))
	assert.Len(t, w.got, w.record.Images)
	parts, counted := map[string]string{}, map[string]int{}
	for _, i := range w.set.Images {
		want, there := expected[i.ID]
		f, is := w.got[i.ID]
		if !assert.Equal(t, there, is, i.ID) || !there {
			continue
		}
		counted[f.Part]++
		data, err := os.ReadFile(filepath.Join(w.folder, f.File))
		require.NoError(t, err)
		assert.Equal(t, i.Bytes, data)
		assert.Equal(t, i.Extension, filepath.Ext(f.File))
		assert.Equal(t, []int{i.Width, i.Height}, []int{f.Width, f.Height})
		if i.Extension == ".jpg" {
			assert.Equal(t, i.Orientation, f.Orientation)
		}
		if w.record.Format == formats.VOC {
			sameBoxes(t, want.Boxes, f.Boxes, 0.5, 1)
		} else {
			sameBoxes(t, want.Boxes, f.Boxes, 1e-9, 0)
		}
		if w.set.Kind != pictures.Detection {
			assert.ElementsMatch(t, want.Labels, f.Labels)
		}
		same := parts[string(i.Bytes)]
		assert.True(t, same == "" || same == f.Part, "equal pictures are in one part")
		parts[string(i.Bytes)] = f.Part
	}
	for _, p := range w.record.Parts {
		assert.Equal(t, p.Images, counted[p.Name], p.Name)
		assert.NotZero(t, p.Images, p.Name)
	}
}

// expect is what a data set has to hold, from the truth.
func expect(set memory, r formats.Record) map[string]found {
	all := map[string]found{}
	names := map[string]string{}
	for _, c := range r.Classes {
		names[c.TagID] = c.Name
		if r.Format == formats.VOC && (strings.TrimSpace(c.Name) != c.Name || strings.ContainsAny(c.Name, "\n\t\a")) {
			names[c.TagID] = c.Label
		}
	}
	everything := r.Format == formats.CSV || r.Format == formats.JSON
	for _, i := range set.Images {
		f := found{}
		negative := false
		for _, id := range i.Tags {
			tag := set.Tag(id)
			negative = negative || tag.Type == pictures.Negative
			if tag.Type != pictures.Negative || everything || r.Negative.Class {
				f.Labels = append(f.Labels, tag.Name)
			}
		}
		width, height := i.Displayed()
		for _, box := range i.Regions {
			w, h := float64(width), float64(height)
			f.Boxes = append(f.Boxes, foundBox{names[box.Tag], box.Left * w, box.Top * h, (box.Left + box.Width) * w, (box.Top + box.Height) * h})
		}
		if len(i.Tags) > 0 || everything {
			all[i.ID] = f
		}
	}
	return all
}

// sameBoxes compares boxes in their order. The smallest box has least pixels on a side.
func sameBoxes(t *testing.T, want, got []foundBox, delta, least float64) {
	if !assert.Len(t, got, len(want)) {
		return
	}
	for n, w := range want {
		g := got[n]
		assert.Equal(t, w.Label, g.Label)
		for _, side := range [][2][2]float64{{{w.Left, w.Right}, {g.Left, g.Right}}, {{w.Top, w.Bottom}, {g.Top, g.Bottom}}} {
			if side[0][1]-side[0][0] < least { // there is one pixel at least
				assert.InDelta(t, side[0][0], side[1][0], least)
				assert.InDelta(t, side[0][1], side[1][1], least)
				continue
			}
			assert.InDelta(t, side[0][0], side[1][0], delta)
			assert.InDelta(t, side[0][1], side[1][1], delta)
		}
	}
}

// sumsHold compares all files with SHA256SUMS, which names each, and that with the record.
func sumsHold(t *testing.T, folder string) {
	sums, err := os.ReadFile(filepath.Join(folder, formats.SumsName))
	require.NoError(t, err)
	var record formats.Record
	text, err := os.ReadFile(filepath.Join(folder, formats.RecordName))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &record))
	assert.Equal(t, sha(sums), record.SHA256)
	var want, got []string
	for line := range strings.Lines(string(sums)) {
		want = append(want, strings.TrimSpace(line))
	}
	for name, data := range tree(t, folder) {
		if name != formats.SumsName && name != formats.RecordName {
			got = append(got, sha(data)+"  "+name)
		}
	}
	assert.ElementsMatch(t, want, got)
}

// tree is all files of a folder.
func tree(t *testing.T, folder string) map[string][]byte {
	all := map[string][]byte{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		require.NoError(t, err)
		all[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	}))
	return all
}

func sha(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func TestTheSameSnapshotGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	set := memory{archived.New(pictures.New(2, pictures.Detection, 30), &pictures.Iteration{ID: "0a1b2c3d-0000-4000-8000-000000000002", Name: "Iteration 1"})}
	one, other := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "other")
	for _, to := range []string{one, other} {
		_, err := formats.Write(t.Context(), set, set.request(formats.COCO, to))
		require.NoError(t, err)
	}
	assert.Equal(t, tree(t, one), tree(t, other))
}

func TestAPictureStaysInItsPart(t *testing.T) {
	t.Parallel()
	all := pictures.New(3, pictures.Multilabel, 60)
	fewer := all
	fewer.Images = slices.Clone(all.Images[20:])
	slices.Reverse(fewer.Images)
	before := write(t, "all", memory{archived.New(all, nil)}, formats.CSV, "50/50")
	after := write(t, "fewer", memory{archived.New(fewer, nil)}, formats.CSV, "50/50")
	read(t, []*written{before, after})
	for id, f := range after.got {
		assert.Equal(t, before.got[id].Part, f.Part)
	}
	assert.Len(t, after.got, 40)
}

func TestWhatIsMissingOrSpoiltIsSaid(t *testing.T) {
	t.Parallel()
	set := memory{archived.New(pictures.New(4, pictures.Detection, 20), nil)}
	gone, spoilt, longer := archived.File(set.Images[3]).SHA256, archived.File(set.Images[4]).SHA256, archived.File(set.Images[5]).SHA256
	delete(set.Files, gone)
	set.Files[spoilt] = append([]byte("x"), set.Files[spoilt][1:]...)
	set.Files[longer] = append(slices.Clone(set.Files[longer]), 0)
	to := filepath.Join(t.TempDir(), "out")
	record, err := formats.Write(t.Context(), set, set.request(formats.YOLO, to))
	require.NoError(t, err)
	assert.Equal(t, []formats.Missing{
		{ID: set.Images[3].ID, SHA256: gone, Why: "it is not in the archive"},
		{ID: set.Images[4].ID, SHA256: spoilt, Why: "its bytes in the archive are not those that were saved"},
		{ID: set.Images[5].ID, SHA256: longer, Why: "its bytes in the archive are not those that were saved"},
	}, record.Missing)
	for name := range tree(t, to) {
		for _, i := range set.Images[3:6] {
			assert.NotContains(t, name, i.ID)
		}
	}
	sumsHold(t, to)
}

func TestASnapshotThatIsNotItsProofsIsRefused(t *testing.T) {
	t.Parallel()
	set := memory{archived.New(pictures.New(5, pictures.Detection, 5), nil)}
	set.Set.Lines = bytes.Replace(set.Set.Lines, []byte(`"left":0.`), []byte(`"left":1.`), 1)
	to := filepath.Join(t.TempDir(), "out")
	_, err := formats.Write(t.Context(), set, set.request(formats.YOLO, to))
	assert.ErrorContains(t, err, "not what its proof says")
	assert.NoDirExists(t, to, "nothing stays")
}

// failing fails at a picture.
type failing struct {
	memory
	at string
}

func (f failing) Image(ctx context.Context, project, hash string) (io.ReadCloser, error) {
	if hash == f.at {
		return nil, errors.New("the network is gone")
	}
	return f.memory.Image(ctx, project, hash)
}

func TestAnInterruptedDataSetGoesOn(t *testing.T) {
	t.Parallel()
	for _, format := range formats.All {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			set := memory{archived.New(pictures.New(6, pictures.Detection, 40), nil)}
			to, whole := filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "whole")
			_, err := formats.Write(t.Context(), failing{set, archived.File(set.Images[36]).SHA256}, set.request(format, to))
			require.ErrorContains(t, err, "the network is gone")
			assert.NoFileExists(t, filepath.Join(to, formats.RecordName))
			require.NoError(t, os.WriteFile(filepath.Join(to, ".visionkeeper", "LEFT"), []byte("by a process that was killed"), 0o644))

			other := set.request(format, to)
			other.Split, err = formats.ParseSplit("50/50", 1)
			require.NoError(t, err)
			_, err = formats.Write(t.Context(), set, other)
			assert.ErrorContains(t, err, "another data set was begun")

			fetched := counting{memory: set, hashes: make(chan string, 100)}
			_, err = formats.Write(t.Context(), fetched, set.request(format, to))
			require.NoError(t, err)
			assert.Less(t, len(fetched.hashes), 20, "what is there isn't fetched again")
			_, err = formats.Write(t.Context(), set, set.request(format, whole))
			require.NoError(t, err)
			assert.Equal(t, tree(t, whole), tree(t, to))
			_, err = formats.Write(t.Context(), set, set.request(format, to))
			assert.ErrorContains(t, err, "holds a whole data set already")
		})
	}
}

// counting notes what is fetched.
type counting struct {
	memory
	hashes chan string
}

func (c counting) Image(ctx context.Context, project, hash string) (io.ReadCloser, error) {
	c.hashes <- hash
	return c.memory.Image(ctx, project, hash)
}

func TestNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	set := memory{archived.New(pictures.New(7, pictures.Detection, 10), nil)}
	to := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(to, "mine"), []byte("mine"), 0o644))
	_, err := formats.Write(t.Context(), set, set.request(formats.YOLO, to))
	assert.ErrorContains(t, err, "is not empty, and nothing is overwritten")
	assert.Equal(t, map[string][]byte{"mine": []byte("mine")}, tree(t, to))

	to = filepath.Join(t.TempDir(), "out")
	_, err = formats.Write(t.Context(), failing{set, archived.File(set.Images[9]).SHA256}, set.request(formats.YOLO, to))
	require.Error(t, err)
	mine := filepath.Join(to, "data.yaml")
	require.NoError(t, os.WriteFile(mine, []byte("mine"), 0o644))
	_, err = formats.Write(t.Context(), set, set.request(formats.YOLO, to))
	assert.ErrorContains(t, err, "data.yaml is there already, and is another")
	data, err := os.ReadFile(mine)
	require.NoError(t, err)
	assert.Equal(t, "mine", string(data))
}

func TestNoLinkLeadsOutOfTheFolder(t *testing.T) {
	t.Parallel()
	set := memory{archived.New(pictures.New(8, pictures.Detection, 10), nil)}
	to, elsewhere := filepath.Join(t.TempDir(), "out"), t.TempDir()
	_, err := formats.Write(t.Context(), failing{set, archived.File(set.Images[0]).SHA256}, set.request(formats.YOLO, to))
	require.Error(t, err)
	require.NoError(t, os.RemoveAll(filepath.Join(to, "images")))
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(to, "images")))
	_, err = formats.Write(t.Context(), set, set.request(formats.YOLO, to))
	require.Error(t, err)
	assert.Empty(t, tree(t, elsewhere))
}

func TestClassificationHasNoBoxes(t *testing.T) {
	t.Parallel()
	set := memory{archived.New(pictures.New(9, pictures.Multiclass, 10), nil)}
	for _, format := range []string{formats.COCO, formats.YOLO, formats.VOC} {
		to := filepath.Join(t.TempDir(), "out")
		_, err := formats.Write(t.Context(), set, set.request(format, to))
		assert.ErrorContains(t, err, "imagefolder", format)
		assert.NoDirExists(t, to)
	}
	_, err := formats.Write(t.Context(), set, set.request("xml", filepath.Join(t.TempDir(), "out")))
	assert.ErrorContains(t, err, fmt.Sprintf("no format %q", "xml"))
}

// TestAnImageThatCameTwiceIsWrittenOnce has a snapshot that changed while it was read: an
// image came again, with other boxes.
func TestAnImageThatCameTwiceIsWrittenOnce(t *testing.T) {
	t.Parallel()
	truth := pictures.New(11, pictures.Detection, 30)
	at := slices.IndexFunc(truth.Images, func(i pictures.Image) bool { return len(i.Regions) > 1 })
	require.GreaterOrEqual(t, at, 0)
	again := truth.Images[at]
	again.Regions = again.Regions[:1]
	twice := truth
	twice.Images = append(slices.Clone(truth.Images), again)
	for _, format := range []string{formats.COCO, formats.YOLO, formats.VOC, formats.CSV, formats.JSON} {
		once, set := memory{archived.New(truth, nil)}, memory{archived.New(twice, nil)}
		set.Proof.Verdict = dataset.Changed
		to := t.TempDir()
		want, err := formats.Write(t.Context(), once, once.request(format, filepath.Join(to, "once")))
		require.NoError(t, err)
		got, err := formats.Write(t.Context(), set, set.request(format, filepath.Join(to, "twice")))
		if assert.NoError(t, err, format) {
			assert.Equal(t, want.Images, got.Images, format)
			sums := tree(t, filepath.Join(to, "twice"))[formats.SumsName]
			lines := bytes.Split(bytes.TrimSpace(sums), []byte("\n"))
			slices.SortFunc(lines, bytes.Compare)
			assert.Len(t, slices.CompactFunc(lines, bytes.Equal), bytes.Count(sums, []byte("\n")), format)
		}
	}
}
