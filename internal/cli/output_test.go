package cli

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNothingThatIsShownSteersTheTerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Äpfel und ✓\n\ttab": "Äpfel und ✓\n\ttab", "\x1b[2Jcleared": "?[2Jcleared", "\u009b2Jcleared": "?2Jcleared", "\x9b2J": "?2J",
		"\x1b]0;title\x07": "?]0;title?", "a\rb": "a?b", "\x7f": "?", "\u202egnp.exe": "?gnp.exe", "\x1b[31": "?[31", "no-break\u00a0space": "no-break\u00a0space",
	} {
		for _, colour := range []bool{false, true} {
			var shown bytes.Buffer
			o := output{stdout: &shown, stderr: &shown, colour: colour}
			o.say("%s", text)
			o.warn("%s", text)
			o.problems([]problem{{What: "x", Why: text, Do: "y"}}, false)
			got := shown.String()
			assert.Equal(t, want+"\n"+want+"\n", got[:2*len(want)+2], "%q", text)
			for _, code := range []string{"\x1b[2J", "\u009b", "\x9b2", "\x1b]", "\r", "\x7f", "\u202e"} {
				assert.NotContains(t, got, code)
			}
		}
	}
	painting := output{colour: true}
	assert.Equal(t, "\x1b[31mred ?[0K\x1b[0m and \x1b[32mgreen\x1b[0m", painting.safe(painting.red("red \x1b[0K")+" and "+painting.green("green")))
}
