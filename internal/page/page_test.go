package page_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/zips"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

// hostile is a name that somebody gives a project, an iteration or a tag.
const hostile = `</script><script>alert(1)</script>"'&{{.}}` + "\u202e"

// kitchen is a project with all that a page can show of one: two iterations, one of them
// published, one that failed, and a thing that can't be done.
func (s *site) kitchen(name string) (project, iteration string) {
	project, iteration = newID(), newID()
	s.remember(project, func(p *state.Project) {
		p.Name, p.Notified = name, s.now
		trained(p, newID(), "Iteration 1", s.now.Add(-48*time.Hour), 0.61)
		trained(p, iteration, name, s.now.Add(-24*time.Hour), 0.75)
		p.Shown[iteration].Published = name
		p.Shown[newID()] = &state.Shown{Name: name, Status: "Failed", Changed: s.now}
		p.Shown[newID()] = &state.Shown{Name: "Iteration 4", Status: "Training", Changed: s.now}
		p.Note(state.Condition{
			Scope: state.Scope{Iteration: iteration, Export: "ONNX"}, Code: state.NoLink, Unproven: true, Attempts: 2,
			Why: name + " https://x.example/a?sig=abcdef " + secret, First: s.now, Last: s.now, Next: s.now.Add(time.Hour),
		})
	})
	return project, iteration
}

func TestNothingFromOutsideBecomesMarkupAndNoSecretIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project, _ := s.kitchen(hostile)
	_, err := s.State.Bury(t.Context(), []byte(hostile+"?sig=abcdef "+secret), hostile+secret, s.now)
	require.NoError(t, err)
	require.NoError(t, s.State.SetHealth(t.Context(), state.Health{Ended: s.now, Errors: []string{hostile + secret}, Warnings: []string{secret}}))
	for _, target := range []string{"", "/projects/" + project, "/dead-letters", "/timeline", "/nowhere"} {
		body := s.ask(http.MethodGet, base+target).body
		assert.Equal(t, 1, strings.Count(body, "<script>"), "%s has its own script alone", target)
		assert.NotContains(t, body, "alert(1)</script>", target)
		assert.NotContains(t, body, "\u202e", target)
		for _, page := range []string{body, s.ask(http.MethodGet, base+target+".json").body} {
			assert.NotContains(t, page, secret, target)
			assert.NotContains(t, page, "abcdef", target)
		}
		if target != "/nowhere" {
			assert.Contains(t, html.UnescapeString(body), "alert(1)", "it is shown as text")
		}
	}
}

func TestAPageLoadsNothingAndRunsNothingButItsOwn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.ask(http.MethodGet, base)
	rules := a.Header.Get("Content-Security-Policy")
	assert.Contains(t, rules, "default-src 'none'")
	for _, loose := range []string{"unsafe", "*", "http"} {
		assert.NotContains(t, rules, loose)
	}
	assert.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"))
	assert.Equal(t, "same-origin", a.Header.Get("Referrer-Policy"))
	assert.NotRegexp(t, `\sstyle=|\son[a-z]+=`, a.body, "the rules would forbid it")
}

// The address is a setting's, so a person may write anything there.
func TestOnlyAnAddressOfTheWebIsLinked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for at, linked := range map[string]bool{
		"http://localhost:7071": true, "https://127.0.0.1": true,
		"": false, "javascript:alert(1)": false, " JavaScript:alert(1)//": false, "data:text/html,<script>": false, `"onload=alert(1)`: false,
	} {
		s.Emulator = at
		body := s.see(base)
		assert.Equal(t, linked, strings.Contains(body, ">Emulator</a>"), at)
		assert.Equal(t, linked, strings.Contains(body, `href="`+at+`/"`), at)
		assert.NotContains(t, strings.ToLower(body), "javascript:")
	}
}

var address = regexp.MustCompile(`(?:href|action)="([^"#]+)"`)

// addresses are those within the site to which a page leads.
func addresses(body string) []string {
	var list []string
	for _, m := range address.FindAllStringSubmatch(body, -1) {
		if at := html.UnescapeString(m[1]); strings.HasPrefix(at, "/") {
			list = append(list, at)
		}
	}
	return list
}

