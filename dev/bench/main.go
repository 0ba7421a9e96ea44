// Bench measures the program beside what else a person would use, on this machine, and
// prints the ratios. What it compares runs as processes of their own, one at a time and in
// turn, so that whatever else the machine does falls on all of them. Raw figures go to a
// JSON file. `make bench` runs it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 9, "how often each is measured")
	raw := flag.String("json", "build/bench.json", "file for the raw figures")
	charts := flag.String("charts", "", "folder for a chart of each comparison, as SVG")
	only := flag.String("only", "", "measure only what has this in its name, such as invocation or start")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *rounds, *raw, *charts, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// report is what the JSON file holds.
type report struct {
	Date        time.Time    `json:"date"`
	Machine     string       `json:"machine"`
	Comparisons []comparison `json:"comparisons"`
}

func run(ctx context.Context, rounds int, raw, charts, only string) error {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	programs, err := build(ctx, folder)
	if err != nil {
		return err
	}
	r := report{Date: time.Now().UTC(), Machine: fmt.Sprintf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())}
	fmt.Printf("%s. Each ratio is the median of %d, with the least and the most of them.\n", r.Machine, rounds)
	for _, c := range contests(programs, folder) {
		if !strings.Contains(c.Name, only) {
			continue
		}
		done, err := c.compare(ctx, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Title, err)
		}
		r.Comparisons = append(r.Comparisons, done)
		done.print(os.Stdout)
		if charts != "" {
			if err := done.draw(charts); err != nil {
				return err
			}
		}
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(raw, append(data, '\n'), 0o644)
}
