package handler_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"visionkeeper/handler"
)

// send plays the Functions host: it sends one request and prints the answer.
func send(h http.Handler, method, path, body string) {
	r := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("X-Azure-Functions-HostVersion", "4.1052.200.0")
	r.Header.Set("X-Azure-Functions-InvocationId", "11111111-2222-3333-4444-555555555555")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	fmt.Println(answer.Code, answer.Body)
}

// A queue function. Its binding has "dataType": "binary" in function.json.
func ExampleHandler_Handle() {
	h := handler.New(handler.Options{Out: io.Discard, Err: io.Discard})
	h.Handle("notifications", func(_ context.Context, inv *handler.Invocation) error {
		message, err := inv.Bytes("message")
		if err != nil {
			return err
		}
		fmt.Printf("delivery %d of %q\n", inv.DequeueCount(), message)
		return nil
	})
	send(h, "POST", "/notifications", `{"Data":{"message":"aGVsbG8="},"Metadata":{"DequeueCount":"2"}}`)
	// Output:
	// delivery 2 of "hello"
	// 200 {}
}

// A timer function.
func ExampleInvocation_Timer() {
	h := handler.New(handler.Options{Out: io.Discard, Err: io.Discard})
	h.Handle("sweep", func(_ context.Context, inv *handler.Invocation) error {
		timer, err := inv.Timer("timer")
		if err != nil {
			return err
		}
		fmt.Println("late:", timer.IsPastDue)
		if s := timer.ScheduleStatus; s != nil {
			fmt.Println("last run:", s.Last.Format("15:04"), "next run:", s.Next.Format("15:04"))
		}
		return nil
	})
	send(h, "POST", "/sweep", `{"Data":{"timer":{"IsPastDue":true,"ScheduleStatus":{
		"Last":"2026-11-25T12:00:00+00:00","Next":"2026-11-25T12:15:00+00:00","LastUpdated":"2026-11-25T12:00:00+00:00"}}}}`)
	// Output:
	// late: true
	// last run: 12:00 next run: 12:15
	// 200 {}
}

// An HTTP function whose requests the host forwards. The path includes the route
// prefix.
func ExampleHandler_HandleHTTP() {
	h := handler.New(handler.Options{Out: io.Discard, Err: io.Discard})
	h.HandleHTTP("GET", "/api/health", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "well")
	}))
	send(h, "GET", "/api/health", "")
	// Output: 200 well
}

// The forms in which a binding without dataType arrives.
func ExampleInvocation_JSON() {
	h := handler.New(handler.Options{Out: io.Discard, Err: io.Discard})
	h.Handle("greet", func(_ context.Context, inv *handler.Invocation) error {
		var person struct{ Name string }
		if err := inv.JSON("person", &person); err != nil {
			return err
		}
		greeting, err := inv.Text("greeting")
		if err != nil {
			return err
		}
		fmt.Println(greeting, person.Name)
		return nil
	})
	send(h, "POST", "/greet", `{"Data":{"person":{"Name":"Ada"},"greeting":"\"Good day,\""}}`)
	// Output:
	// Good day, Ada
	// 200 {}
}

// A whole program. The host sets the port that getenv returns here.
func ExampleHandler_ListenAndServe() {
	ctx, stop := context.WithCancel(context.Background())
	stop() // a program passes a context that lives; this one ends at once

	h := handler.New(handler.Options{Out: io.Discard, Err: io.Discard})
	h.Handle("sweep", func(context.Context, *handler.Invocation) error { return nil })
	err := h.ListenAndServe(ctx, func(string) string { return "0" })
	fmt.Println("exit with a code other than zero:", err != nil)
	// Output: exit with a code other than zero: true
}
