package customvision

import (
	"os"
	"testing"

	"visionkeeper/dev/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(m.Run)) }
