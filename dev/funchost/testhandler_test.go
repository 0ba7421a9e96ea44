package funchost

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// seen is one request as the test handler got it.
type seen struct {
	Method, Path, Query string
	Host, Escaped       string
	Header              http.Header
	Chunked             bool
	Length              int64
	Body                string
	Pid                 int
}

// runTestHandler is the custom handler of these tests. TEST_HANDLER says how it
// starts, the function's name how it answers, TEST_SEEN where it notes requests.
func runTestHandler() {
	switch os.Getenv("TEST_HANDLER") {
	case "exit1":
		for i := range 5 {
			fmt.Fprintf(os.Stderr, "complaint %d\n", i)
		}
		os.Exit(1)
	case "exit200 once":
		marker := os.Getenv("TEST_SEEN") + ".restarted"
		if _, err := os.Stat(marker); err != nil {
			os.WriteFile(marker, nil, 0o600)
			os.Exit(200)
		}
	case "deaf":
		time.Sleep(time.Hour) // a select without cases would be found out as a deadlock
	case "print":
		fmt.Println("to stdout")
		fmt.Fprintln(os.Stderr, "a Warning of ours")
		fmt.Fprintln(os.Stderr, "to stderr")
		fmt.Println("LanguageWorkerConsoleLog[x] for the host")
	case "environment":
		for _, pair := range os.Environ() {
			fmt.Println("env " + pair)
		}
		fmt.Printf("args %q\n", os.Args[1:])
		dir, _ := os.Getwd()
		fmt.Println("dir " + dir)
	}
	if text := os.Getenv("TEST_SLOW_START"); text != "" {
		d, _ := time.ParseDuration(text)
		time.Sleep(d)
	}
	handler := &testHandler{release: os.Getenv("TEST_SEEN") + ".release"}
	err := http.ListenAndServe("127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"), handler)
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

type testHandler struct {
	mu      sync.Mutex
	release string // while this file is missing, hold… functions wait
}

func (h *testHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" {
		w.WriteHeader(http.StatusNotFound) // any status is ready
		return
	}
	if strings.HasPrefix(r.URL.Path, "/api/talk") { // answers each line before it reads the next
		http.NewResponseController(w).EnableFullDuplex()
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			fmt.Fprintf(w, "heard %s\n", lines.Text())
			w.(http.Flusher).Flush()
		}
		return
	}
	body, _ := io.ReadAll(r.Body)
	h.note(seen{r.Method, r.URL.Path, r.URL.RawQuery, r.Host, r.URL.EscapedPath(), r.Header, len(r.TransferEncoding) > 0, r.ContentLength, string(body), os.Getpid()})
	w.Header().Set("Content-Type", "application/json")
	switch name := strings.TrimPrefix(r.URL.Path, "/"); {
	case strings.HasPrefix(name, "fail"):
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, `{"Logs":["lost"]}`)
	case strings.HasPrefix(name, "hold"):
		h.wait()
		io.WriteString(w, `{}`)
	case strings.HasPrefix(name, "empty"):
	case strings.HasPrefix(name, "redirect"):
		http.Redirect(w, r, "/ok", http.StatusMovedPermanently)
	case strings.HasPrefix(name, "crash"):
		fmt.Fprintln(os.Stderr, "going down")
		os.Exit(3)
	case strings.HasPrefix(name, "zero"):
		os.Exit(0)
	case strings.HasPrefix(name, "respond"):
		io.WriteString(w, os.Getenv("TEST_RESPONSE"))
	case name == "api/hold":
		h.wait()
	case name == "api/crash":
		os.Exit(3)
	case name == "api/crashonce":
		if _, err := os.Stat(h.release); err != nil {
			os.WriteFile(h.release, nil, 0o600)
			os.Exit(3)
		}
	case name == "api/half":
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case name == "api/redirect":
		http.Redirect(w, r, "/ok", http.StatusMovedPermanently)
	case strings.HasPrefix(name, "api/"):
		w.Header().Set("X-From", "handler")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, `"forwarded"`)
	default:
		io.WriteString(w, `{}`)
	}
}

// wait waits until functions called hold… may answer.
func (h *testHandler) wait() {
	for {
		if _, err := os.Stat(h.release); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (h *testHandler) note(s seen) {
	h.mu.Lock()
	defer h.mu.Unlock()
	file, err := os.OpenFile(os.Getenv("TEST_SEEN"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer file.Close()
	json.NewEncoder(file).Encode(s)
}
