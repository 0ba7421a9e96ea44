package funchost

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ prefix, route, path, want string }{
		{"api", "", "/api/fn", "{}"},
		{"api", "", "/API/FN/", "{}"},
		{"api", "", "/fn", "no"},
		{"api", "", "/api/fn/more", "no"},
		{"", "health", "/health", "{}"},
		{"api", "/items/{id}", "/api/items/7", `{"id":"7"}`},
		{"api", "items/{id}", "/api/items", "no"},
		{"api", "items/{id}", "/api/items/", "no"},
		{"api", "items/{id:int}/{part?}", "/api/items/7", `{"id":"7","part":null}`},
		{"api", "items/{a?}/{b?}", "/api/items", `{"a":null,"b":null}`},
		{"api", "items/{a?}/x", "/api/items/7", "no"},
		{"api", "items/{id:int}/{part?}", "/api/items/7/x", `{"id":"7","part":"x"}`},
		{"api", "items/{id}", "/api/items/a%2Fb", `{"id":"a/b"}`},
		{"api", "{*rest}", "/api/a/b", `{"rest":"a/b"}`},
		{"api", "{*rest}", "/api", `{"rest":null}`},
		{"api", "x/{*rest}", "/api/y/b", "no"},
	} {
		f := &function{name: "fn"}
		if c.route != "" {
			f.trigger.Route = &c.route
		}
		got := "no"
		if parameters, _, ok := parseRoute(c.prefix, f).match(c.path); ok {
			got = string(parameters.json())
		}
		assert.Equal(t, c.want, got, "%s/%s on %s", c.prefix, c.route, c.path)
	}
}
