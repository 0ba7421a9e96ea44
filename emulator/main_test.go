package emulator

import (
	"os"
	"testing"

	"visionkeeper/azurite/azuritetest"
)

func TestMain(m *testing.M) { os.Exit(azuritetest.Run(m)) }
