package handler

import (
	"time"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/remedy"
)

// What a function's time is taken to be where the host's own value can't be
// known: without functionTimeout the smallest of the hosting plans' defaults,
// and half an hour where it is unlimited.
// https://learn.microsoft.com/azure/azure-functions/functions-scale#timeout
const (
	defaultTimeout   = 5 * time.Minute
	unlimitedTimeout = 30 * time.Minute
)

// margin is how long before the host's timeout an invocation is given up, but
// never more than a quarter of the timeout.
const margin = 30 * time.Second

// Deadline says how long an invocation may take: functionTimeout, less a margin
// of 30 s or a quarter of it, whichever is shorter. At the timeout itself the host
// kills the process, and with it every other invocation. Without a functionTimeout
// 5 minutes are taken, and 30 where it is -1 (unlimited).
func Deadline(getenv func(string) string, root string) (time.Duration, error) {
	timeout, source, err := hostSetting(getenv, root, "functionTimeout")
	if err != nil {
		return 0, err
	}
	if timeout == "" {
		return lessMargin(defaultTimeout), nil
	}
	return deadlineFrom(timeout, source)
}

func deadlineFrom(timeout, source string) (time.Duration, error) {
	if timeout == "-1" {
		return lessMargin(unlimitedTimeout), nil
	}
	d, err := dotnet.ParseTimeSpan(timeout)
	if err != nil || d < time.Second {
		return 0, remedy.New(`write hours, minutes and seconds, such as "00:10:00", at least a second, or "-1" for no limit`, "functionTimeout in %s is %q", source, timeout)
	}
	return lessMargin(d), nil
}

func lessMargin(timeout time.Duration) time.Duration {
	return timeout - min(margin, timeout/4)
}
