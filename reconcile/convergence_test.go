package reconcile_test

import (
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"visionkeeper/azurite/azuritetest"
)

// TestConvergence lives through random histories: trainings, failures, exports,
// runs in the portal, deletions, publishes; notifications that are dropped,
// doubled, reordered, late or forged; machines that die at any request, two of
// them at once; the service and the storage failing, before and after doing what
// was asked; state that is lost. The judge watches every step; when the trouble
// ends, sweeps must bring about all that the policy asks for.
//
// VISIONKEEPER_HISTORIES says how many, 200 by default; rapid runs them by the hundred.
func TestConvergence(t *testing.T) {
	t.Parallel()
	histories := 200
	if text := os.Getenv("VISIONKEEPER_HISTORIES"); text != "" {
		var err error
		if histories, err = strconv.Atoi(text); err != nil || histories < 1 {
			t.Fatalf("VISIONKEEPER_HISTORIES is a number above 0, not %q", text)
		}
	}
	azure := azuritetest.Start(t)
	var begun, ended, deaths, faults, requests, trainings, exports, backups atomic.Int64
	t.Run("histories", func(t *testing.T) {
		for n := 0; n < histories; n += 100 {
			t.Run(strconv.Itoa(n), func(t *testing.T) {
				t.Parallel()
				var broken bool
				rapid.Check(t, func(t *rapid.T) {
					if begun.Add(1) > int64(histories) && !broken {
						return
					}
					broken = true // until its end: rapid then tries it again, smaller
					h := newHistory(t, azure)
					defer h.close()
					h.live()
					h.settle()
					broken = false
					ended.Add(1)
					deaths.Add(h.deaths)
					faults.Add(h.faults)
					requests.Add(h.requests.Load())
					trainings.Add(int64(h.judge.trainings))
					exports.Add(int64(h.judge.exports))
					backups.Add(int64(len(h.backups())))
				})
			})
		}
	})
	t.Logf("%d histories, %d converged: %d requests, %d of them failed, %d machines killed, %d trainings and %d exports asked for, %d backups",
		min(begun.Load(), int64(histories)), ended.Load(), requests.Load(), faults.Load(), deaths.Load(), trainings.Load(), exports.Load(), backups.Load())
}
