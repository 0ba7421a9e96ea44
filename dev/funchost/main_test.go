package funchost

import (
	"os"
	"testing"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/leak"
)

// TestMain makes the test binary its own custom handler: started with
// TEST_HANDLER in its environment it serves invocations instead of running tests.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_HANDLER") != "" {
		runTestHandler()
	}
	os.Exit(leak.Run(func() int { return azuritetest.Run(m) }))
}
