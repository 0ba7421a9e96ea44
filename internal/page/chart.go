package page

import (
	"fmt"
	"slices"
	"strings"

	"visionkeeper/internal/overview"
)

// spark is a project's average precision over its iterations, as a small line.
type spark struct {
	Points string  // of the line
	X, Y   float64 // of the last point
	Last   *float64
	Label  string // the same in words
}

// The size of a spark, in its own units.
const sparkWidth, sparkHeight, sparkMargin = 100.0, 28.0, 4.0

// oldestFirst are a project's models in the order of their trainings.
func oldestFirst(p overview.Project) []overview.Model {
	list := slices.Clone(p.Iterations)
	slices.Reverse(list)
	return list
}

// newSpark draws one; nil where no performance is known.
func newSpark(p overview.Project) *spark {
	var values []float64
	s := &spark{}
	for _, m := range oldestFirst(p) {
		if m.Performance != nil && m.Performance.AveragePrecision != nil {
			values = append(values, *m.Performance.AveragePrecision)
			s.Last = m.Performance.AveragePrecision
		}
	}
	if len(values) == 0 {
		return nil
	}
	low, high := slices.Min(values), slices.Max(values)
	var points, words []string
	for i, value := range values {
		s.X, s.Y = sparkWidth-sparkMargin, sparkHeight/2
		if len(values) > 1 {
			s.X = sparkMargin + float64(i)*(sparkWidth-2*sparkMargin)/float64(len(values)-1)
		}
		if high > low {
			s.Y = sparkMargin + (high-value)/(high-low)*(sparkHeight-2*sparkMargin)
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", s.X, s.Y))
		words = append(words, percent(&value))
	}
	s.Points = strings.Join(points, " ")
	s.Label = "Average precision from the first iteration to the last: " + strings.Join(words, ", ")
	return s
}

// chart is a project's precision, recall and average precision over its iterations.
type chart struct {
	Width, Height            float64
	Left, Right, Top, Bottom float64 // of the plot
	Grid                     []tick  // horizontal lines
	Steps                    []tick  // iterations
	Lines                    []line
	Marks                    []tick // the published iterations
}

type tick struct {
	At   float64
	Text string
	Full string
}

type line struct {
	Name   string
	Class  string
	Points string
	Dots   []dot
	Legend float64 // where its entry of the legend begins
}

type dot struct {
	X, Y float64
	Text string
}

// newChart draws one; nil where no performance is known.
func newChart(p overview.Project) *chart {
	models := slices.DeleteFunc(oldestFirst(p), func(m overview.Model) bool { return m.Performance == nil })
	if len(models) == 0 {
		return nil
	}
	c := &chart{Width: 720, Height: 300, Left: 52, Right: 704, Top: 40, Bottom: 252}
	for percent := 0; percent <= 100; percent += 20 {
		c.Grid = append(c.Grid, tick{At: c.y(float64(percent) / 100), Text: fmt.Sprintf("%d %%", percent)})
	}
	x := func(i int) float64 {
		if len(models) == 1 {
			return (c.Left + c.Right) / 2
		}
		return c.Left + 24 + float64(i)*(c.Right-c.Left-48)/float64(len(models)-1)
	}
	every := (len(models) + 6) / 7 // so that the names have room
	for i, m := range models {
		t := tick{At: x(i), Full: m.Name}
		if (len(models)-1-i)%every == 0 {
			t.Text = shortName(m.Name)
		}
		c.Steps = append(c.Steps, t)
		if m.Published {
			c.Marks = append(c.Marks, tick{At: x(i), Text: "published", Full: m.Name})
		}
	}
	for k, l := range []struct {
		name, class string
		of          func(overview.Performance) *float64
	}{
		{"Precision", "precision", func(p overview.Performance) *float64 { return p.Precision }},
		{"Recall", "recall", func(p overview.Performance) *float64 { return p.Recall }},
		{"AP (average precision)", "ap", func(p overview.Performance) *float64 { return p.AveragePrecision }},
	} {
		drawn := line{Name: l.name, Class: l.class, Legend: c.Left + float64(k)*120}
		var points []string
		for i, m := range models {
			if value := l.of(*m.Performance); value != nil {
				drawn.Dots = append(drawn.Dots, dot{x(i), c.y(*value), fmt.Sprintf("%s, %s: %s", m.Name, l.name, percent(value))})
				points = append(points, fmt.Sprintf("%.1f,%.1f", x(i), c.y(*value)))
			}
		}
		drawn.Points = strings.Join(points, " ")
		c.Lines = append(c.Lines, drawn)
	}
	return c
}

// y is where a share from 0 to 1 is drawn.
func (c *chart) y(share float64) float64 {
	return c.Bottom - min(max(share, 0), 1)*(c.Bottom-c.Top)
}

// shortName is a name that fits below a step.
func shortName(name string) string {
	const most = 13
	runes := []rune(name)
	if len(runes) <= most {
		return name
	}
	return string(runes[:most-1]) + "…"
}