// TestTheHostsKeyIsInLinksWhereTheHostNeedsIt goes to every address of the site, as the
// host sees them, with a key and without one, and with another route prefix.
func TestTheHostsKeyIsInLinksWhereTheHostNeedsIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.kitchen("Kitchen")
	_, err := s.State.Bury(t.Context(), []byte("x"), "why", s.now)
	require.NoError(t, err)
	for _, at := range []string{"/api/status", "/status", "/v1/own/status"} {
		s.Base = at
		for _, key := range []string{"", "a/b+c=="} {
			query := ""
			if key != "" {
				query = "?code=" + url.QueryEscape(key)
			}
			seen, next := map[string]bool{}, []string{at + query}
			for len(next) > 0 {
				target := next[0]
				next = next[1:]
				u, err := url.Parse(target)
				require.NoError(t, err)
				assert.True(t, u.Path == at || strings.HasPrefix(u.Path, at+"/"), target)
				assert.Equal(t, key, u.Query().Get("code"), target)
				if seen[target] || strings.HasSuffix(u.Path, "/replay") || strings.HasSuffix(u.Path, "/drop") {
					continue
				}
				seen[target] = true
				next = append(next, addresses(s.see(target))...)
			}
			assert.Greater(t, len(seen), 6)
		}
	}
}

func TestTheSameStandsBesideEachPageAsJSON(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project, _ := s.kitchen("Kitchen")
	other, _ := s.kitchen("Other")
	_, err := s.State.Bury(t.Context(), []byte("the text"), "why", s.now)
	require.NoError(t, err)
	var status overview.Status
	require.NoError(t, json.Unmarshal([]byte(s.see(base+"/status.json")), &status))
	require.Len(t, status.Projects, 2)
	assert.Equal(t, 4, status.Models)
	assert.Equal(t, 4, status.Unproven)
	assert.WithinDuration(t, s.now, *status.LastNotification, time.Second)
	kitchen := status.Projects[0]
	assert.Equal(t, "General (compact)", kitchen.Domain)
	assert.Len(t, kitchen.Trainings, 2, "one is underway, one failed")
	assert.InDelta(t, 0.75, *kitchen.Iterations[0].Performance.AveragePrecision, 0.001)

	require.NoError(t, json.Unmarshal([]byte(s.see(base+"/projects/"+other+".json")), &status))
	require.Len(t, status.Projects, 1)
	assert.Equal(t, "Other", status.Projects[0].Name)
	assert.Equal(t, 2, status.Models)
	var letters overview.Letters
	require.NoError(t, json.Unmarshal([]byte(s.see(base+"/dead-letters.json")), &letters))
	require.Len(t, letters.Letters, 1)
	assert.Equal(t, "the text", letters.Letters[0].Text)
	var timeline overview.Timeline
	require.NoError(t, json.Unmarshal([]byte(s.see(base+"/timeline.json")), &timeline))
	assert.True(t, slices.IsSortedFunc(timeline.Events, func(a, b overview.Event) int { return b.At.Compare(a.At) }))
	assert.Contains(t, s.see(base+"/projects/"+project+"/plan.json"), "there is no service in this test")
	assert.Contains(t, s.see(base+"/projects/"+project), "There is no service in this test", "why there is no plan")
}

