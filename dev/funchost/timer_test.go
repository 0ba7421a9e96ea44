package funchost

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/dotnet"
)

// timerApp has a timer and the storage setting timers need; nothing connects to it.
func timerApp(t *testing.T, name, schedule, more string) *app {
	a := newApp(t)
	a.env("AzureWebJobsStorage=UseDevelopmentStorage=true")
	a.timer(name, schedule, more)
	return a
}

// alsoTicks waits until the timer "other" has run n more times: as long as another
// one that was due would have taken.
func (a *app) alsoTicks(n int) {
	a.t.Helper()
	from := a.runs("other")
	eventually(a.t, func() bool { return a.runs("other") >= from+n }, "the other timer does not run")
}

func TestTimerRunsByItsSchedule(t *testing.T) {
	t.Parallel()
	a := timerApp(t, "tick", "%EVERY%", "")
	a.env("EVERY=* * * * * *")
	a.start()

	for range 2 {
		require.NoError(t, a.invocation().Err)
	}
	assert.Equal(t, "/tick", a.seen()[0].Path)
}

func TestTimerRunsByATimeSpan(t *testing.T) {
	t.Parallel()
	a := timerApp(t, "tick", "00:00:00.2", "")
	a.start()

	for range 3 {
		require.NoError(t, a.invocation().Err)
	}
}

func TestTimerHasOneRunAtATime(t *testing.T) {
	t.Parallel()
	a := timerApp(t, "hold", "00:00:00.05", "")
	a.timer("other", "00:00:00.05", "")
	a.start()
	eventually(t, func() bool { return a.runs("hold") == 1 }, "it did not run")

	a.alsoTicks(5)
	assert.Equal(t, 1, a.runs("hold"))
	a.release()
	eventually(t, func() bool { return a.runs("hold") > 1 }, "it did not run again")
}

func TestRunThatOutlastsItsPeriodIsFollowedAtOnce(t *testing.T) {
	t.Parallel()
	a := timerApp(t, "tick", "0 0 0 1 1 *", "")
	h := a.start()
	long := &timer{host: h, function: h.functions[0], schedule: dotnet.Interval(time.Minute)}

	long.tick(time.Now().Add(-time.Hour), true) // began an hour ago

	assert.WithinDuration(t, time.Now().Add(-59*time.Minute), long.current().next, patience)
}

func TestFailedTimerRunIsNotRepeatedBeforeTheNextTick(t *testing.T) {
	t.Parallel()
	a := timerApp(t, "fail", "0 0 0 1 1 *", `,"runOnStartup":true`)
	a.timer("other", "00:00:00.05", "")
	a.start()

	a.logged("Executed 'Functions.fail' (Failed")
	a.alsoTicks(5)
	assert.Equal(t, 1, a.runs("fail"))
}

func TestTimerRunsOnStartupWithItsFirstStatus(t *testing.T) {
	t.Parallel()
	a := timerApp(t, "tick", "0 0 0 1 1 *", `,"runOnStartup":true`)
	a.start()

	require.NoError(t, a.invocation().Err)
	assert.Regexp(t, `^\{"Data":\{"timer":\{"Schedule":\{"AdjustForDST":true\},`+
		`"ScheduleStatus":\{"Last":"0001-01-01T00:00:00\+00:00","Next":"\d{4}-01-01T00:00:00[+-]\d\d:\d\d","LastUpdated":"0001-01-01T00:00:00\+00:00"\},`+
		`"IsPastDue":false\}\},"Metadata":\{"sys":\{"MethodName":"tick","UtcNow":"[^"]+","RandGuid":"[^"]+"\}\}\}$`, a.seen()[0].Body)
}

func TestTimerStatusFollowsTheRuns(t *testing.T) {
	t.Parallel()
	a := timerApp(t, "tick", "0 0 0 1 1 *", `,"runOnStartup":true`)
	h := a.start()
	require.NoError(t, a.invocation().Err)

	eventually(t, func() bool { return !h.timers["tick"].current().last.IsZero() }, "no status")
	manual(t, h, "tick", "{}")

	require.NoError(t, a.invocation().Err)
	assert.NotContains(t, a.seen()[1].Body, "0001-01-01")
}

