package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	. "maragu.dev/gomponents"
	. "maragu.dev/gomponents/html"

	"visionkeeper/internal/overview"
)

var (
	//go:embed assets/style.css
	style string
	//go:embed assets/refresh.js
	refresh string
	//go:embed assets/signs.svg
	signs string // what sign names
	//go:embed assets/logo.svg
	logo string
)

// icon is the logo as a browser shows it beside the title.
const icon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='8' fill='%231d4ed8'/%3E%3Cpath d='M5 16c5-8 17-8 22 0-5 8-17 8-22 0z' fill='%23fff'/%3E%3Ccircle cx='16' cy='16' r='4.6' fill='%231d4ed8'/%3E%3C/svg%3E"

// contentPolicy lets a page load nothing from anywhere, and run nothing but the script
// that is in it. The icon is in the page too. Most processes never serve a page.
var contentPolicy = sync.OnceValue(func() string {
	return "default-src 'none'; style-src " + hashOf(style) + "; script-src " + hashOf(refresh) +
		"; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
})

// hashOf is how a policy names a text that may stand in a page.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// frame is what stands around the content of a page.
type frame struct {
	title   string
	here    string // the name of its entry in the navigation; empty where it has none
	json    string // where the same is as JSON; empty where it isn't
	letters *int   // how many dead letters there are; nil where that isn't known
}

// show answers with a page.
func (v *visit) show(status int, f frame, content ...Node) {
	var body bytes.Buffer
	_ = v.layout(f, content).Render(&body) // a buffer takes everything
	v.answer(status, "text/html; charset=utf-8", body.Bytes())
}

func (v *visit) layout(f frame, content Group) Node {
	return Doctype(HTML(Lang("en"),
		Head(
			Meta(Charset("utf-8")),
			Meta(Name("viewport"), Content("width=device-width, initial-scale=1")),
			Meta(Name("color-scheme"), Content("light dark")),
			TitleEl(Text(printable(f.title)+" · Visionkeeper")),
			Link(Rel("icon"), Href(icon)),
			StyleEl(Raw(style)),
		),
		Body(
			Raw(signs),
			A(Class("skip"), Href("#main"), Text("To the content")),
			Header(Div(Class("wide"),
				A(Class("brand"), Href(v.to("")), Raw(logo), Span(Text("Visionkeeper"))),
				v.navigation(f),
			)),
			Main(ID("main"), Class("wide"), content),
			Footer(Class("wide"),
				If(f.json != "", A(Href(f.json), Text("This page as JSON"))),
				Span(Text("Times are UTC · Visionkeeper "+v.Version)),
			),
			Script(Raw(refresh)),
		),
	))
}

func (v *visit) navigation(f frame) Node {
	entry := func(path, name string, more ...Node) Node {
		return A(Href(v.to(path)), If(f.here == name, Aria("current", "page")), Text(name), Group(more))
	}
	var badge Group
	if f.letters != nil && *f.letters > 0 {
		badge = Group{Text(" "), Span(Class("badge"), number(*f.letters))}
	}
	return Nav(Aria("label", "Pages"),
		entry("", "Overview"),
		entry("dead-letters", "Dead letters", badge),
		entry("timeline", "Timeline"),
		If(isWeb(v.Emulator), A(Href(v.Emulator+"/"), Rel("noreferrer"), Text("Emulator"))),
	)
}

// isWeb reports whether an address is one of the web: a browser runs one that begins with
// javascript.
func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https")
}

// foreign is a text from outside, which ends its own reading direction.
func foreign(s string) Node { return El("bdi", Text(printable(s))) }

// printable is a foreign text in which nothing but line breaks and tabs controls how it
// is shown.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return '·'
		}
		return r
	}, s)
}

// soft is what is less important.
func soft(content ...Node) Node { return Span(Class("soft"), Group(content)) }

func number(n int) Node { return Text(strconv.Itoa(n)) }

// sign is one of the symbols of signs.svg.
func sign(name string) Node {
	return SVG(Class("sign"), Aria("hidden", "true"), Attr("focusable", "false"), El("use", Href("#s-"+name)))
}

// card is a box with rounded corners; scrolling is one whose content may be wider than it.
func card(content ...Node) Node { return Div(Class("card"), Group(content)) }

func scrolling(label string, content Node) Node {
	return Div(Class("card scroll"), region(label), content)
}

// region lets a person scroll a part of the page by the keyboard.
func region(label string) Node {
	return Group{TabIndex("0"), Role("region"), Aria("label", label)}
}

func empty(content ...Node) Node { return Div(Class("card empty"), Group(content)) }

// columns is the head of a table; cell one of its cells, which has the column's name where
// the screen is too small for the head.
func columns(names ...string) Node {
	return THead(Tr(Map(names, func(name string) Node { return Th(Scope("col"), Text(name)) })))
}

func cell(column string, content ...Node) Node { return Td(Data("label", column), Group(content)) }

// orDash is a dash where there is nothing.
func orDash(n Node) Node {
	if n == nil {
		return Text("–")
	}
	return n
}

// bar shows a share from 0 to 1.
func bar(share float64, height string, class ...Node) Node {
	rect := func(width, class string) Node {
		return El("rect", Width(width), Height(height), Class(class))
	}
	return SVG(Group(class), Attr("viewBox", "0 0 100 "+height), Attr("preserveAspectRatio", "none"), Aria("hidden", "true"),
		rect("100", "rest"), rect(fmt.Sprintf("%.1f", 100*min(max(share, 0), 1)), "full"))
}

// conditions are what can't be done now; more may end the list.
func (v *visit) conditions(list []overview.Condition, more Node) Node {
	return Ul(Class("conditions"), Map(list, func(c overview.Condition) Node {
		place := c.Place()
		return blockedItem(Div(
			If(place != "", Group{B(foreign(place)), Text(": ")}),
			foreign(fullStop(c.Why)), Text(" "), soft(Text(fullStop(c.When(v.Now())))),
		))
	}), more)
}

func blockedItem(content Node) Node { return Li(Class("condition"), sign("blocked"), content) }

// at is a point in time, to the minute.
func at(t time.Time) Node { return moment(t, t.UTC().Format("2 Jan 2006, 15:04 UTC")) }

// moment is a point in time, in the words of said.
func moment(t time.Time, said string) Node {
	return Time(DateTime(t.UTC().Format(time.RFC3339)), Text(said))
}

func day(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// percent is a share from 0 to 1 for a person.
func percent(p *float64) string {
	if p == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100**p)
}

// size is a number of bytes for a person, in powers of ten.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1_000_000)
}

// count is a number with its noun: "1 message", "2 messages".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// sentence begins with a capital.
func sentence(s string) string {
	_, first := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:first]) + s[first:]
}

// fullStop is a sentence with its full stop.
func fullStop(s string) string { return strings.TrimRight(sentence(s), ".") + "." }
