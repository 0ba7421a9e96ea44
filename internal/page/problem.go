package page

import (
	"net/http"
	"strings"

	. "maragu.dev/gomponents"
	. "maragu.dev/gomponents/html"
)

// problem says why there is nothing to see.
func (v *visit) problem(status int, title, why string) {
	title, why = v.Clean(title), v.Clean(why)
	if strings.HasSuffix(v.r.URL.Path, ".json") {
		v.tell(status, struct {
			Error string `json:"error"`
		}{title + ": " + why})
		return
	}
	v.show(status, frame{title: title},
		Section(Class("verdict look"), sign("blocked"), Div(
			H1(foreign(fullStop(title))),
			P(foreign(fullStop(why))),
			P(A(Href(v.to("")), Text("To the overview"))),
		)))
}

func (v *visit) notFound(title string) {
	v.problem(http.StatusNotFound, title, "The overview has what there is")
}
