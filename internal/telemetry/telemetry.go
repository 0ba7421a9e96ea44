// Package telemetry sends spans and metrics by OpenTelemetry's protocol (OTLP, over
// HTTP with protobuf) to where the standard OTEL_* settings say. Without them it does
// nothing. What is measured travels in the context of an invocation: code calls Start,
// Count and Gauge, whether anybody listens or not.
//
// It is no SDK: all is sampled, and nothing is sent but at the end of an invocation.
// Start reading at Open, then Telemetry.Invocation.
//
// The settings: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
package telemetry

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"visionkeeper/internal/redact"
	"visionkeeper/internal/remedy"
)

// serviceName is what the app is called where OTEL_SERVICE_NAME doesn't say.
const serviceName = "visionkeeper"

// standardTimeout is how long sending may take where OTEL_EXPORTER_OTLP_TIMEOUT doesn't
// say, and at most: the host waits for its answer meanwhile.
const standardTimeout = 10 * time.Second

// rest is how long nothing is sent to receivers that didn't answer in time: every
// invocation would wait for them.
const rest = time.Minute

// Telemetry gathers what invocations do. nil does nothing. It is safe for concurrent use.
type Telemetry struct {
	traces, metrics *signal // nil: not asked for
	resource        []Attribute
	version         string
	began           time.Time
	hide            func(string) string

	mu     sync.Mutex
	spans  []*Span // that have ended and aren't sent yet
	lost   int     // of them, because there were too many
	points map[string]*series
	rests  time.Time // until then nothing is sent
}

// signal is where one kind of data goes.
type signal struct {
	url     string
	headers http.Header // may hold secrets
	timeout time.Duration
}

// Open reads the standard settings. It returns nil unless they name an endpoint. hide
// takes the app's secrets out of a text; those of these settings are taken out besides. An error says which setting can't be used; it quotes none,
// because headers and URLs may be secrets. What isn't concerned works all the same.
func Open(getenv func(string) string, version string, hide func(string) string) (*Telemetry, error) {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	t := &Telemetry{version: version, began: time.Now(), points: map[string]*series{}}
	var err error
	if t.traces, err = readSignal(getenv, "TRACES", "/v1/traces"); err != nil {
		return nil, err
	}
	if t.metrics, err = readSignal(getenv, "METRICS", "/v1/metrics"); err != nil {
		return nil, err
	}
	if t.traces == nil && t.metrics == nil {
		return nil, nil
	}
	hideOwn := redact.Remover(t.Secrets()...)
	t.hide = func(text string) string { return hideOwn(hide(text)) }
	attributes, err := readPairs(getenv("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		return nil, fault("OTEL_RESOURCE_ATTRIBUTES")
	}
	name := cmp.Or(getenv("OTEL_SERVICE_NAME"), attributes["service.name"], serviceName)
	attributes["service.name"] = name
	attributes["service.version"] = version
	attributes["service.instance.id"] = cmp.Or(attributes["service.instance.id"], strings.ToLower(rand.Text()))
	t.resource = sorted(attributes)
	return t, nil
}

// readSignal reads the settings of one kind of data; nil where it isn't asked for.
func readSignal(getenv func(string) string, kind, path string) (*signal, error) {
	own := func(what string) (name, value string) {
		name = "OTEL_EXPORTER_OTLP_" + kind + "_" + what
		if value = strings.TrimSpace(getenv(name)); value == "" {
			name = "OTEL_EXPORTER_OTLP_" + what
			value = strings.TrimSpace(getenv(name))
		}
		return name, value
	}
	name, endpoint := own("ENDPOINT")
	exporter := strings.TrimSpace(getenv("OTEL_" + kind + "_EXPORTER"))
	switch {
	case endpoint == "" || exporter == "none":
		return nil, nil
	case exporter != "" && exporter != "otlp":
		return nil, remedy.New(`leave it out, or write "otlp" or "none"`, "OTEL_%s_EXPORTER names an exporter that the app doesn't have", kind)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, remedy.New("write one such as http://127.0.0.1:4318", "%s is no http or https URL", name)
	}
	if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
		u = u.JoinPath(path)
	}
	s := &signal{url: u.String(), headers: http.Header{}, timeout: standardTimeout}
	if name, protocol := own("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, remedy.New("leave it out and name the receiver's endpoint for HTTP, usually port 4318", "%s is not http/protobuf, the only one that the app speaks", name)
	}
	name, text := own("HEADERS")
	headers, err := readPairs(text)
	if err != nil {
		return nil, fault(name)
	}
	for key, value := range headers {
		s.headers.Set(key, value)
	}
	if name, text := own("TIMEOUT"); text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms <= 0 {
			return nil, remedy.New("write a number above 0, such as 10000", "%s is no number of milliseconds", name)
		}
		s.timeout = min(s.timeout, time.Duration(ms)*time.Millisecond)
	}
	return s, nil
}

func fault(name string) error {
	return remedy.New("write name=value, separated by commas, with other signs as in a URL", "%s can't be read", name)
}

// readPairs reads the list form of the settings: name=value, separated by commas, percent-encoded.
func readPairs(text string) (map[string]string, error) {
	pairs := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		key, value, ok := strings.Cut(part, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !ok || key == "" || err != nil {
			return nil, fmt.Errorf("%d bytes are no list of name=value", len(text))
		}
		pairs[key] = value
	}
	return pairs, nil
}

// leastSecret is how long a header's value is at least that is taken for a secret: to take
// the number of a tenant out of all texts would spoil them.
const leastSecret = 6

// Secrets lists what must never be printed of the settings.
func (t *Telemetry) Secrets() []string {
	var list []string
	if t == nil {
		return nil
	}
	for _, s := range []*signal{t.traces, t.metrics} {
		if s != nil {
			for _, values := range s.headers {
				list = append(list, slices.DeleteFunc(slices.Clone(values), func(v string) bool { return len(v) < leastSecret })...)
			}
		}
	}
	return list
}

// parseTraceparent reads the header by which a caller names its trace and span.
// https://www.w3.org/TR/trace-context/#traceparent-header
func parseTraceparent(header string) (trace [16]byte, span [8]byte, ok bool) {
	parts := strings.Split(strings.TrimSpace(header), "-")
	if len(parts) < 4 || len(parts[0]) != 2 || parts[0] == "ff" || len(parts[1]) != 32 || len(parts[2]) != 16 {
		return trace, span, false
	}
	_, err := hex.Decode(trace[:], []byte(parts[1]))
	_, err2 := hex.Decode(span[:], []byte(parts[2]))
	return trace, span, err == nil && err2 == nil && trace != [16]byte{} && span != [8]byte{}
}
