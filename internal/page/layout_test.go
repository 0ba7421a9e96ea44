package page

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestASentenceBeginsWithACapitalInAnyAlphabet(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "all": "All", "Äpfel was trained": "Äpfel was trained", "übung": "Übung", "猫 was trained": "猫 was trained", "🍎": "🍎"} {
		assert.Equal(t, want, sentence(text))
	}
}
