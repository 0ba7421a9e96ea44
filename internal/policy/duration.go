package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"visionkeeper/internal/pattern"
)

// Duration is a time.Duration whose JSON is a string such as "24h" or "30d".
type Duration time.Duration

const day = 24 * time.Hour

var daysOf = pattern.Of(`[0-9]+d`)

// UnmarshalJSON reads a string in the form of time.ParseDuration, such as "24h", in
// which d stands for 24 hours.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	var sum time.Duration
	for _, days := range daysOf().FindAllString(s, -1) {
		n, err := strconv.ParseInt(strings.TrimSuffix(days, "d"), 10, 64)
		if err != nil || n > int64(math.MaxInt64/day) || sum > math.MaxInt64-time.Duration(n)*day {
			return fmt.Errorf("the duration %q is too long", s)
		}
		sum += time.Duration(n) * day
	}
	if rest := daysOf().ReplaceAllString(s, ""); rest != "" || s == "" {
		parsed, err := time.ParseDuration(rest)
		switch {
		case err != nil:
			return err
		case sum > math.MaxInt64-max(parsed, 0):
			return fmt.Errorf("the duration %q is too long", s)
		}
		sum += parsed
	}
	*d = Duration(sum)
	return nil
}

// String is the duration without parts that are zero, such as "24h"; from two days on
// whole days are days, such as "30d".
func (d Duration) String() string {
	if days := time.Duration(d) / day; days > 1 && time.Duration(d)%day == 0 {
		return fmt.Sprintf("%dd", days)
	}
	text := time.Duration(d).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// MarshalJSON writes a string such as "24h".
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(d.String())
}
