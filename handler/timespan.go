package handler

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timeSpan is the invariant format of .NET's TimeSpan, in which the host reads
// durations: days alone, or [days.]hours:minutes[:seconds[.fraction]].
// https://learn.microsoft.com/dotnet/api/system.timespan.parse
var timeSpan = regexp.MustCompile(`^(?:(\d{1,4})|(?:(\d{1,4})\.)?([01]?\d|2[0-3]):([0-5]?\d)(?::([0-5]?\d(?:\.\d{1,7})?))?)$`)

// parseTimeSpan reads a duration that isn't negative.
func parseTimeSpan(s string) (time.Duration, bool) {
	m := timeSpan.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	// A group that took no part is empty, and empty counts as 0.
	number := func(group int) float64 { n, _ := strconv.ParseFloat(m[group], 64); return n }
	days, hours, minutes, seconds := number(1)+number(2), number(3), number(4), number(5)
	total := ((days*24+hours)*60+minutes)*60 + seconds
	return time.Duration(total * float64(time.Second)), true
}
