package funchost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// hostVersion is the host version that funchost reports to the handler.
const hostVersion = "4.1052.200.0"

const (
	// startupLimit is how long an invocation waits for a handler that is not
	// ready. After that the host stops. It is (3+1) × 30 s
	// (WorkerFunctionInvoker.cs).
	startupLimit = 120 * time.Second
	// timeoutGrace is the time between an invocation's timeout and the kill.
	timeoutGrace = 2 * time.Second
	// maxRedirects is .NET's HttpClientHandler.MaxAutomaticRedirections.
	maxRedirects = 50
)

// Invocation is one finished run of a function. Options.OnInvocation receives it.
type Invocation struct {
	Function     string
	ID           string // X-Azure-Functions-InvocationId
	DequeueCount int64  // of a queue message; 0 otherwise
	Status       int    // HTTP status of the handler's answer; 0 without an answer
	Err          error  // nil if the host counts it as a success
	Took         time.Duration
}

// newClient returns the host's one HttpClient for the handler. It follows
// redirects unless HTTP requests are forwarded. Its timeout is a minute longer
// than the function timeout.
func newClient(forwarding bool, functionTimeout time.Duration) *http.Client {
	client := &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{}).DialContext,
			DisableCompression:  true,
			MaxIdleConnsPerHost: 100,
		},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if forwarding || len(via) > maxRedirects {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	if functionTimeout > 0 {
		client.Timeout = functionTimeout + time.Minute
	}
	return client
}

// envelopeRequest returns the POST of an envelope to /<function>. The body is
// chunked. (Under Core Tools, whose request tracing reads it first, it has a
// length.)
func (h *Host) envelopeRequest(f *function, id string, body []byte) (*http.Request, error) {
	request, err := http.NewRequest(http.MethodPost, h.handlerURL+"/"+f.name, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	hostHeaders(request, id)
	if h.settings.get("FUNCTIONS_CORETOOLS_ENVIRONMENT") == "" {
		request.ContentLength = -1
	}
	return request, nil
}

// The headers that the host adds, spelled as it spells them on the wire, and not as
// net/http would.
const (
	headerHostVersion  = "X-Azure-Functions-HostVersion"
	headerInvocationID = "X-Azure-Functions-InvocationId"
	headerCorrelation  = "x-ms-invocation-id" // of proxied requests only
)

// setHeader sets a header under a name as it is spelled.
func setHeader(header http.Header, name, value string) {
	header.Del(name)
	header[name] = []string{value}
}

// hostHeaders adds the host's headers. A value that a client's header of the same
// name has stays before the host's.
func hostHeaders(request *http.Request, id string) {
	for name, value := range map[string]string{headerHostVersion: hostVersion, headerInvocationID: id} {
		setHeader(request.Header, name, strings.Join(append(request.Header.Values(name), value), ", "))
	}
	agent := "Azure-Functions-Host/" + hostVersion
	if given := request.Header.Get("User-Agent"); given != "" {
		agent = given + " " + agent
	}
	request.Header.Set("User-Agent", agent)
}

// call is one invocation to make.
type call struct {
	function     *function
	id           string
	reason       string
	dequeueCount int64
	request      *http.Request
	forwarded    bool     // any answer is a success
	proxy        *proxied // in place of request, if the handler answers the client itself
}

// outcome is how a call ended.
type outcome struct {
	answer answer
	result *result // nil without an answer that could be read
	err    error
}

// execute runs one invocation to its end. The caller must have called begin. If
// the host stopped first, the outcome's error is errAbandoned.
func (h *Host) execute(c call) outcome {
	h.log.infof("Executing 'Functions.%s' (Reason='%s', Id=%s)", c.function.name, c.reason, c.id)
	began := time.Now()
	sent := make(chan *process, 1)
	finished := make(chan outcome, 1)
	completed := make(chan struct{}) // closed with finished, unless the answer has no result
	ctx, cut := context.WithCancel(h.running)
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		defer cut()
		o := h.send(ctx, c, sent)
		if errors.Is(o.err, errNoResult) {
			h.log.warnf("The answer to 'Functions.%s' (Id=%s) was empty or null. The host never completes such an invocation: it hangs until functionTimeout, and then the handler is killed", c.function.name, c.id)
			return
		}
		finished <- o
		close(completed)
	}()
	var timeout <-chan time.Time
	if h.functionTimeout > 0 {
		timer := time.NewTimer(h.functionTimeout)
		defer timer.Stop()
		timeout = timer.C
	}
	var o outcome
	select {
	case o = <-finished:
	case <-h.running.Done():
		o = outcome{err: errAbandoned}
	case <-timeout:
		o = outcome{err: fmt.Errorf("timeout value of %s exceeded by function 'Functions.%s' (Id: '%s')", h.functionTimeout, c.function.name, c.id)}
		h.log.errorf("%v. Initiating cancellation", o.err)
		go func() {
			h.killAfterGrace(c, sent, completed)
			if c.proxy != nil {
				cut() // or it would be sent to the next process
			}
		}()
	}
	if c.proxy != nil {
		<-sending // until then it may still write to the client
	}
	if errors.Is(o.err, errAbandoned) {
		return o
	}
	h.report(c, o, time.Since(began))
	return o
}