func TestTimerWithoutMonitorHasNoStatus(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ schedule, more string }{
		"told so":         {"0 0 0 1 1 *", `,"useMonitor":false`},
		"below a minute":  {"*/30 * * * * *", ""},
		"short time span": {"00:00:59", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := timerApp(t, "tick", c.schedule, c.more+`,"runOnStartup":true`)
			a.start()

			require.NoError(t, a.invocation().Err)
			assert.Contains(t, a.seen()[0].Body, `"ScheduleStatus":null`)
		})
	}
}

// TestSubMinuteSchedules has the host's own table (TimerScheduleTests.cs,
// ShouldDisableScheduleMonitor_ReturnsExpectedValue), and more of the kind.
func TestSubMinuteSchedules(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"*/30 * * * * *": true, "  */5    * *      * * *": true, "10,20,45 * * * * *": true, "* * * * * *": true, "0,58 * * * * *": true,
		"0 * * * * *": false, "30 * * * * *": false, "* * * * *": false, "0 */5 * * * *": false, "0 30 * * * *": false,
		"* 30 * * * *": false, "* */30 * * * *": false, "* 1-5 * * * *": false, "* */20 * * * *": false, "* * 12 * * Mon": false,
		"* 59 11 * * 1,2,3,4,5": false, "*/10 * 9-17 * * *": false, "0,58 0 * * * *": false, "* * * 1 * *": false, "* * * * 1 *": false,
		"*/30 0-59 */1 1-31 Jan-Dec 0-6": true, // the host compares after NCrontab wrote each of these as *
		"0 0 0 30 2 *":                   false,
		"00:00:59":                       true, "00:01:00": false,
	} {
		s, err := dotnet.ParseSchedule(text)
		require.NoError(t, err)
		assert.Equal(t, want, s.SubMinute(), text)
	}
}

func TestTimerThatNeverComesHasTheLastDay(t *testing.T) {
	t.Parallel()
	a := timerApp(t, "tick", "0 0 0 30 2 *", `,"runOnStartup":true`)
	a.start()

	require.NoError(t, a.invocation().Err)
	assert.Contains(t, a.seen()[0].Body, `"Next":"9999-12-31T23:59:59.9999999+00:00"`)
	a.logged("The schedule of 'tick' never comes")
}

func TestTimersThatCannotRunAreNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ schedule, storage, want string }{
		"schedule":   {"now and then", "UseDevelopmentStorage=true", "was not recognized as a valid cron expression or timespan string"},
		"never":      {"00:00:00", "UseDevelopmentStorage=true", "never moves on"},
		"unresolved": {"%NO_SUCH%", "UseDevelopmentStorage=true", "does not resolve"},
		"storage":    {"* * * * * *", "", "needs AzureWebJobsStorage"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			a.env("AzureWebJobsStorage=" + c.storage)
			a.timer("tick", c.schedule, "")
			h := a.start()

			a.logged("The listener for function 'Functions.tick' was unable to start: ")
			a.logged(c.want)
			assert.Equal(t, 400, manual(t, h, "tick", "{}").StatusCode)
		})
	}
}

func TestDisabledTimerRunsByHandOnly(t *testing.T) {
	t.Parallel()
	a := timerApp(t, "tick", "00:00:00.05", `,"runOnStartup":true`)
	a.env("AzureWebJobs.tick.Disabled=true")
	a.timer("other", "00:00:00.05", "")
	h := a.start()
	a.logged("Function tick: timerTrigger (disabled)")

	a.alsoTicks(5)
	assert.Zero(t, a.runs("tick"))
	assert.Equal(t, 202, manual(t, h, "tick", "{}").StatusCode)
	a.logged("Executed 'Functions.tick' (Succeeded")
	for _, s := range a.seen() {
		assert.Contains(t, s.Body, `"AdjustForDST":false`, "a time span knows no daylight saving")
	}
}
