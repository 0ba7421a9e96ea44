package customvision

import (
	"os"
	"testing"

	"visionkeeper/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(m.Run)) }
