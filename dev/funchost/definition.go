package funchost

import (
	"errors"
	"runtime"
	"strings"
	"time"
)

// definition is the app's definition: host.json with the settings that override
// it, and the function.json files.
type definition struct {
	functions       []*function
	errors          map[string][]string // what is wrong with a function, by its name in lower case
	handler         command
	queues          queueOptions
	functionTimeout time.Duration // 0 means none
	initialise      time.Duration // customHandler.initializationTimeout
	forwarding      bool          // customHandler.enableForwardingHttpRequest
	proxying        bool          // customHandler.enableProxyingHttpRequest, which wins over forwarding
	errorsOnly      bool          // customHandler.description.useStdErrorStreamForErrorsOnly
	routePrefix     string        // without slashes at its ends
}

func readDefinition(root string, app *settings, log *logger) (definition, error) {
	c, err := readHostJSON(root, app)
	if err != nil {
		return definition{}, err
	}
	var d definition
	var errs [7]error
	d.functionTimeout, errs[0] = c.functionTimeout()
	d.queues, errs[1] = c.queues(processors(app))
	d.initialise, errs[2] = c.duration("customHandler:initializationTimeout", 30*time.Second, time.Millisecond)
	d.forwarding, errs[3] = c.boolean("customHandler:enableForwardingHttpRequest", false)
	d.errorsOnly, errs[4] = c.boolean("customHandler:description:useStdErrorStreamForErrorsOnly", true)
	d.proxying, errs[6] = c.boolean("customHandler:enableProxyingHttpRequest", false)
	d.handler, errs[5] = readCommand(root, c, app)
	if err := errors.Join(errs[:]...); err != nil {
		return definition{}, err
	}
	d.routePrefix = "api"
	if prefix, ok := c["extensions:http:routeprefix"]; ok {
		d.routePrefix = strings.Trim(prefix, "/")
	}
	d.errors = map[string][]string{}
	d.functions, err = findFunctions(root, c, app, func(name string, wrong error) {
		log.errorf("The '%s' function is in error: %v", name, wrong)
		d.wrong(name, wrong)
	})
	return d, err
}

// wrong notes what is wrong with a function, for its status.
func (d *definition) wrong(name string, err error) {
	name = strings.ToLower(name)
	d.errors[name] = append(d.errors[name], err.Error())
}

// processors returns the number of processors that newBatchThreshold depends on
// (SkuUtility.cs).
func processors(s *settings) int {
	if s.get("WEBSITE_SKU") == "Dynamic" {
		return 1
	}
	return runtime.NumCPU()
}
