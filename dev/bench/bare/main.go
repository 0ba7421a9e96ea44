// A handler of bare net/http that decodes what the host sends, and does nothing else: what
// a Go program can't be faster than.
package main

import (
	"encoding/base64"
	"encoding/json"
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /notifications", func(w http.ResponseWriter, r *http.Request) {
		var invocation struct {
			Data     map[string]json.RawMessage
			Metadata map[string]json.RawMessage
		}
		var text string
		if err := json.NewDecoder(r.Body).Decode(&invocation); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		err := json.Unmarshal(invocation.Data["message"], &text)
		if err == nil {
			_, err = base64.StdEncoding.DecodeString(text)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte("{}"))
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"), nil))
}