// killAfterGrace kills the handler in which an invocation timed out, with all
// other invocations in it. The handler is then started again
// (WebScriptHostExceptionHandler.cs).
func (h *Host) killAfterGrace(c call, sent <-chan *process, completed <-chan struct{}) {
	grace := time.NewTimer(h.timing.grace)
	defer grace.Stop()
	select {
	case <-completed:
	case <-h.running.Done():
	case <-grace.C:
		select {
		case p := <-sent:
			h.log.errorf("Restarting the handler: 'Functions.%s' (Id=%s) did not end", c.function.name, c.id)
			p.condemn()
		default: // still waiting for a handler that isn't ready
		}
	}
}

// send waits for the handler, sends the request and reads the answer. Only the host's
// end cuts a request: the host never cancels one, but a proxied one that it no longer
// waits for.
func (h *Host) send(ctx context.Context, c call, sent chan<- *process) outcome {
	p, err := h.supervisor.await(h.running, h.timing.startup)
	if err != nil {
		return outcome{err: err}
	}
	sent <- p
	if c.proxy != nil {
		o := c.proxy.send(ctx)
		if h.running.Err() != nil {
			o.err = errAbandoned
		}
		return o
	}
	response, err := h.client.Do(c.request.WithContext(ctx))
	var a answer
	if err == nil {
		a = answer{status: response.StatusCode, header: response.Header}
		a.body, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	switch {
	case h.running.Err() != nil:
		return outcome{err: errAbandoned}
	case err != nil:
		return outcome{err: fmt.Errorf("an error occurred while sending the request: %w", err)}
	case c.forwarded:
		return outcome{answer: a}
	}
	r, err := judge(a)
	return outcome{answer: a, result: r, err: err}
}

// report logs the end of an invocation and calls Options.OnInvocation.
func (h *Host) report(c call, o outcome, took time.Duration) {
	if o.result != nil {
		for _, text := range o.result.Logs {
			h.log.infof("Function.%s.User: %s", c.function.name, text)
		}
		for _, b := range c.function.bindings {
			if _, given := o.result.Outputs[b.Name]; given && strings.EqualFold(b.Direction, "out") && !b.is("http") {
				h.log.warnf("Function '%s': the output '%s' of type %s is dropped: this stand-in writes http outputs only", c.function.name, b.Name, b.Type)
			}
		}
	}
	if o.err != nil {
		h.log.errorf("Executed 'Functions.%s' (Failed, Id=%s, Duration=%dms): %v", c.function.name, c.id, took.Milliseconds(), o.err)
	} else {
		h.log.infof("Executed 'Functions.%s' (Succeeded, Id=%s, Duration=%dms)", c.function.name, c.id, took.Milliseconds())
	}
	if h.onInvocation != nil {
		h.onInvocation(Invocation{Function: c.function.name, ID: c.id, DequeueCount: c.dequeueCount, Status: o.answer.status, Err: o.err, Took: took})
	}
}
