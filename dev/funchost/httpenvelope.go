package funchost

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
)

// httpEnvelope returns the body of an HTTP function's invocation if requests are
// not forwarded (HttpRequestExtensions.GetRequestAsJObject).
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
	}
	if len(parameters) > 0 {
		value = append(value, property{"Params", parameters.json()})
	}
	value = append(value, property{"Identities", []byte("[]")})

	metadata := object{{"Query", query.json()}, {"Headers", joinedHeaders.json()}}
	for _, p := range slices.Concat(query, parameters) {
		metadata.set(p.name, doubled(p.value))
	}
	metadata.set("sys", system(f, time.Now()))
	if len(body) > 0 {
		text := string(body)
		if binaryMedia(r.Header.Get("Content-Type")) {
			text = base64.StdEncoding.EncodeToString(body)
		} else {
			applyBindingData(text, &metadata)
		}
		value = append(value, property{"Body", quote(text)})
	}
	return envelope(object{{f.trigger.Name, value.json()}}, metadata)
}

// binaryMedia reports whether the host sends a body of this content type as Base64.
func binaryMedia(contentType string) bool {
	contentType = strings.ToLower(contentType)
	return strings.HasPrefix(contentType, "application/octet-stream") || strings.HasPrefix(contentType, "multipart/")
}
