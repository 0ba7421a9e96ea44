package holdout

import (
	"os"
	"testing"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }
