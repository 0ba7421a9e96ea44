package customvision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryShapeOfErrorIsReadable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status        int
		body          string
		code, message string
	}{
		"service":               {400, `{"code":"BadRequestTrainingNotNeeded","message":"Nothing changed since last training"}`, "BadRequestTrainingNotNeeded", "Nothing changed since last training"},
		"service, PascalCase":   {400, `{"Code":"BadRequest","Message":"m"}`, "BadRequest", "m"},
		"service, no message":   {400, `{"code":"BadRequestExportAlreadyInProgress","message":""}`, "BadRequestExportAlreadyInProgress", "Bad Request"},
		"service, null message": {400, `{"code":"BadRequest","message":null}`, "BadRequest", "Bad Request"},
		"gateway":               {401, `{"error":{"code":"401","message":"Access denied due to invalid subscription key"}}`, "401", "Access denied due to invalid subscription key"},
		"gateway, number":       {401, `{"error":{"code":401,"message":"m"}}`, "401", "m"},
		"throttle":              {429, `{"statusCode":429,"message":"Rate limit is exceeded."}`, "429", "Rate limit is exceeded."},
		"error as text":         {400, `{"error":"invalid_request","message":"m"}`, "", "m"},
		"HTML":                  {411, "<!DOCTYPE HTML>\r\n<HTML><HEAD><TITLE>Length\r\n Required</TITLE></HEAD><BODY>long</BODY></HTML>", "", "Length Required"},
		"HTML, no title":        {502, "<html><body>nope</body></html>", "", "Bad Gateway"},
		"text":                  {404, "not\nfound", "", "not found"},
		"empty":                 {404, "", "", "Not Found"},
		"JSON list":             {404, "[]", "", "Not Found"},
		"JSON text":             {404, `"gone"`, "", "Not Found"},
		"JSON null":             {404, `null`, "", "Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("apim-request-id", "3b9c1f1e")
				answerWith(c.status, c.body)(w, r)
			})
			client.once.MaxRetries = -1
			_, err := client.Train(t.Context(), projectID, TrainOptions{})
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "TrainProject", e.Operation)
			assert.Equal(t, c.status, e.Status)
			assert.Equal(t, c.code, e.Code)
			assert.Equal(t, c.message, e.Message)
			assert.Equal(t, "3b9c1f1e", e.RequestID)
			assert.NotContains(t, err.Error(), "\n")
			assert.Contains(t, err.Error(), c.message)
		})
	}
}

func TestAnErrorIsOneLine(t *testing.T) {
	t.Parallel()
	assert.EqualError(t,
		&Error{Operation: "TrainProject", Status: 400, Code: "BadRequestTrainingNotNeeded", Message: "Nothing changed since last training", RequestID: "3b9c1f1e"},
		"TrainProject: Custom Vision answered 400 BadRequestTrainingNotNeeded: Nothing changed since last training [request 3b9c1f1e]")
	assert.EqualError(t,
		&Error{Operation: "GetProject", Status: 403, Message: "Forbidden"},
		"GetProject: Custom Vision answered 403: Forbidden: give the identity the role Cognitive Services Custom Vision Trainer on the training resource (Contributor, if it is to create, copy or delete projects), and check the resource's network rules")
	assert.EqualError(t,
		&Error{Operation: "GetProject", Message: "an id is not a GUID"},
		"GetProject: an id is not a GUID")
}

func TestTheOtherRequestIDIsTakenWhereTheGatewaysIsMissing(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Request-Id", "5e1d")
		answerWith(http.StatusNotFound, `{}`)(w, r)
	})
	_, err := client.Projects(t.Context())
	require.ErrorContains(t, err, "[request 5e1d]")
}

