// Package funchost is a stand-in for the Azure Functions host v4 (and for Core
// Tools' `func start`), for tests and local runs of a custom handler. It reads
// host.json, function.json and local.settings.json, starts and restarts the
// handler, and sends it queue messages, timer ticks, HTTP requests and manual runs
// in the host's wire forms. It treats the answers as the host does: it hangs where
// the host hangs, and kills the handler where the host kills it. It is written
// after the source of Azure/azure-functions-host, azure-webjobs-sdk,
// azure-webjobs-sdk-extensions and the Storage queues extension of
// azure-sdk-for-net.
//
// It is never part of what is deployed, and it is not the host. What it does not do:
//
//   - triggers other than queueTrigger, timerTrigger and httpTrigger; input
//     bindings; output bindings other than http (their values are dropped, with
//     a warning); blob-backed secrets: keys and authorization levels are ignored,
//     as func start does
//   - more than one instance: no singleton lock, no scaling, no drain mode, no
//     placeholder mode, no platform stop
//   - timer status in storage: it lives in memory, so no run is ever past due
//   - retry policies, dynamic concurrency, the legacy httpWorker section,
//     customHandler.port, http.routes, configuration profiles, and the proxying
//     mode (enableProxyingHttpRequest)
//   - restarting when a file below the root changes; logging filters; extension
//     bundles are not downloaded (a queue trigger without one is refused, as the
//     host would)
//   - X__serviceUri, tenant and secret, and managedIdentityResourceId in a connection
//   - of a text message's properties leaking into Metadata: Newtonsoft's tolerant
//     syntax (comments, single quotes), re-rendering of dates and numbers inside
//     nested objects, and its /Date(…)/ form
//   - requests whose Host is not this machine, and those but GET, HEAD and OPTIONS
//     that come from a page of another origin: func start takes both, this refuses
//     them; CORS settings are not read
//   - HTTP envelopes: Identities is an empty list; route constraints are not checked
//   - traceparent; the interrupt that Ctrl-C sends to every process of a terminal
//     reaches only this program, never the handler: in the cloud there is none either
//
// Start reading at Start. supervisor.go runs the handler's process, invoke.go an
// invocation, queue.go the messages.
package funchost
