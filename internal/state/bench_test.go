package state

import (
	"fmt"
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

// A broken link to each of very many blobs must not keep the state from being written.
func TestPausesOfBlobsGoBeforeTheStateIsTooLarge(t *testing.T) {
	t.Parallel()
	p := Project{ID: projectID, Version: formatVersion}
	p.Iteration("i").Archived("a blob", "etag")
	for n := range maxBlob / 1000 {
		p.Note(Condition{Scope: Scope{Iteration: "i", Blob: fmt.Sprint(n)}, Why: string(make([]byte, 2000))})
	}
	p.Note(Condition{Scope: Scope{Iteration: "i", Export: "ONNX"}, Code: NoLink})
	data, err := encode(p.Clone())
	require.NoError(t, err)
	var again Project
	require.NoError(t, decode(data, &again))
	assert.Len(t, again.Conditions, 1, "that of the export is kept")
	assert.Len(t, again.Iterations["i"].Blobs, 1)
}
