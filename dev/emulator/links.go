package emulator

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// blobPrefix is the path below which the emulator serves the service's own blobs
// if it has no storage account for them.
const blobPrefix = "/_blob/"

// containerName and packageName are the service's own names for an export:
// m-<project>/<iteration>.<Platform>[.<Flavor>].zip, with GUIDs without hyphens.
func containerName(p *project) string { return "m-" + compact(p.ID) }

func packageName(i *iteration, e *export) string {
	name := compact(i.ID) + "." + e.Platform
	if e.Flavor != nil {
		name += "." + *e.Flavor
	}
	return name + ".zip"
}

func compact(id string) string { return strings.ReplaceAll(id, "-", "") }

// downloadURI returns the link that GetExports shows for an export.
func (s *Server) downloadURI(p *project, i *iteration, e *export) (string, error) {
	switch {
	case s.answer(DownloadURI) == "relative":
		return "/" + containerName(p) + "/" + packageName(i, e), nil
	case s.answer(DownloadURI) == "container" && p.Container != "":
		return s.backupURL(p, i, e), nil
	}
	return s.ownURI(containerName(p), packageName(i, e))
}

// ownURI returns a temporary link to a blob of the service's own storage.
func (s *Server) ownURI(container, name string) (string, error) {
	life := downloadLife
	if s.faults.take(&s.faults.expiredLinks) {
		life = -time.Minute
	}
	if s.signer != nil {
		return s.signer.ReadURL(s.ctx, container, name, life)
	}
	return s.selfLink(container+"/"+name, life), nil
}

// selfLink returns a link to the emulator itself in the form of a SAS.
func (s *Server) selfLink(path string, life time.Duration) string {
	expiry := s.state.Clock.now().Add(life).Format(time.RFC3339)
	query := url.Values{"sv": {"2017-04-17"}, "sr": {"b"}, "sig": {s.signature(path, expiry)}, "se": {expiry}, "sp": {"r"}}
	return s.base + blobPrefix + path + "?" + query.Encode()
}

func (s *Server) signature(path, expiry string) string {
	mac := hmac.New(sha256.New, s.state.Secret)
	mac.Write([]byte(path + "\n" + expiry))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// serveBlob serves the emulator's own links as Azure Storage does.
func (s *Server) serveBlob(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		blobError(w, http.StatusMethodNotAllowed, "UnsupportedHttpVerb", "The resource doesn't support the specified HTTP verb.")
		return
	}
	path := strings.TrimPrefix(r.URL.Path, blobPrefix)
	expiry := r.URL.Query().Get("se")
	s.mu.Lock()
	until, badTime := time.Parse(time.RFC3339, expiry)
	valid := badTime == nil && s.state.Clock.now().Before(until) &&
		hmac.Equal([]byte(r.URL.Query().Get("sig")), []byte(s.signature(path, expiry)))
	read := noBlob
	if valid {
		read = s.ownBlob(path)
	}
	s.mu.Unlock()
	content, err := read()
	switch {
	case !valid:
		blobError(w, http.StatusForbidden, "AuthenticationFailed", "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.")
	case err != nil:
		blobError(w, http.StatusInternalServerError, "InternalError", "The server encountered an internal error.")
	case content == nil:
		blobError(w, http.StatusNotFound, "BlobNotFound", "The specified blob does not exist.")
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		sum := sha256.Sum256(content)
		w.Header().Set("ETag", fmt.Sprintf(`"0x%X"`, sum[:8]))
		if r.Header.Get("Range") == "" {
			whole := md5.Sum(content)
			w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(whole[:]))
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}

// ownBlob finds a blob of the service's storage by its path. The function that it
// returns reads the blob; its result is nil if there is none. s.mu must be held
// during ownBlob, and is not needed for reading.
func (s *Server) ownBlob(path string) (read func() ([]byte, error)) {
	container, name, _ := strings.Cut(path, "/")
	for _, p := range s.state.Projects {
		switch {
		case path == exportPath(p):
			content, err := s.projectCopy(p)
			return func() ([]byte, error) { return content, err }
		case container == "i-"+compact(p.ID):
			return s.pictureBlob(name, "it", p.trainingPictures())
		case container == predictionFolder && strings.HasPrefix(name, p.ID+"/"):
			return s.pictureBlob(strings.TrimPrefix(name, p.ID+"/"), "ot", p.predictionPictures())
		case container != containerName(p):
			continue
		}
		for _, i := range p.Iterations {
			for _, e := range i.Exports {
				if e.Status == exportDone && packageName(i, e) == name {
					return s.packageSpec(i, e).build
				}
			}
		}
	}
	return noBlob
}

func noBlob() ([]byte, error) { return nil, nil }

// pictureBlob finds a picture by its blob's name: one of the kinds, a hyphen and
// the compact id.
func (s *Server) pictureBlob(name, kinds string, pictures []*picture) func() ([]byte, error) {
	kind, id, _ := strings.Cut(name, "-")
	for _, i := range pictures {
		if compact(i.ID) == id && len(kind) == 1 && strings.Contains(kinds, kind) {
			content, err := s.pictures.get(i.Hash)
			return func() ([]byte, error) { return content, err }
		}
	}
	return noBlob
}

// trainingPictures returns the current pictures and those of iterations.
func (p *project) trainingPictures() []*picture {
	all := slices.Clone(p.Images)
	for _, i := range p.Iterations {
		all = append(all, i.Images...)
	}
	return all
}

// predictionPictures returns the pictures of stored predictions.
func (p *project) predictionPictures() []*picture {
	var all []*picture
	for n := range p.Predictions {
		all = append(all, &p.Predictions[n].Picture)
	}
	return all
}

func blobError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("x-ms-error-code", code)
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}