func TestADeadLetterIsReplayedOrDropped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	bury := func(text string) string {
		l, err := s.State.Bury(t.Context(), []byte(text), "why", s.now)
		require.NoError(t, err)
		return base + "/dead-letters/" + l.ID
	}
	first, second := bury("one"), bury("two")
	a := s.ask(http.MethodPost, first+"/replay?code=k", "Sec-Fetch-Site", "same-origin", "Origin", "http://app.example")
	assert.Equal(t, http.StatusSeeOther, a.StatusCode)
	assert.Equal(t, base+"/dead-letters?code=k&done=replay", a.Header.Get("Location"))
	assert.Contains(t, s.see(a.Header.Get("Location")), "on the queue again")
	got, err := s.World.Queue.DequeueMessage(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, got.Messages, 1)
	assert.Equal(t, "one", *got.Messages[0].MessageText)
	assert.Len(t, s.World.Letters(), 1)

	assert.Equal(t, http.StatusSeeOther, s.ask(http.MethodPost, second+"/drop").StatusCode, "programs send no origin")
	assert.Empty(t, s.World.Letters())
	a = s.ask(http.MethodPost, second+"/drop")
	assert.Contains(t, s.see(a.Header.Get("Location")), "any more")
	assert.Equal(t, http.StatusNotFound, s.ask(http.MethodPost, second+"/frame").StatusCode)
	assert.Equal(t, http.StatusNotFound, s.ask(http.MethodPost, base).StatusCode)
	assert.Equal(t, http.StatusMethodNotAllowed, s.ask(http.MethodPut, base).StatusCode)
}

func TestNobodyActsWhereItIsNotAllowed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l, err := s.State.Bury(t.Context(), []byte("one"), "why", s.now)
	require.NoError(t, err)
	act := base + "/dead-letters/" + l.ID
	refused := func(why string, header ...string) {
		t.Helper()
		for _, do := range []string{"/replay", "/drop"} {
			a := s.ask(http.MethodPost, act+do, header...)
			assert.Equal(t, http.StatusForbidden, a.StatusCode, why)
			assert.Contains(t, a.body, why)
		}
		assert.Len(t, s.World.Letters(), 1)
		got, err := s.World.Queue.PeekMessage(t.Context(), nil)
		require.NoError(t, err)
		assert.Empty(t, got.Messages)
	}
	refused("page of another site", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
	refused("page of another site", "Sec-Fetch-Site", "same-site")
	refused("page of another site", "Origin", "https://evil.example")
	refused("page of another site", "Origin", "null")
	assert.Contains(t, s.see(base+"/dead-letters"), ">Replay<")

	s.Mode = func(context.Context) (policy.Mode, error) { return policy.Observe, nil }
	refused("only observes", "Sec-Fetch-Site", "same-origin")
	page := s.see(base + "/dead-letters")
	assert.Contains(t, page, "only observes")
	assert.NotContains(t, page, "<form")

	s.Mode = func(context.Context) (policy.Mode, error) { return policy.Act, nil }
	s.Actions = false
	refused("STATUS_ACTIONS", "Sec-Fetch-Site", "same-origin")
	assert.NotContains(t, s.see(base+"/dead-letters"), "<form")
}

func TestABackupIsDownloadedAsItIsAndNotIfItIsDamaged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project, iteration := newID(), newID()
	key, err := archive.NewKey(project, iteration, "ONNX", "")
	require.NoError(t, err)
	packed := zips.Made([]zips.Part{{Name: "model.onnx", Data: zips.Noise(300_000, 1)}}, nil)
	source := archive.Source{Name: "x", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(string(packed))), nil
	}}
	id, err := s.World.Archive.Identify(t.Context(), source)
	require.NoError(t, err)
	copied, err := s.World.Archive.Copy(t.Context(), key, source, id)
	require.NoError(t, err)
	_, err = s.World.Archive.Verify(t.Context(), copied, archive.Facts{ProjectName: "Kitchen ü\"", IterationName: "Iteration 1"})
	require.NoError(t, err)

	body := s.see(base + "/projects/" + project)
	i := slices.IndexFunc(addresses(body), func(at string) bool { return strings.Contains(at, "/backups/") })
	require.GreaterOrEqual(t, i, 0)
	link := addresses(body)[i]
	a := s.ask(http.MethodGet, link)
	assert.Equal(t, http.StatusOK, a.StatusCode)
	assert.Equal(t, string(packed), a.body)
	assert.Equal(t, `attachment; filename=Kitchen----Iteration-1-ONNX.zip`, a.Header.Get("Content-Disposition"))
	assert.Equal(t, "application/octet-stream", a.Header.Get("Content-Type"))
	assert.Equal(t, http.StatusNotFound, s.ask(http.MethodGet, base+"/backups/"+project+"/../state/health.json").StatusCode)
	var head answer
	for _, sent := range s.requests(func() { head = s.ask(http.MethodHead, link) }) {
		assert.NotRegexp(t, `GET /\S*\.zip`, sent, "nothing is read")
	}
	assert.Equal(t, http.StatusOK, head.StatusCode)
	assert.Equal(t, fmt.Sprint(len(packed)), head.Header.Get("Content-Length"))
	assert.Equal(t, a.Header.Get("Content-Disposition"), head.Header.Get("Content-Disposition"))
	assert.Empty(t, head.body)

	_, err = s.Containers.Archive.NewBlockBlobClient(copied.Blob).UploadBuffer(t.Context(), make([]byte, len(packed)), nil)
	require.NoError(t, err)
	served := httptest.NewServer(s)
	defer served.Close()
	damaged, err := served.Client().Get(served.URL + link)
	require.NoError(t, err)
	defer damaged.Body.Close()
	_, err = io.ReadAll(damaged.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "no browser takes it for whole, though as many bytes lie there")
	_, err = s.Containers.Archive.NewBlockBlobClient(copied.Blob).UploadBuffer(t.Context(), []byte("shorter"), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, s.ask(http.MethodHead, link).StatusCode)
	_, err = s.Containers.Archive.NewBlobClient(copied.Blob).Delete(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, s.ask(http.MethodGet, link).StatusCode)
	assert.Equal(t, http.StatusServiceUnavailable, s.ask(http.MethodHead, link).StatusCode)
}

