package main

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// contest measures several competitors in the same way.
type contest struct {
	Name, Title, Unit string
	competitors       []competitor
}

// competitor is one of them. The first of a contest is ours.
type competitor struct {
	name    string
	measure func(ctx context.Context) (float64, error)
}

// comparison is what came of a contest.
type comparison struct {
	Name        string   `json:"name"`
	Title       string   `json:"title"`
	Unit        string   `json:"unit"`
	Competitors []result `json:"competitors"`
}

// result has a competitor's figures, one for each round, and how many times theirs ours was.
type result struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"`
	Ratio  spread    `json:"ratio"`
}

// spread is the median of some figures, with the least and the most of them.
type spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

func spreadOf(values []float64) spread {
	s := slices.Sorted(slices.Values(values))
	return spread{s[len(s)/2], s[0], s[len(s)-1]}
}

// compare measures each competitor once in each round. A ratio is of two figures of the
// same round.
func (c contest) compare(ctx context.Context, rounds int) (comparison, error) {
	done := comparison{Name: c.Name, Title: c.Title, Unit: c.Unit, Competitors: make([]result, len(c.competitors))}
	ratios := make([][]float64, len(c.competitors))
	for range rounds {
		for i, one := range c.competitors {
			value, err := one.measure(ctx)
			if err != nil {
				return done, fmt.Errorf("%s: %w", one.name, err)
			}
			r := &done.Competitors[i]
			r.Name, r.Values = one.name, append(r.Values, value)
			ratios[i] = append(ratios[i], done.Competitors[0].Values[len(r.Values)-1]/value)
		}
	}
	for i := range done.Competitors {
		done.Competitors[i].Ratio = spreadOf(ratios[i])
	}
	return done, nil
}

func (c comparison) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s, %s\n", c.Title, c.Unit)
	for _, r := range c.Competitors {
		fmt.Fprintf(w, "  %-28s %10.4g", r.Name, spreadOf(r.Values).Median)
		if r.Name != c.Competitors[0].Name {
			fmt.Fprintf(w, "   ours is %.2f × (%.2f to %.2f)", r.Ratio.Median, r.Ratio.Least, r.Ratio.Most)
		}
		fmt.Fprintln(w)
	}
}

//go:embed chart.svg
var chartFile string

var chart = template.Must(template.New("chart").Parse(chartFile))

// bar is a competitor in a chart.
type bar struct {
	Name, Value string
	Y, Length   int
	Ours        bool
}

// draw writes a bar chart of the medians.
func (c comparison) draw(folder string) error {
	most := 0.0
	for _, r := range c.Competitors {
		most = max(most, spreadOf(r.Values).Median)
	}
	var bars []bar
	for i, r := range c.Competitors {
		m := spreadOf(r.Values).Median
		bars = append(bars, bar{r.Name, fmt.Sprintf("%.3g", m), 34 + 26*i, max(2, int(300*m/most)), i == 0})
	}
	f, err := os.Create(filepath.Join(folder, c.Name+".svg"))
	if err != nil {
		return err
	}
	defer f.Close()
	return chart.Execute(f, map[string]any{"Title": c.Title, "Unit": c.Unit, "Bars": bars, "Height": 44 + 26*len(bars)})
}
