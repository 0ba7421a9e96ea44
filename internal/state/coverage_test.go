package state

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheCoverageOfAResourceIsThatOfItsProjects(t *testing.T) {
	t.Parallel()
	assert.Nil(t, Sum(nil, 664))
	list := []Coverage{
		{Trained: 3, Safe: 2, Stuck: []Stuck{{}}, Wanted: 4, Complete: 1, Images: 10, Saved: 9, Bytes: 5, Missing: []string{"a", "b"}},
		{Trained: 1, Safe: 1, Wanted: 2, Complete: 2, Images: 1, Saved: 1, Bytes: 2},
	}
	sum := Sum(list, 664)
	assert.Equal(t, &Total{Projects: 2, Trained: 4, Safe: 3, Stuck: 1, Wanted: 6, Complete: 3, Images: 11, Saved: 10, Bytes: 7, Missing: 2, RetirementDays: 664}, sum)
	assert.InDelta(t, 0.5, sum.Share(), 0)
}
