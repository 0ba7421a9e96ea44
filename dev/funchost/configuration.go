package funchost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"visionkeeper/internal/dotnet"
)

// jobHost is the section of the settings that override host.json.
const jobHost = "AzureFunctionsJobHost"

// configuration is host.json as .NET's configuration holds it: flat, with keys
// joined by colons in any letter case, and with every value as text.
type configuration map[string]string

// readHostJSON reads root/host.json and applies the AzureFunctionsJobHost__
// settings.
func readHostJSON(root string, app *settings) (configuration, error) {
	path := filepath.Join(root, "host.json")
	file, err := dotnet.ReadJSON(path)
	if err != nil {
		return nil, fmt.Errorf("read host.json: %w (the root must be the folder that holds it)", err)
	}
	c := configuration{}
	file.Flatten("", func(path, text string) { c[strings.ToLower(path)] = text })
	for _, s := range app.values.FirstSection(jobHost).Below() {
		c[s.Key] = s.Value
	}
	if version := c["version"]; version != "2.0" {
		return nil, fmt.Errorf(`host.json: "version" is %q: the host takes "2.0" only`, version)
	}
	return c, nil
}

func (c configuration) text(key string) string { return c[strings.ToLower(key)] }

// list reads a JSON array, or a setting that holds a JSON array as text.
func (c configuration) list(key string) []string {
	var items []string
	if text := c.text(key); strings.HasPrefix(strings.TrimSpace(text), "[") && json.Unmarshal([]byte(text), &items) == nil {
		return items
	}
	for i := 0; ; i++ {
		item, ok := c[strings.ToLower(key)+":"+strconv.Itoa(i)]
		if !ok {
			return items
		}
		items = append(items, item)
	}
}

func (c configuration) boolean(key string, otherwise bool) (bool, error) {
	text := c.text(key)
	if text == "" {
		return otherwise, nil
	}
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("host.json: %s is %q: write true or false", key, text)
}

func (c configuration) integer(key string, otherwise, low, high int) (int, error) {
	text := c.text(key)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("host.json: %s is %q: write a number from %d to %d", key, text, low, high)
	}
	return n, nil
}

func (c configuration) duration(key string, otherwise, low time.Duration) (time.Duration, error) {
	text := c.text(key)
	if text == "" {
		return otherwise, nil
	}
	d, err := dotnet.ParseTimeSpan(text)
	if err != nil {
		return 0, fmt.Errorf("host.json: %s: %w", key, err)
	}
	if d < low {
		return 0, fmt.Errorf("host.json: %s is %q: the least is %s", key, text, low)
	}
	return d, nil
}

// functionTimeout returns the time limit of one invocation; 0 means no limit
// ("-1"). The default is 30 minutes, as on all plans but the old Consumption plan
// (ScriptJobHostOptionsSetup.cs).
func (c configuration) functionTimeout() (time.Duration, error) {
	if c.text("functionTimeout") == "-1" {
		return 0, nil
	}
	return c.duration("functionTimeout", 30*time.Minute, time.Second)
}

// queueOptions are the options under extensions.queues (QueuesOptions.cs).
type queueOptions struct {
	batchSize, newBatchThreshold, maxDequeueCount int
	visibilityTimeout, maxPollingInterval         time.Duration
	base64                                        bool
}

func (c configuration) queues(processors int) (queueOptions, error) {
	const section = "extensions:queues:"
	o := queueOptions{base64: true}
	var errs [6]error
	o.batchSize, errs[0] = c.integer(section+"batchSize", 16, 1, 32)
	o.newBatchThreshold, errs[1] = c.integer(section+"newBatchThreshold", o.batchSize/2*processors, 0, 1<<20)
	o.maxDequeueCount, errs[2] = c.integer(section+"maxDequeueCount", 5, 1, 1<<30)
	o.visibilityTimeout, errs[3] = c.duration(section+"visibilityTimeout", 0, 0)
	o.maxPollingInterval, errs[4] = c.duration(section+"maxPollingInterval", time.Minute, minPollingInterval)
	switch text := c.text(section + "messageEncoding"); strings.ToLower(text) {
	case "", "base64":
	case "none":
		o.base64 = false
	default:
		errs[5] = fmt.Errorf("host.json: %smessageEncoding is %q: write base64 or none", section, text)
	}
	return o, errors.Join(errs[:]...)
}

func trimBOM(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) }
