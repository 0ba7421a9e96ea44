package world

import "net/http"

// Timed sends a request and dates the answer by the emulated service's clock: the
// storage service's clock is simulated with it.
func (w *World) Timed(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		resp.Header.Set("Date", w.Service.Now().UTC().Format(http.TimeFormat))
	}
	return resp, err
}
