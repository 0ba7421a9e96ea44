package funchost

import (
	"net/url"
	"strings"
)

// route is the address of an HTTP function below the host: text, {name}, {name?}
// and {*name}. Constraints ({id:int}) are removed and not checked.
type route []routePart

type routePart struct {
	text           string // literal, or the parameter's name
	parameter      bool
	optional, rest bool
}

// parseRoute joins the route prefix and a function's route. A function without a
// route in function.json has its name as route.
func parseRoute(prefix string, f *function) route {
	template := f.name
	if f.trigger.Route != nil && *f.trigger.Route != "" {
		template = *f.trigger.Route
	}
	var parts route
	for text := range strings.SplitSeq(strings.Trim(prefix+"/"+strings.Trim(template, "/"), "/"), "/") {
		inner, opened := strings.CutPrefix(text, "{")
		inner, closed := strings.CutSuffix(inner, "}")
		if !opened || !closed {
			parts = append(parts, routePart{text: text})
			continue
		}
		p := routePart{parameter: true}
		inner, p.rest = strings.CutPrefix(inner, "*")
		inner, p.optional = strings.CutSuffix(inner, "?")
		p.text, _, _ = strings.Cut(inner, ":")
		parts = append(parts, p)
	}
	return parts
}

// match returns the parameters in an escaped path, with null for those that are not
// used (FunctionInvocationMiddleware.cs), and the number of literal parts that matched. The
// route with most literal parts wins.
func (r route) match(escapedPath string) (parameters object, literals int, ok bool) {
	given := strings.Split(strings.Trim(escapedPath, "/"), "/")
	for i, part := range r {
		if part.rest {
			value, err := url.PathUnescape(strings.Join(given[min(i, len(given)):], "/"))
			if value == "" {
				parameters.set(part.text, []byte("null"))
			} else {
				parameters.set(part.text, quote(value))
			}
			return parameters, literals, err == nil
		}
		if i >= len(given) {
			if !part.optional {
				return nil, 0, false
			}
			parameters.set(part.text, []byte("null"))
			continue
		}
		value, err := url.PathUnescape(given[i])
		switch {
		case err != nil || value == "":
			return nil, 0, false
		case part.parameter:
			parameters.set(part.text, quote(value))
		case !strings.EqualFold(value, part.text):
			return nil, 0, false
		default:
			literals++
		}
	}
	return parameters, literals, len(given) <= len(r)
}
