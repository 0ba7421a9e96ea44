package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
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

// plain returns the line for people, or "" for a line that isn't shown.
func (n *narrator) plain(line string) string {
	var event struct{ Level, Message, Status, Export, Because, Error, Iteration, Blob, DeadLetter, Outcome string }
	if i := strings.IndexByte(line, '{'); i < 0 || json.Unmarshal([]byte(line[i:]), &event) != nil || event.Message == "" {
		if strings.Contains(line, "error") || strings.Contains(line, "warning") {
			return "  host  " + line
		}
		return ""
	}
	if n.said == nil {
		n.said = map[string]int{}
	}
	n.said[event.Message]++
	text := "  app   " + event.Message
	for _, word := range []string{event.Status, event.Export, event.Blob} {
		if word != "" {
			text += " " + word
		}
	}
	if event.Iteration != "" {
		text += " (iteration " + event.Iteration[:min(8, len(event.Iteration))] + "…)"
	}
	for _, why := range []string{event.Because, event.Outcome, event.Error} {
		if why != "" {
			text += ": " + why
		}
	}
	if event.Level == "warn" || event.Level == "error" {
		text += "  [" + event.Level + "]"
	}
	return text
}
