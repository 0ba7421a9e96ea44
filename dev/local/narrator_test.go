package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A line for people has the names, which export, why, and what comes next.
func TestTheNarratorSpeaksToPeople(t *testing.T) {
	t.Parallel()
	n := &narrator{}
	const about = `"project":"11111111-2222","name":"Demo kitchen","iteration":"aaaaaaaa-bbbb","iterationName":"Iteration 1","time":"2026-11-30T08:00:00Z"`
	for line, want := range map[string]string{
		`{"level":"info",` + about + `,"export":"ONNX","because":"the policy wants it","message":"asked for an export"}`:                                                              "Demo kitchen, Iteration 1, ONNX: asked for an export: the policy wants it",
		`{"level":"info",` + about + `,"status":"ExportCompleted","export":"ONNX","outcome":"done","message":"message dealt with"}`:                                                   "Demo kitchen, Iteration 1, ONNX: message ExportCompleted: done",
		`{"level":"warn",` + about + `,"next":"2026-11-30T09:00:00Z","because":"no","message":"cannot be done now"}`:                                                                  "Demo kitchen, Iteration 1: cannot be done now: no; next try ",
		`{"level":"warn",` + about + `,"export":"ONNX","because":"it is exported","cause":"the bytes are damaged","message":"cannot be done now"}`:                                    "Demo kitchen, Iteration 1, ONNX: cannot be done now: the bytes are damaged  [warn]",
		`{"level":"warn","project":"11111111-2222","iteration":"aaaaaaaa-bbbb","blob":"11111111-2222 - aaaaaaaa-bbbb.ONNX","cause":"no","message":"cannot be done now"}`:              "  11111111-2222 - aaaaaaaa-bbbb.ONNX: cannot be done now: no  [warn]",
		`{"level":"info",` + about + `,"because":"what is asked for it is done or put off","message":"all that can be done now is done"}`:                                             "Demo kitchen, Iteration 1: all that can be done now is done",
		`{"level":"info","type":"ConnectionTest","project":"11111111-2222","outcome":"Custom Vision reaches the queue","time":"2026-11-30T08:00:00Z","message":"message dealt with"}`: "11111111…: message ConnectionTest: Custom Vision reaches the queue",
		`{"level":"info","projects":2,"covered":1,"unproven":3,"time":"2026-11-30T08:00:00Z","message":"swept"}`:                                                                      "the sweep has ended: projects looked at: 1 of 2; finished exports without a backup: 3",
		`{"level":"info","name":"Demo kitchen","destination":"queue","events":3,"time":"2026-11-30T08:00:00Z","message":"told of events"}`:                                            "Demo kitchen: others were told what happened: events on the queue: 3",
		`{"level":"info",` + about + `,"message":"noted domain, tags and performance"}`:                                                                                               "",
		`{"level":"info","name":"evil\u001b[2J","message":"archived"}`:                                                                                                                "evil?[2J: archived",
		"host: warning: something": "  host  host: warning: something",
		"host: fine":               "",
	} {
		got := n.plain(line)
		if want == "" {
			assert.Empty(t, got)
			continue
		}
		assert.Contains(t, got, want)
	}
	assert.Equal(t, 1, n.heard("swept"))
}
