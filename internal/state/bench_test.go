package state

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// crowded is a project with so many blobs in its model container, of deleted
// iterations mostly: all are archived but for every tenth, which has a condition.
func crowded(blobs int) Project {
	p := Project{ID: projectID, Name: "Kitchen", Version: formatVersion}
	for n := range blobs {
		id := fmt.Sprintf("%08x-1111-4111-8111-111111111111", n/2)
		name, etag := fmt.Sprintf("%s - %s.ONNX%d", projectID, id, n%2), fmt.Sprintf(`"0x8DD%011X"`, n)
		if n%10 == 0 {
			p.Note(Condition{Scope: Scope{Iteration: id, Blob: name, ETag: etag}, Code: Unavailable, Why: "no answer", First: time.Unix(1, 0), Last: time.Unix(1, 0), Next: time.Unix(2, 0), Under: "u"})
			continue
		}
		p.Iteration(id).Archived(name, etag)
	}
	return p
}

func BenchmarkCrowdedProject(b *testing.B) {
	for _, blobs := range []int{20_000, 100_000} {
		p := crowded(blobs)
		data, err := encode(p.Clone())
		require.NoError(b, err)
		for name, do := range map[string]func(){
			"learn": func() { crowded(blobs) },
			"clone": func() { p.Clone() },
			"same":  func() { same(p, p.Clone()) },
			"write": func() { encode(p.Clone()) },
			"read":  func() { assert.NoError(b, decode(data, &Project{})) },
			"clear": func() {
				c := p.Clone()
				for _, known := range p.Conditions {
					c.Clear(known.Scope)
				}
			},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, blobs), func(b *testing.B) {
				for b.Loop() {
					do()
				}
				b.ReportMetric(float64(len(data))/1e6, "MB")
			})
		}
	}
}

func TestTheStateOfAHundredThousandBlobsIsReadBackWhole(t *testing.T) {
	t.Parallel()
	p := crowded(100_000)
	data, err := encode(p.Clone())
	require.NoError(t, err)
	assert.Less(t, len(data), maxBlob)
	var again Project
	require.NoError(t, decode(data, &again))
	assert.True(t, same(p, again))
	assert.Len(t, again.Conditions, 10_000)
}

// resting is a condition of a blob as a run writes it.
func resting(n int) Condition {
	id := fmt.Sprintf("%08x-1111-4111-8111-111111111111", n/2)
	tried := time.Unix(1e9+int64(n)/50, int64(n)).UTC()
	return Condition{
		Scope: Scope{Iteration: id, Blob: fmt.Sprintf("%s - %s.ONNX%d", projectID, id, n%2), ETag: fmt.Sprintf("0x8DD%011X", n)},
		Code:  Resting, Attempts: 3, First: tried, Last: tried, Next: tried.Add(time.Hour),
		Why:   "its bytes lie in the Archive tier, where they can't be read: rehydrate the blob in the model container to the Hot or Cool tier (az storage blob set-tier), which takes up to 15 hours",
		Under: "0123456789abcdef-act-1.2.3-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	}
}

// Of very many blobs none can be read: when each is tried again is kept, else every
// sweep would try all of them.
func TestThePausesOfVeryManyBlobsAreKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		blobs int
		why   func(c Condition) string
	}{
		"one reason for all": {100_000, func(c Condition) string { return c.Why }},
		"each its own":       {20_000, func(c Condition) string { return c.Blob + " gave no answer: " + strings.Repeat("x", maxWhy) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := Project{ID: projectID, Version: formatVersion}
			for n := range c.blobs {
				paused := resting(n)
				paused.Why = c.why(paused)
				p.Note(paused)
			}
			p.Note(Condition{Scope: Scope{Iteration: "i", Export: "ONNX"}, Code: NoLink, Why: "no link"})
			data, err := encode(p)
			require.NoError(t, err)
			assert.Less(t, len(data), maxBlob)
			var again Project
			require.NoError(t, decode(data, &again))
			require.Len(t, again.Conditions, len(p.Conditions))
			for _, c := range p.Conditions {
				kept := again.Condition(c.Scope)
				if kept == nil || kept.Code != c.Code || kept.Attempts != c.Attempts || kept.Under != c.Under || c.Next.Sub(kept.Next).Abs() > time.Hour {
					t.Fatalf("%+v became %+v", c, kept)
				}
			}
		})
	}
}

// A blob that was replaced may have a condition in two versions.
func TestThePausesOfTwoVersionsOfABlobAreKept(t *testing.T) {
	t.Parallel()
	p := Project{ID: projectID}
	for _, etag := range []string{"", "a", "b"} {
		c := resting(0)
		c.ETag = etag
		p.Note(c)
	}
	data, err := encode(p)
	require.NoError(t, err)
	var again Project
	require.NoError(t, decode(data, &again))
	require.Len(t, again.Conditions, 3)
	for i, etag := range []string{"", "a", "b"} {
		assert.Equal(t, etag, again.Conditions[i].ETag)
		assert.Equal(t, p.Conditions[0].Why, again.Conditions[i].Why)
	}
}

// A broken link to each of very many blobs must not keep the state from being written.
func TestPausesOfBlobsGoBeforeTheStateIsTooLarge(t *testing.T) {
	t.Parallel()
	p := Project{ID: projectID, Version: formatVersion}
	p.Iteration("i").Archived("a blob", "etag")
	for n := range maxBlob / 1000 {
		p.Note(Condition{Scope: Scope{Iteration: "i", Blob: fmt.Sprint(strings.Repeat("x", 1000), n)}, Why: string(make([]byte, 2000))})
	}
	p.Note(Condition{Scope: Scope{Iteration: "i", Export: "ONNX"}, Code: NoLink})
	data, err := encode(p.Clone())
	require.NoError(t, err)
	var again Project
	require.NoError(t, decode(data, &again))
	assert.Len(t, again.Conditions, 1, "that of the export is kept")
	assert.Len(t, again.Iterations["i"].Blobs, 1)
}
