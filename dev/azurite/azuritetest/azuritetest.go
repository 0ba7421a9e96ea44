// Package azuritetest starts one Azurite for all tests of a package. It starts on
// first use and ends with the test process. Call Run from TestMain.
package azuritetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"visionkeeper/dev/azurite"
)

var shared struct {
	sync.Mutex
	server *azurite.Server // for the tests that begin now
	begun  int             // tests, with it
	of     map[test]*azurite.Server
}

// test is one whose Azurite stays the same for as long as it runs.
type test interface {
	Helper()
	Fatal(args ...any)
	Cleanup(f func())
}

// renewed is after how many tests the next ones get an Azurite of their own: it slows
// down with the number of blobs that it has, and not every test deletes its own.
const renewed = 300

// Run runs the tests, ends the shared Azurite if one was started, and returns
// the exit code for os.Exit.
func Run(m *testing.M) int {
	shared.of = map[test]*azurite.Server{}
	defer func() {
		if shared.server != nil {
			shared.server.Close()
		}
	}()
	return m.Run()
}

// Start returns the Azurite of a test: the same one each time, for as long as it runs.
func Start(t test) *azurite.Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if server := shared.of[t]; server != nil {
		return server
	}
	if shared.server == nil || shared.begun == renewed {
		server, err := azurite.Start(context.Background(), azurite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		old := shared.server
		shared.server, shared.begun = server, 0
		closeUnused(old)
	}
	server := shared.server
	shared.of[t], shared.begun = server, shared.begun+1
	t.Cleanup(func() {
		shared.Lock()
		defer shared.Unlock()
		delete(shared.of, t)
		closeUnused(server)
	})
	return server
}

// closeUnused ends an Azurite that no test uses, and that none will.
func closeUnused(server *azurite.Server) {
	if server != nil && server != shared.server && !slices.Contains(slices.Collect(maps.Values(shared.of)), server) {
		server.Close()
	}
}

// Name returns a name for a container or queue that no other test uses.
func Name(prefix string) string {
	return fmt.Sprintf("%s-%08x", prefix, rand.Uint32())
}
