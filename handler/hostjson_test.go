package handler

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRoot(t *testing.T) {
	t.Parallel()
	executable := filepath.Join("app", "visionkeeper")
	assert.Equal(t, "elsewhere", Root(env(envRoot, "elsewhere"), executable))
	assert.Equal(t, "app", Root(env(), executable))
}
