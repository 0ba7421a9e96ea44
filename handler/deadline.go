package handler

import (
	"time"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/remedy"
)

// The timeouts assumed where host.json names none. The default differs between
// hosting plans; this is the smallest. "Unlimited" is taken as half an hour.
// https://learn.microsoft.com/azure/azure-functions/functions-scale#timeout
const (
	defaultTimeout   = 5 * time.Minute
	unlimitedTimeout = 30 * time.Minute
)

// margin is the time between an invocation's deadline and the host's timeout. It
// is never more than a quarter of the timeout.
const margin = 30 * time.Second

// Deadline returns how long an invocation may take: functionTimeout less 30 s, or
// less a quarter of it if that is shorter. At the timeout itself the host kills
// the process, and with it every other invocation that runs.
//
// Without a functionTimeout, 5 minutes are assumed; for "-1" (unlimited), 30.
// getenv reads app settings, which override host.json in the folder root. A
// host.json that can't be read, and a functionTimeout under a second, are errors;
// what is assumed without one comes with them.
func Deadline(getenv func(string) string, root string) (time.Duration, error) {
	timeout, source, err := hostSetting(getenv, root, "functionTimeout")
	if err != nil || timeout == "" {
		return lessMargin(defaultTimeout), err
	}
	return deadlineFrom(timeout, source)
}

func deadlineFrom(timeout, source string) (time.Duration, error) {
	if timeout == "-1" {
		return lessMargin(unlimitedTimeout), nil
	}
	d, err := dotnet.ParseTimeSpan(timeout)
	if err != nil || d < time.Second {
		return lessMargin(defaultTimeout), remedy.New(`write hours, minutes and seconds, such as "00:10:00", at least a second, or "-1" for no limit`, "functionTimeout in %s is %q", source, timeout)
	}
	return lessMargin(d), nil
}

func lessMargin(timeout time.Duration) time.Duration {
	return timeout - min(margin, timeout/4)
}
