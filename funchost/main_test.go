package funchost

import (
	"os"
	"testing"

	"visionkeeper/azurite/azuritetest"
)

// TestMain makes the test binary its own custom handler: started with
// TEST_HANDLER in its environment it serves invocations instead of running tests.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_HANDLER") != "" {
		runTestHandler()
	}
	os.Exit(azuritetest.Run(m))
}
