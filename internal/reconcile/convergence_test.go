package reconcile_test

import (
	"flag"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/figures"
)

// TestConvergence lives through random histories: trainings, failures, exports,
// runs in the portal, deletions, publishes; notifications that are dropped,
// doubled, reordered, late or forged; machines that die at any request, two of
// them at once; the service and the storage failing, before and after doing what
// was asked; state that is lost; projects that are deleted, and an app without an
// endpoint. The judge watches every step; when the trouble ends, sweeps must bring
// about all that the policy asks for.
//
// RAPID_CHECKS says how many histories, RAPID_SEED by which seed.
func TestConvergence(t *testing.T) {
	seed := seed()
	t.Parallel()
	var azure *azurite.Server
	begun := 0
	var histories, deaths, faults, requests, trainings, exports, deletions, backups int
	rapid.Check(t, func(rt *rapid.T) {
		// Azurite clears up every ten minutes, and stands still the longer the more
		// was deleted since: another takes its place before that takes minutes.
		if begun%500 == 0 {
			if azure != nil {
				azure.Close()
			}
			var err error
			azure, err = azurite.Start(t.Context(), azurite.Options{})
			require.NoError(rt, err)
		}
		begun++
		h := newHistory(rt, azure)
		defer h.close()
		h.live()
		h.settle()
		histories++
		deaths += h.deaths
		faults += h.faults
		requests += int(h.requests.Load())
		trainings += h.judge.trainings
		exports += h.judge.exports
		deletions += h.judge.deletions
		backups += len(h.Backups(h.project, ""))
	})
	figures.Print(t, "seed %d: %d histories, all of them converged: %d requests, %d of them failed, %d machines killed, %d trainings, %d exports and %d deletions asked for, %d backups",
		seed, histories, requests, faults, deaths, trainings, exports, deletions, backups)
}

// seed is what chance starts from. It may set the flag that rapid reads, so it is
// called before t.Parallel.
func seed() uint64 {
	chosen := flag.Lookup("rapid.seed").Value
	if chosen.String() == "0" {
		_ = chosen.Set(strconv.FormatUint(rand.Uint64(), 10))
	}
	n, _ := strconv.ParseUint(chosen.String(), 10, 64) // rapid takes nothing else
	return n
}
