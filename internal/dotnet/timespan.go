package dotnet

import (
	"strconv"
	"strings"
	"time"

	"visionkeeper/internal/pattern"
	"visionkeeper/internal/remedy"
)

var timeSpanForm = pattern.Of(`^(-?)(?:(\d{1,8})\.)?(\d{1,8}(?::\d{1,8}){0,3})(?:\.(\d{1,7}))?$`)

// maxDays is the longest time span, in days. A time.Duration holds about 292
// years.
const maxDays = 100_000

// ParseTimeSpan reads a TimeSpan of .NET: [-][d.]hh:mm[:ss[.fffffff]],
// d:hh:mm:ss, or a number of days. As in .NET, the first of three parts counts
// days if it is above 23: "24:00:00" is 24 days. Any other text, and a span over
// 100,000 days, is an error.
func ParseTimeSpan(s string) (time.Duration, error) {
	invalid := remedy.New("write it as hh:mm:ss or d.hh:mm:ss", "%q is not a time span", s)
	m := timeSpanForm().FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, invalid
	}
	var parts []int
	for text := range strings.SplitSeq(m[3], ":") {
		n, _ := strconv.Atoi(text)
		parts = append(parts, n)
	}
	switch {
	case m[2] != "" && (len(parts) == 2 || len(parts) == 3):
		days, _ := strconv.Atoi(m[2])
		parts = append([]int{days}, parts...)
	case m[2] != "":
		return 0, invalid
	case len(parts) == 2, len(parts) == 3 && parts[0] <= 23:
		parts = append([]int{0}, parts...)
	}
	withSeconds := len(parts) == 4
	for len(parts) < 4 {
		parts = append(parts, 0)
	}
	if parts[0] > maxDays || parts[1] > 23 || parts[2] > 59 || parts[3] > 59 || (m[4] != "" && !withSeconds) {
		return 0, invalid
	}
	ticks, _ := strconv.Atoi((m[4] + "0000000")[:7]) // of 100 ns
	d := time.Duration(parts[0])*24*time.Hour + time.Duration(parts[1])*time.Hour +
		time.Duration(parts[2])*time.Minute + time.Duration(parts[3])*time.Second + time.Duration(ticks)*100
	if m[1] == "-" {
		d = -d
	}
	return d, nil
}