func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	texts := map[string]http.HandlerFunc{
		"echo of the credential": func(w http.ResponseWriter, r *http.Request) {
			answerWith(http.StatusUnauthorized, fmt.Sprintf(`{"code":"k%[1]s","message":"bad key %[1]s"}`,
				strings.TrimPrefix(r.Header.Get("Training-Key")+r.Header.Get("Authorization"), "Bearer ")))(w, r)
		},
		"signed URL":  answerWith(http.StatusBadRequest, `{"code":"BadRequestInvalidUri","message":"cannot reach 'https://a.blob.core.windows.net/c?sv=1&sig=SIGNATURE' now"}`),
		"lost answer": func(w http.ResponseWriter, _ *http.Request) { reset(t, w) },
		"unreadable":  answerWith(http.StatusOK, `{"settings":"https://x/?sig=SIGNATURE"}`),
	}
	for name, answer := range texts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, answer)
			options := quick()
			options.Retry.MaxRetries = -1
			byKey, err := NewClientWithKey(s.URL, testKey, options)
			require.NoError(t, err)
			byToken, err := NewClient(s.URL, &token{}, options)
			require.NoError(t, err)
			for _, client := range []*Client{byKey, byToken} {
				_, err = client.CreateProject(t.Context(), CreateProjectOptions{Name: "n", NotificationQueueURI: "https://q?sig=SIGNATURE"})
				require.Error(t, err)
				for ; err != nil; err = errors.Unwrap(err) {
					for _, verb := range []string{"%v", "%+v"} {
						printed := fmt.Sprintf(verb, err)
						assert.NotContains(t, printed, testKey)
						assert.NotContains(t, printed, "secret-token")
						assert.NotContains(t, printed, "SIGNATURE")
					}
				}
			}
		})
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, answerWith(http.StatusBadRequest, strings.Repeat("ä ", 100_000)))
	_, err := client.Projects(t.Context())
	require.Error(t, err)
	assert.Less(t, len(err.Error()), 700)
	assert.NotContains(t, err.Error(), "\ufffd")
}

func TestAnEndedContextIsRecognised(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	client, _ := setup(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := client.Train(ctx, projectID, TrainOptions{})
	require.ErrorIs(t, err, context.Canceled)
	assert.True(t, Lost(err), "it was sent")
}

func TestNobodyListening(t *testing.T) {
	t.Parallel()
	client, s := setup(t, answerWith(http.StatusOK, `[]`))
	s.Close()
	_, err := client.Projects(t.Context())
	require.ErrorContains(t, err, "GetProjects: no answer from Custom Vision: dial tcp")
	assert.NotContains(t, err.Error(), "http://")
}

func TestAnUnreadableAnswerIsLost(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `<html>`, `{"id":`, `[]`, `{"id":7}`} {
		client, _ := setup(t, answerWith(http.StatusOK, body))
		iteration, err := client.Train(t.Context(), projectID, TrainOptions{})
		require.ErrorContains(t, err, "could not be read", body)
		assert.True(t, Lost(err), body)
		assert.Zero(t, iteration, body)
	}
}

// noToken is a credential that always fails.
type noToken struct{}

func (noToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, errors.New("no identity here\nGET http://169.254.169.254/token?client_secret=SIGNATURE")
}

func TestAMissingTokenIsSaidOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, answerWith(http.StatusOK, `[]`))
	client, err := NewClient(s.URL, noToken{}, quick())
	require.NoError(t, err)
	_, err = client.Projects(t.Context())
	require.ErrorContains(t, err, "no identity here GET http://169.254.169.254/token?…")
	assert.Empty(t, s.received())
}

func TestErrorsOfOthersAreNeitherNotFoundNorLost(t *testing.T) {
	t.Parallel()
	assert.False(t, Lost(nil))
	assert.False(t, Lost(errors.New("x")))
	assert.False(t, NotFound(nil))
	assert.False(t, NotFound(errors.New("x")))
}

// A gateway's, a proxy's or a wrong address's 404 says nothing about the project.
func TestOnlyTheServicesOwn404SaysThatAThingIsNotThere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		want   bool
	}{
		"the service's":           {404, `{"code":"NotFoundProject","message":"Project not found"}`, true},
		"the service's, bare":     {404, `{"code":"NotFound","message":""}`, true},
		"of an iteration":         {404, `{"code":"NotFoundIteration","message":"m"}`, true},
		"HTML":                    {404, `<html><head><title>404 Not Found</title></head></html>`, false},
		"HTML that names it":      {404, `<html><title>NotFoundProject</title></html>`, false},
		"empty":                   {404, ``, false},
		"text":                    {404, `NotFoundProject`, false},
		"the gateway's":           {404, `{"error":{"code":"404","message":"Resource not found"}}`, false},
		"the gateway's, a number": {404, `{"statusCode":404,"message":"Resource not found"}`, false},
		"the gateway's, in words": {404, `{"error":{"code":"ResourceNotFound","message":"m"}}`, false},
		"JSON null":               {404, `null`, false},
		"JSON list":               {404, `[{"code":"NotFoundProject"}]`, false},
		"another status":          {400, `{"code":"NotFoundProject","message":"m"}`, false},
		"an outage":               {503, `{"code":"NotFoundProject","message":"m"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, answerWith(c.status, c.body))
			o := quick()
			o.Retry.MaxRetries = -1
			client, err := NewClientWithKey(s.URL, testKey, o)
			require.NoError(t, err)
			_, err = client.Project(t.Context(), projectID)
			require.Error(t, err)
			assert.Equal(t, c.want, NotFound(err))
		})
	}
	assert.False(t, NotFound(nil))
}
