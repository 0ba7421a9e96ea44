package page

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	. "maragu.dev/gomponents"
	. "maragu.dev/gomponents/html"

	"visionkeeper/internal/overview"
)

// oldestFirst are a project's models in the order of their trainings.
func oldestFirst(p overview.Project) []overview.Model {
	list := slices.Clone(p.Iterations)
	slices.Reverse(list)
	return list
}

// spark is a project's average precision over its iterations, as a small line.
func spark(p overview.Project) Node {
	var values []float64
	for _, m := range oldestFirst(p) {
		if m.Performance != nil && m.Performance.AveragePrecision != nil {
			values = append(values, *m.Performance.AveragePrecision)
		}
	}
	if len(values) == 0 {
		return soft(Text("not known"))
	}
	const width, height, margin = 100.0, 28.0, 4.0 // in its own units
	low, high := slices.Min(values), slices.Max(values)
	var points, words []string
	var x, y float64
	for i, value := range values {
		x, y = width-margin, height/2
		if len(values) > 1 {
			x = margin + float64(i)*(width-2*margin)/float64(len(values)-1)
		}
		if high > low {
			y = margin + (high-value)/(high-low)*(height-2*margin)
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
		words = append(words, percent(&value))
	}
	return Span(Class("sparked"),
		SVG(Class("spark"), Attr("viewBox", "0 0 100 28"), Role("img"), Aria("label", "Average precision from the first iteration to the last: "+strings.Join(words, ", ")),
			El("polyline", Attr("points", strings.Join(points, " "))),
			El("circle", Attr("cx", fmt.Sprintf("%.1f", x)), Attr("cy", fmt.Sprintf("%.1f", y)), Attr("r", "3.2")),
		),
		Span(Text(words[len(words)-1])),
	)
}

// The plot within the chart, which is 720 units wide and 300 high.
const plotLeft, plotRight, plotTop, plotBottom = 52.0, 704.0, 40.0, 252.0

// chart is a project's precision, recall and average precision over its iterations; nil
// where no performance is known.
func chart(p overview.Project) Node {
	models := slices.DeleteFunc(oldestFirst(p), func(m overview.Model) bool { return m.Performance == nil })
	if len(models) == 0 {
		return nil
	}
	x := func(i int) float64 {
		if len(models) == 1 {
			return (plotLeft + plotRight) / 2
		}
		return plotLeft + 24 + float64(i)*(plotRight-plotLeft-48)/float64(len(models)-1)
	}
	var marks, grid, steps, series, legend Group
	every := (len(models) + 6) / 7 // so that the names have room
	for i, m := range models {
		name := ""
		if (len(models)-1-i)%every == 0 {
			name = shortName(m.Name)
		}
		steps = append(steps, El("g", Class("step"),
			segment(x(i), plotBottom, x(i), 257),
			label(x(i), 272, "middle", printable(name)),
		))
		if m.Published {
			marks = append(marks, El("g", Class("mark"),
				segment(x(i), plotTop, x(i), plotBottom),
				El("path", Attr("d", "M"+units(x(i))+" 33l-6-8h12z")),
				label(x(i), 18, "middle", "published"),
			))
		}
	}
	for percent := 0; percent <= 100; percent += 20 {
		y := level(float64(percent) / 100)
		grid = append(grid, El("g", Class("grid"),
			segment(plotLeft, y, plotRight, y),
			label(44, y, "end", fmt.Sprintf("%d %%", percent), Attr("dy", "4")),
		))
	}
	for k, l := range []struct {
		name, class string
		of          func(overview.Performance) *float64
	}{
		{"Precision", "precision", func(p overview.Performance) *float64 { return p.Precision }},
		{"Recall", "recall", func(p overview.Performance) *float64 { return p.Recall }},
		{"AP (average precision)", "ap", func(p overview.Performance) *float64 { return p.AveragePrecision }},
	} {
		var points []string
		var dots Group
		for i, m := range models {
			if value := l.of(*m.Performance); value != nil {
				points = append(points, fmt.Sprintf("%.1f,%.1f", x(i), level(*value)))
				said := fmt.Sprintf("%s, %s: %s", m.Name, l.name, percent(value))
				dots = append(dots, El("g", moved(x(i), level(*value)), El("title", Text(printable(said))), dot(l.class)))
			}
		}
		series = append(series, El("g", Class("series "+l.class), El("polyline", Attr("points", strings.Join(points, " "))), dots))
		legend = append(legend, El("g", Class("series "+l.class), moved(plotLeft+float64(k)*120, 291),
			segment(0, -4, 26, -4),
			El("g", moved(13, -4), dot(l.class)),
			label(33, 0, "start", l.name),
		))
	}
	return SVG(Class("chart"), Attr("viewBox", "0 0 720 300"), Role("img"), Aria("labelledby", "chart-title"),
		El("title", ID("chart-title"), Text("Precision, recall and average precision of each iteration, from 0 to 100 %. The table of iterations has the numbers.")),
		marks, grid, steps, series, legend,
	)
}

// level is where in the chart a share from 0 to 1 is drawn.
func level(share float64) float64 {
	return plotBottom - min(max(share, 0), 1)*(plotBottom-plotTop)
}

// moved moves a group, whose own units begin at 0.
func moved(x, y float64) Node {
	return Attr("transform", "translate("+units(x)+" "+units(y)+")")
}

func segment(x1, y1, x2, y2 float64) Node {
	return El("line", Attr("x1", units(x1)), Attr("x2", units(x2)), Attr("y1", units(y1)), Attr("y2", units(y2)))
}

func label(x, y float64, anchor, text string, more ...Node) Node {
	return El("text", Attr("x", units(x)), Attr("y", units(y)), Attr("text-anchor", anchor), Group(more), Text(text))
}

// dot is the point of a line, of a form of its own.
func dot(class string) Node {
	switch class {
	case "precision":
		return El("circle", Attr("r", "4.5"))
	case "recall":
		return El("rect", Attr("x", "-4"), Attr("y", "-4"), Width("8"), Height("8"))
	}
	return El("path", Attr("d", "M0-5.5L5.5 0 0 5.5-5.5 0z"))
}

func units(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// shortName is a name that fits below a step.
func shortName(name string) string {
	const most = 13
	runes := []rune(name)
	if len(runes) <= most {
		return name
	}
	return string(runes[:most-1]) + "…"
}
