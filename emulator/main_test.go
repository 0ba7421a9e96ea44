package emulator

import (
	"os"
	"testing"

	"visionkeeper/azurite/azuritetest"
	"visionkeeper/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }
