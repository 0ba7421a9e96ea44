package dotnet

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// NCrontab is a schedule of the NCrontab library: second, minute, hour, day,
// month, day of week. A time matches if every field matches. That includes both
// the day and the day of week; ordinary cron requires only one of them.
type NCrontab struct{ second, minute, hour, day, month, weekday uint64 } // one bit per value

type cronField struct {
	name     string
	low, top int
	names    []string // of low and up
}

var cronFields = [6]cronField{
	{"second", 0, 59, nil},
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day", 1, 31, nil},
	{"month", 1, 12, []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}},
	{"day of week", 0, 6, []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}},
}

// ParseNCrontab reads six fields, or five without the second, which is then 0. As
// in NCrontab (CrontabSchedule.cs, CrontabFieldImpl.cs), fields are separated by
// spaces alone, not by tabs or newlines; a field has lists, ranges in either
// direction, steps, and names that may be shortened.
func ParseNCrontab(expression string) (NCrontab, error) {
	fields := strings.FieldsFunc(expression, func(r rune) bool { return r == ' ' })
	if len(fields) == 5 {
		fields = append([]string{"0"}, fields...)
	}
	if len(fields) != 6 {
		return NCrontab{}, fmt.Errorf("%q has %d fields: a schedule has 6 (second minute hour day month day-of-week) or 5", expression, len(fields))
	}
	var sets [6]uint64
	for i, text := range fields {
		for item := range strings.SplitSeq(text, ",") {
			set, err := cronFields[i].parse(item)
			if err != nil {
				return NCrontab{}, fmt.Errorf("schedule %q: %s: %w", expression, cronFields[i].name, err)
			}
			sets[i] |= set
		}
	}
	return NCrontab{sets[0], sets[1], sets[2], sets[3], sets[4], sets[5]}, nil
}

func (f cronField) parse(item string) (uint64, error) {
	value, stepText, stepped := strings.Cut(item, "/")
	step := 1
	if stepped {
		n, err := strconv.Atoi(stepText)
		if err != nil {
			return 0, fmt.Errorf("the step %q is not a number", stepText)
		}
		step = max(n, 1)
	}
	first, last := f.low, f.top
	if value != "*" {
		from, to, ranged := strings.Cut(value, "-")
		var err error
		if first, err = f.value(from); err != nil {
			return 0, err
		}
		switch {
		case ranged:
			if last, err = f.value(to); err != nil {
				return 0, err
			}
		case !stepped:
			last = first
		}
	}
	if first > last {
		first, last = last, first
	}
	var set uint64
	for n := first; n <= last; n += step {
		set |= 1 << n
	}
	return set, nil
}

// isFull reports whether set holds every value of the field, which NCrontab writes
// as *.
func (f cronField) isFull(set uint64) bool {
	return bits.OnesCount64(set) == f.top-f.low+1
}

func (f cronField) value(text string) (int, error) {
	if text == "" {
		return 0, fmt.Errorf("a value is empty")
	}
	if text[0] >= '0' && text[0] <= '9' {
		n, err := strconv.Atoi(text)
		if err != nil || n < f.low || n > f.top {
			return 0, fmt.Errorf("%q is not a value from %d to %d", text, f.low, f.top)
		}
		return n, nil
	}
	for i, name := range f.names {
		if strings.HasPrefix(name, strings.ToLower(text)) {
			return f.low + i, nil
		}
	}
	return 0, fmt.Errorf("%q is not a value from %d to %d", text, f.low, f.top)
}

// searchDays is the length limit of the search. Within 40 years the 29th of
// February falls on every day of the week.
const searchDays = 41 * 366

// Next returns the first match after t in t's time zone, or the zero Time if
// there is none.
func (c NCrontab) Next(t time.Time) time.Time {
	year, month, day := t.Date()
	for n := range searchDays {
		midnight := time.Date(year, month, day+n, 0, 0, 0, 0, t.Location())
		y, m, d := midnight.Date()
		if !has(c.month, int(m)) || !has(c.day, d) || !has(c.weekday, int(midnight.Weekday())) {
			continue
		}
		for hour := range 24 {
			if !has(c.hour, hour) {
				continue
			}
			for minute := range 60 {
				if !has(c.minute, minute) {
					continue
				}
				for second := range 60 {
					if !has(c.second, second) {
						continue
					}
					if at := time.Date(y, m, d, hour, minute, second, 0, t.Location()); at.After(t) {
						return at
					}
				}
			}
		}
	}
	return time.Time{}
}

// SubMinute implements Schedule: every minute has more than one match
// (TimerSchedule.ShouldDisableScheduleMonitor).
func (c NCrontab) SubMinute() bool {
	for i, set := range []uint64{c.minute, c.hour, c.day, c.month, c.weekday} {
		if !cronFields[i+1].isFull(set) {
			return false
		}
	}
	return bits.OnesCount64(c.second) > 1
}

func has(set uint64, n int) bool { return set&(1<<n) != 0 }