func TestWhatIsBrokenIsSaid(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.kitchen("Kitchen")
	assert.Contains(t, s.see(base), "need a look")
	s.remember(state.App, func(p *state.Project) {
		p.Note(state.Condition{Scope: state.Scope{Destination: "queue"}, Code: state.Undelivered, Why: "1 of the app's events wait", First: s.now, Next: s.now.Add(time.Hour)})
	})
	assert.Contains(t, html.UnescapeString(s.see(base)), "1 of the app's events wait; since")
	assert.Contains(t, html.UnescapeString(s.see(base+"/timeline")), "Queue: 1 of the app's events wait")
	_, err := s.Containers.State.Delete(t.Context(), nil)
	require.NoError(t, err)
	page := s.see(base)
	assert.Contains(t, page, "What the state holds is not shown")
	assert.Equal(t, http.StatusServiceUnavailable, s.ask(http.MethodGet, base+"/dead-letters").StatusCode)
	_, err = s.Containers.Archive.Delete(t.Context(), nil)
	require.NoError(t, err)
	a := s.ask(http.MethodGet, base+"/status.json")
	for ; a.StatusCode == http.StatusOK; a = s.ask(http.MethodGet, base+"/status.json") {
		s.now = s.now.Add(time.Hour) // the whole archive is listed again
	}
	assert.Equal(t, http.StatusServiceUnavailable, a.StatusCode)
	assert.Contains(t, a.body, "does not exist")
	assert.Equal(t, http.StatusServiceUnavailable, s.ask(http.MethodGet, base).StatusCode)
}

func TestAnEmptyAppSaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	page := s.see(base)
	assert.Contains(t, page, "Connect a project")
	assert.Contains(t, s.see(base+"/dead-letters"), "There are no dead letters")
	assert.Contains(t, s.see(base+"/timeline"), "Nothing has happened yet")
	assert.Equal(t, http.StatusNotFound, s.ask(http.MethodGet, base+"/projects/"+newID()).StatusCode)
	r := httptest.NewRequest(http.MethodHead, base, nil)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	assert.Equal(t, http.StatusOK, w.Code)
}

