package cli

import (
	"fmt"
	"strings"

	"visionkeeper/internal/nearest"
)

// suggestion ends a sentence about a word that isn't one of a list: with the one that was
// probably meant, or with all.
func suggestion(word string, among []string) string {
	if meant := nearest.Of(word, among); meant != "" {
		return fmt.Sprintf(" (did you mean %s?)", meant)
	}
	return "; there are " + strings.Join(among, ", ")
}
