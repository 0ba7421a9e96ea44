package funchost

import "net/http"

func (h *Host) serveFunction(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