func TestAPlanSaysWhatATrainingCounts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project, _ := s.kitchen("Kitchen")
	s.Plan = func(context.Context, string) ([]reconcile.Action, reconcile.Report, error) {
		return []reconcile.Action{
			{Step: reconcile.Step{Kind: reconcile.Retrain}, Why: "there are more images", Training: &reconcile.Training{Minutes: 60}},
			{Step: reconcile.Step{Kind: reconcile.Settle}, Why: "a note of the app's own"},
		}, reconcile.Report{}, nil
	}
	page := s.see(base + "/projects/" + project)
	assert.Contains(t, page, "<b>Retrain</b>")
	assert.Contains(t, page, "<bdi>There are more images.</bdi> It counts as 1 h of training.</span>")
	assert.NotContains(t, page, "own.")
}

func TestWhetherAConditionIsTriedAgainIsSaidByTheSitesClock(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project, _ := s.kitchen("Kitchen")
	for _, said := range []string{"; next try ", "; it is tried with the next look."} {
		for _, target := range []string{"", "/projects/" + project} {
			assert.Contains(t, s.see(base+target), said, target)
		}
		s.now = s.now.Add(2 * time.Hour)
	}
}

func TestWhatIsSavedOfDataSetsIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project, _ := s.kitchen("Kitchen")
	assert.NotContains(t, s.ask(http.MethodGet, base).body, "Data sets safe", "nobody asked for any")
	require.NoError(t, s.State.SetHealth(t.Context(), state.Health{Ended: s.now, Rescue: []state.Coverage{{
		Project: project, Name: "Kitchen", Trained: 2, Wanted: 3, Complete: 2, Images: 50, Saved: 49, Bytes: 3 << 20,
		Missing: []string{"the data set of " + hostile + secret + " isn't saved yet"}, Looked: s.now,
	}}}))
	s.now = s.now.Add(time.Hour)
	whole := s.ask(http.MethodGet, base).body
	assert.Contains(t, whole, "Data sets safe")
	assert.Contains(t, whole, "Kitchen: 2 of 3 snapshots of its data set complete, 49 of 50 images saved")
	of := s.ask(http.MethodGet, base+"/projects/"+project).body
	assert.Contains(t, of, "49 of 50 images saved, 3.1 MB")
	assert.Contains(t, html.UnescapeString(of), "isn't saved yet")
	assert.NotContains(t, of, "alert(1)</script>")
	assert.NotContains(t, of, secret)
}

func TestATwinIsShownAndIsNotTheSameModel(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project, _ := s.kitchen("Kitchen")
	s.remember(project, func(p *state.Project) {
		p.Twin = &state.Twin{Name: "twin", IterationName: "Iteration <7>", Project: "p", Trained: "t", Asked: s.now}
	})
	page := s.ask(http.MethodGet, base+"/projects/"+project).body
	assert.Contains(t, page, "a compact twin of Iteration &lt;7&gt;, which is not the same model, is being trained and exported")
}

func TestNoSecretIsInWhatIsMissingOfADataSet(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	project, _ := s.kitchen("Kitchen")
	require.NoError(t, s.State.SetHealth(t.Context(), state.Health{Ended: s.now, Rescue: []state.Coverage{{
		Project: project, Name: "Kitchen", Wanted: 1, Missing: []string{"https://x.example/a?sig=abcdef " + secret},
	}}}))
	for _, target := range []string{"/status.json", "/projects/" + project + ".json", "/projects/" + project, ""} {
		body := s.see(base + target)
		assert.NotContains(t, body, secret, target)
		assert.NotContains(t, body, "abcdef", target)
	}
}

// The service has deleted the iteration, so nothing but the archive knows it.
func TestACopyThatIsNoBackupIsNotAllWell(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{".zip", ".damaged.json"}, {".proven.json"}, {".zip"}} {
		s := newSite(t)
		stem := fmt.Sprintf("%s/%s/ONNX/%032x", newID(), newID(), 1)
		for _, name := range names {
			_, err := s.Containers.Archive.NewBlockBlobClient(stem+name).UploadBuffer(t.Context(), []byte("{}"), nil)
			require.NoError(t, err)
		}
		require.NoError(t, s.State.SetHealth(t.Context(), state.Health{Ended: s.now, Round: s.now}))
		body := s.see(base)
		assert.Contains(t, body, "0<small> of 1</small>", "%v", names)
		assert.NotContains(t, body, "All is well", "%v", names)
	}
}
