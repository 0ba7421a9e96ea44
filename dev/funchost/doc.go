// Package funchost is a stand-in for the Azure Functions host v4 (and for Core
// Tools' `func start`), for tests and local runs of a custom handler. It reads
// host.json, function.json and local.settings.json, starts and restarts the
// handler, and sends it queue messages, timer ticks, HTTP requests and manual runs
// in the host's wire forms. It treats the answers as the host does: it hangs where
// the host hangs, and kills the handler where the host kills it. It ends where the
// host ends, with all its functions: after the handler's third failure, and at the
// first error of a queue that the host doesn't swallow, such as a missing role.
// Supervise starts the next one then, as the platform does. It is written after the
// source of Azure/azure-functions-host, azure-webjobs-sdk,
// azure-webjobs-sdk-extensions and the Storage queues extension of
// azure-sdk-for-net, of versions up to 4.1052 of the host.
//
// It is never part of what is deployed, and it is not the host. What it does not do:
//
//   - triggers other than queueTrigger, timerTrigger and httpTrigger; input
//     bindings; output bindings other than http (their values are dropped, with
//     a warning); blob-backed secrets: keys and authorization levels are ignored,
//     as func start does
//   - more than one instance: no singleton lock, no scaling, no drain mode, no
//     placeholder mode, no platform stop, and none of the invocations that newer
//     hosts abort near a scale-in; no hosts for one function alone, as on the Flex
//     Consumption plan
//   - timer status in storage: it lives in memory, so no run is ever past due
//   - retry policies, dynamic concurrency, the legacy httpWorker section,
//     customHandler.port, http.routes and configuration profiles
//   - of proxying: the activity timeout of 240 s. That a proxied request which fails
//     before its answer begins is a 500 is assumed
//   - restarting when a file below the root changes; logging filters; extension
//     bundles are not downloaded (a queue trigger without one is refused, as the
//     host would)
//   - X__endpointSuffix of a connection counts here; the host doesn't read it
//   - of a text message's properties leaking into Metadata: Newtonsoft's tolerant
//     syntax (comments, single quotes), re-rendering of dates and numbers inside
//     nested objects, and its /Date(…)/ form
//   - requests whose Host is not this machine, and those that come from a page of
//     another origin and either call an HTTP function or are no GET, HEAD or OPTIONS:
//     func start takes both, this refuses them; CORS settings are not read
//   - of the handler's answers: that tolerant syntax, and text after the object,
//     which fail here, so that a handler doesn't come to need them
//   - HTTP envelopes: Identities is an empty list; route constraints are not checked
//   - traceparent; the interrupt that Ctrl-C sends to every process of a terminal
//     reaches only this program, never the handler: in the cloud there is none either
//
// Start reading at Start. supervisor.go runs the handler's process, invoke.go an
// invocation, queue.go the messages.
package funchost
