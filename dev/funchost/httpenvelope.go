package funchost

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
)

// httpEnvelope returns the body of an HTTP function's invocation if requests are
// neither forwarded nor proxied (HttpRequestExtensions.GetRequestAsJObject).
func httpEnvelope(f *function, r *http.Request, parameters object, body []byte) []byte {
	var query, headers, joinedHeaders object
	for _, q := range joinedQuery(r.URL.RawQuery) {
		query = append(query, property{q.name, quote(q.value)})
	}
	names := []string{"Host"}
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values := r.Header.Values(name)
		if name == "Host" {
			values = []string{r.Host}
		}
		list := []byte{'['}
		for i, value := range values {
			if i > 0 {
				list = append(list, ',')
			}
			list = append(list, quote(value)...)
		}
		headers = append(headers, property{name, append(list, ']')})
		joinedHeaders = append(joinedHeaders, property{name, quote(strings.Join(values, ","))})
	}
	value := object{
		{"Url", quote("http://" + r.Host + r.URL.RequestURI())},
		{"Method", quote(r.Method)},
		{"Query", query.json()},
		{"Headers", headers.json()},
		{"Params", parameters.json()},
		{"Identities", []byte("[]")},
	}
	if len(body) > 0 {
		text := string(body)
		if binaryMedia(r.Header.Get("Content-Type")) {
			text = base64.StdEncoding.EncodeToString(body)
		}
		value = append(value, property{"Body", quote(text)})
	}
	metadata := httpBindingData(query, parameters, string(body))
	for _, p := range []property{{"Query", query.json()}, {"Headers", joinedHeaders.json()}} {
		if !metadata.has(p.name) {
			metadata.set(p.name, p.value)
		}
	}
	metadata.set("sys", system(f, time.Now()))
	return envelope(object{{f.trigger.Name, value.json()}}, metadata)
}

// httpBindingData returns what a request puts into the invocation's metadata: the
// members of a JSON body, over them the query without the key in code, and over both
// the route. An unused parameter of the route hides a name and has no value
// (HttpTriggerAttributeBindingProvider.GetRequestBindingData).
func httpBindingData(query, parameters object, body string) object {
	var data object
	applyBindingData(body, &data)
	for _, p := range query {
		if !strings.EqualFold(p.name, "code") {
			data.set(p.name, doubled(p.value))
		}
	}
	for _, p := range parameters {
		if string(p.value) == "null" {
			data.remove(p.name)
		} else {
			data.set(p.name, doubled(p.value))
		}
	}
	return data
}

// binaryMedia reports whether the host sends a body of this content type as Base64.
func binaryMedia(contentType string) bool {
	contentType = strings.ToLower(contentType)
	return strings.HasPrefix(contentType, "application/octet-stream") || strings.HasPrefix(contentType, "multipart/")
}
