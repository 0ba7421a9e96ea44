// Package azuritetest starts one Azurite for all tests of a package. It starts on
// first use and ends with the test process. Call Run from TestMain.
package azuritetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"visionkeeper/dev/azurite"
)

var shared struct {
	sync.Mutex
	server *azurite.Server
}

// Run runs the tests, ends the shared Azurite if one was started, and returns
// the exit code for os.Exit.
func Run(m *testing.M) int {
	defer func() {
		if shared.server != nil {
			shared.server.Close()
		}
	}()
	return m.Run()
}

// Start returns the Azurite of this test process.
func Start(t interface {
	Helper()
	Fatal(args ...any)
}) *azurite.Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		server, err := azurite.Start(context.Background(), azurite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		shared.server = server
	}
	return shared.server
}

// Name returns a name for a container or queue that no other test uses.
func Name(prefix string) string {
	return fmt.Sprintf("%s-%08x", prefix, rand.Uint32())
}
