package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
)

// narrator turns the log lines of the app into lines for people. Of the host's
// lines it shows only warnings and errors.
type narrator struct {
	verbose bool

	mu   sync.Mutex
	rest []byte         // a line that isn't complete yet
	said map[string]int // how often the app logged each message
}

// heard returns how often the app has logged a message.
func (n *narrator) heard(message string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.said[message]
}

func (n *narrator) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rest = append(n.rest, p...)
	for {
		line, rest, complete := bytes.Cut(n.rest, []byte("\n"))
		if !complete {
			return len(p), nil
		}
		n.rest = rest
		text := n.plain(string(line))
		if n.verbose {
			text = string(line)
		}
		if text != "" {
			fmt.Fprintln(os.Stdout, text)
		}
	}
}

// event is a line of the app's log.
type event struct {
	Time                         time.Time
	Level, Message, Type, Status string
	Name, Project                string
	Iteration, IterationName     string
	Export, Blob                 string
	Because, Cause, Error        string
	Outcome, From                string
	Change                       string
	Next                         *time.Time
	Projects, Covered, Unproven  int
	Events                       int
}

// inWords are the app's own messages as a person reads them. What isn't here is shown as
// it is; "" isn't shown.
var inWords = map[string]string{
	"listening for the Functions host":      "the app runs",
	"noted domain, tags and performance":    "",
	"message dealt with":                    "message %s",
	"message comes again":                   "message %s comes again",
	"message left to the sweep":             "message %s is left to the next sweep",
	"swept":                                 "the sweep has ended",
	"told of events":                        "others were told what happened",
	"found the training that was asked for": "found the training that was asked for",
}

// plain returns the line for people, or "" for a line that isn't shown.
func (n *narrator) plain(line string) string {
	var e event
	if i := strings.IndexByte(line, '{'); i < 0 || json.Unmarshal([]byte(line[i:]), &e) != nil || e.Message == "" {
		if strings.Contains(line, "error") || strings.Contains(line, "warning") {
			return "  host  " + printable(line)
		}
		return ""
	}
	if n.said == nil {
		n.said = map[string]int{}
	}
	n.said[e.Message]++
	words, known := inWords[e.Message]
	if known && words == "" {
		return ""
	}
	if !known {
		words = e.Message
	}
	return printable(e.sentence(words))
}

// sentence says when, about what, what happened, why, and what comes next.
func (e event) sentence(words string) string {
	what := e.Status
	if what == "" {
		what = e.Type
	}
	text := "  " + e.Time.Local().Format("15:04:05") + "  "
	if about := e.about(); about != "" {
		text += about + ": "
	}
	text += strings.ReplaceAll(words, "%s", what)
	if e.Message == "swept" {
		text += fmt.Sprintf(": projects looked at: %d of %d; finished exports without a backup: %d", e.Covered, e.Projects, e.Unproven)
	}
	if e.Message == "told of events" {
		text += fmt.Sprintf(": events on the queue: %d", e.Events)
	}
	if e.Message == "archived" || e.Message == "all that can be done now is done" {
		e.Because = "" // it says so itself
	}
	if e.Cause != "" {
		e.Because = e.Cause // why it can't be done, rather than why it should be
	}
	for _, why := range []string{e.Change, e.Because, e.Outcome, e.Error} {
		if why != "" {
			text += ": " + why
		}
	}
	if e.Next != nil {
		text += "; next try " + e.Next.Local().Format("15:04:05")
	}
	if e.Level == "warn" || e.Level == "error" {
		text += "  [" + e.Level + "]"
	}
	return text
}

// about is the project, the iteration and the export or the blob that the event is about.
func (e event) about() string {
	if e.Blob != "" && e.Name == "" {
		return e.Blob // which has both ids
	}
	var list []string
	for _, part := range []struct{ name, id string }{{e.Name, e.Project}, {e.IterationName, e.Iteration}, {e.Export, ""}, {e.Blob, ""}} {
		switch {
		case part.name != "":
			list = append(list, part.name)
		case part.id != "":
			list = append(list, part.id[:min(8, len(part.id))]+"…")
		}
	}
	return strings.Join(list, ", ")
}

// printable is a line without what could steer the terminal.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '?'
		}
		return r
	}, line)
}
