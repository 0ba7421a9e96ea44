package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNothingThatIsShownSteersTheTerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Äpfel und ✓": "Äpfel und ✓", "two\nlines\ttab": `two\u000alines\u0009tab`, "\x1b[2Jcleared": `\u001b[2Jcleared`, "\u009b2Jcleared": `\u009b2Jcleared`, "\x9b2J": "?2J",
		"\x1b]0;title\x07": `\u001b]0;title\u0007`, "a\rb": `a\u000db`, "\x7f": `\u007f`, "\u202egnp.exe": `\u202egnp.exe`, "\x1b[31": `\u001b[31`,
		"no-break\u00a0space": "no-break\u00a0space", "two\u2028lines": `two\u2028lines`,
	} {
		for _, colour := range []bool{false, true} {
			var shown bytes.Buffer
			screen := &screen{w: &shown, colour: colour}
			o := output{stdout: screen, stderr: screen, bar: &shown, colour: colour}
			o.say("%s", text)
			o.warn("%s", text)
			o.problems([]problem{{What: "x", Why: text, Do: "y"}}, false)
			got := shown.String()
			assert.Equal(t, want+"\n"+want+"\n", got[:2*len(want)+2], "%q", text)
			o.live = true
			o.progress(1, 2, text)
			for _, code := range []string{"\x1b[2J", "\u009b", "\x9b2", "\x1b]", "a\rb", "\x7f", "\u202e", "\u2028"} {
				assert.NotContains(t, shown.String(), code)
			}
		}
	}
	red := (&output{colour: true}).red
	assert.Equal(t, "\x1b[31mred \\u001b[0K\x1b[0m", escaped(red("red \x1b[0K"), true))
}

func TestTheBarIsNeverLongerThanItself(t *testing.T) {
	t.Parallel()
	for done, want := range map[int]string{-1: "[" + strings.Repeat("·", barWidth) + "]", 1: "[" + strings.Repeat("#", barWidth/2), 3: "[" + strings.Repeat("#", barWidth) + "] 3/2"} {
		var shown bytes.Buffer
		o := output{bar: &shown, live: true}
		o.progress(done, 2, "x")
		assert.Contains(t, shown.String(), want)
	}
}

// A name takes the room that it is shown in, and no line or column of its own.
func TestANameStaysInItsCell(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{
		"PROJECT             SAFE", `a\u000a✓\u0009well  yes`, `\u009b\u202e        no`,
	}, align([][]string{{"PROJECT", "SAFE"}, {"a\n✓\twell", "yes"}, {"\u009b\u202e", "no"}}))
	assert.Equal(t, `ab\u00…`, cut("ab\u009b\u009b", 7))
	var shown bytes.Buffer
	o := output{stdout: &screen{w: &shown}}
	o.sayWrapped(plain, strings.Repeat("\u009b ", 20)+"a\n✓ well", 0)
	for line := range strings.Lines(shown.String()) {
		assert.LessOrEqual(t, len([]rune(line)), columns+1)
	}
	assert.Contains(t, shown.String(), `a\u000a✓`)
}

// What is escaped in JSON is the same text to who reads it.
func TestJSONKeepsEveryCharacter(t *testing.T) {
	t.Parallel()
	const name = "a\u202eb\x1b[2J\u009bc\u2028"
	var shown bytes.Buffer
	o := output{stdout: &screen{w: &shown}, json: true}
	require.NoError(t, o.result(name, nil))
	assert.NotContains(t, shown.String(), "\u202e")
	var read string
	require.NoError(t, json.Unmarshal(shown.Bytes(), &read))
	assert.Equal(t, name, read)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestTheFirstFailedWriteIsRemembered(t *testing.T) {
	t.Parallel()
	s := &screen{w: full{}}
	o := output{stdout: s}
	require.NoError(t, s.err())
	o.say("text")
	assert.EqualError(t, s.err(), "no space")
}
