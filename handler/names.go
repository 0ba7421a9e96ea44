package handler

// Headers of the host's requests and of the answers to them
// (Workers/Http/HttpWorkerConstants.cs in the host's source), as net/http spells them:
// in another spelling each look at one makes the name anew.
const (
	headerInvocationID = "X-Azure-Functions-Invocationid"
	headerTraceparent  = "Traceparent" // https://www.w3.org/TR/trace-context/
	headerHostVersion  = "X-Azure-Functions-Hostversion"
	headerContentType  = "Content-Type"
	headerAllow        = "Allow"
	headerConnection   = "Connection"
)

// Environment variables that the host sets when it starts the handler, and the
// prefix of app settings that override host.json.
const (
	envPort    = "FUNCTIONS_CUSTOMHANDLER_PORT"
	envRoot    = "FUNCTIONS_APP_ROOT_PATH"
	envJobHost = "AzureFunctionsJobHost__"
)

// readinessPath is the path of the host's readiness probe.
const readinessPath = "/"

// contentJSON is the only content type of answers that the host reads.
const contentJSON = "application/json"

// Fields of an invocation's log lines. The host itself doesn't relate log lines
// to invocations.
const (
	fieldInvocation = "invocation"
	fieldFunction   = "function"
)
