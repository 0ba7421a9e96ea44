package handler

// Headers of the host's requests and of the answers to them
// (Workers/Http/HttpWorkerConstants.cs in the host's source).
const (
	headerInvocationID = "X-Azure-Functions-InvocationId"
	headerContentType  = "Content-Type"
	headerAllow        = "Allow"
)

// Environment variables that the host sets when it starts the handler, and what
// the names of app settings that override host.json begin with.
const (
	envPort    = "FUNCTIONS_CUSTOMHANDLER_PORT"
	envRoot    = "FUNCTIONS_APP_ROOT_PATH"
	envJobHost = "AzureFunctionsJobHost__"
)

// readinessPath is where the host asks whether the handler is up.
const readinessPath = "/"

// contentJSON is the only content type the host reads an answer from.
const contentJSON = "application/json"

// Fields of a log line that belongs to an invocation. The host doesn't relate
// lines to invocations itself.
const (
	fieldInvocation = "invocation"
	fieldFunction   = "function"
)
