package cli_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
)

// TestIdentity runs sessions without a single key, against an Azurite that
// demands HTTPS and OAuth, under the host names that accounts have in Azure.
func TestIdentity(t *testing.T) {
	t.Parallel()
	server, err := azurite.Start(t.Context(), azurite.Options{
		Args: []string{"--oauth", "basic", "--cert", secure.path("cert.pem"), "--key", secure.path("key.pem")},
		Env:  []string{"NODE_EXTRA_CA_CERTS=" + secure.path("cert.pem"), "NODE_OPTIONS=--require " + secure.path("names.js")},
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	tokens := httptest.NewServer(http.HandlerFunc(managedIdentity))
	t.Cleanup(tokens.Close)

	testscript.Run(t, testscript.Params{
		Dir:         "testdata/identity",
		WorkdirRoot: t.TempDir(),
		Setup: func(env *testscript.Env) error {
			w := newSceneAt(env.T().(testing.TB), func(account string) string { return hostStyle(server.ConnectionString(account)) }, env.WorkDir, env.Setenv)
			env.Values[sceneKey{}] = w
			az(env.T().(testing.TB), env.WorkDir)
			withKey := map[string]string{"CustomVisionStorage": env.Getenv("CustomVisionStorage"), "ArchiveStorage": env.Getenv("ArchiveStorage")}
			for name, value := range map[string]string{
				"SSL_CERT_FILE":                        secure.path("cert.pem"),
				"HTTPS_PROXY":                          secure.url,
				"IDENTITY_ENDPOINT":                    tokens.URL + "/msi/token",
				"IDENTITY_HEADER":                      identityHeader,
				"CUSTOMVISION_KEY":                     "",
				"CustomVisionStorage":                  "",
				"ArchiveStorage":                       "",
				"CustomVisionStorage__blobServiceUri":  hostStyle(server.BlobURL(azurite.Customer)),
				"CustomVisionStorage__queueServiceUri": hostStyle(server.QueueURL(azurite.Customer)),
				"CustomVisionStorage__credential":      "managedidentity",
				"ArchiveStorage__blobServiceUri":       hostStyle(server.BlobURL(azurite.Archive)),
				"ArchiveStorage__credential":           "managedidentity",
				"WITH_KEY":                             withKey["CustomVisionStorage"],
				"ARCHIVE_WITH_KEY":                     withKey["ArchiveStorage"],
				"SERVICE_KEY":                          world.Key,
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: merged(sceneCommands, map[string]func(*testscript.TestScript, bool, []string){
			// copied FIELD…: the storage service was told to copy, and every source was
			// signed with these fields, or with ! without
			"copied": func(ts *testscript.TestScript, _ bool, fields []string) { secure.copied(ts, fields) },
			// refuse QUERY: the service finds that the identity lacks the role
			// deny OPERATION: Custom Vision finds, once, that the identity lacks the role
			"deny": inScene(func(w *scene, args []string) {
				require.NoError(w.t, w.Service.FaultCalls(args[0], 1, emulator.CallFault{Status: http.StatusUnauthorized, Code: "PermissionDenied"}))
			}),
			"refuse": func(_ *testscript.TestScript, _ bool, args []string) { secure.refuse(args[0]) },
		}),
		RequireExplicitExec: true,
	})
}

func merged[V any](maps ...map[string]V) map[string]V {
	all := map[string]V{}
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

// pathStyle is an address as Azurite gives it: https://127.0.0.1:PORT/account.
var pathStyle = regexp.MustCompile(`https://127\.0\.0\.1:(\d+)/(\w+)`)

// hostStyle puts addresses into the form that Azure has, account first. What
// kind of service it is no name tells here: Azurite's ports do.
func hostStyle(s string) string { return pathStyle.ReplaceAllString(s, "https://$2.blob.localhost:$1") }

// identityHeader is the secret that a managed identity's endpoint wants.
const identityHeader = "the-identity-header"

// managedIdentity answers as the endpoint of App Service's managed identities
// does. Azurite checks a token's issuer, audience and times, not its signature.
func managedIdentity(w http.ResponseWriter, r *http.Request) {
	if id := r.URL.Query().Get("client_id"); r.Header.Get("X-IDENTITY-HEADER") != identityHeader || strings.Contains(id, "unknown") {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	token, expiry := unsignedToken(r.URL.Query().Get("resource"))
	json.NewEncoder(w).Encode(map[string]string{
		"access_token": token, "expires_on": fmt.Sprint(expiry.Unix()), "resource": r.URL.Query().Get("resource"), "token_type": "Bearer",
	})
}

// signInHost is where Microsoft Entra ID hands out tokens; here the front does.
const signInHost = "login.microsoftonline.com"

const tenant = "00000000-0000-0000-0000-000000000001"

// signIn answers a workload identity, which proves itself by a token that its
// cluster has written to a file, and an app registration, which has a secret.
func signIn(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	base := "https://" + signInHost + "/" + tenant
	switch {
	case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
		json.NewEncoder(w).Encode(map[string]any{"tenant_discovery_endpoint": base + "/v2.0/.well-known/openid-configuration"})
	case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
		json.NewEncoder(w).Encode(map[string]string{
			"issuer": base + "/v2.0", "authorization_endpoint": base + "/oauth2/v2.0/authorize", "token_endpoint": base + "/oauth2/v2.0/token",
		})
	case strings.TrimSpace(r.FormValue("client_assertion")) == "the-cluster's-token", r.FormValue("client_secret") == "the-secret-of-the-registration":
		token, expiry := unsignedToken(strings.Split(r.FormValue("scope"), "/.default")[0])
		json.NewEncoder(w).Encode(map[string]any{"access_token": token, "expires_in": int(time.Until(expiry).Seconds()), "token_type": "Bearer"})
	default:
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":"invalid_client"}`)
	}
}

// az writes a stand-in for the Azure CLI of somebody who has signed in.
func az(t testing.TB, dir string) {
	script := "#!/bin/sh\ncase \"$*\" in\n"
	for _, audience := range []string{"https://storage.azure.com", "https://cognitiveservices.azure.com"} {
		token, expiry := unsignedToken(audience)
		script += fmt.Sprintf("*%s*) echo '{\"accessToken\": \"%s\", \"expires_on\": %d, \"tokenType\": \"Bearer\"}';;\n", audience, token, expiry.Unix())
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "azure-cli"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "azure-cli", "az"), []byte(script+"*) echo 'Please run az login' >&2; exit 1;;\nesac\n"), 0o755))
}

func unsignedToken(audience string) (string, time.Time) {
	expiry := time.Now().Add(time.Hour)
	encode := func(v any) string {
		text, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return encode(map[string]string{"alg": "none", "typ": "JWT"}) + "." + encode(map[string]any{
		"aud": audience, "iss": "https://sts.windows.net/" + tenant + "/",
		"iat": time.Now().Unix(), "nbf": time.Now().Add(-time.Minute).Unix(), "exp": expiry.Unix(), "oid": "00000000-0000-0000-0000-000000000002", "tid": tenant,
	}) + ".", expiry
}

// secure is what tests over HTTPS share: a certificate, and a proxy that opens
// the connections to Azurite, finds the names below localhost, sees what is to be
// copied, and can refuse.
var secure *tlsFront

type tlsFront struct {
	url, dir    string
	certificate tls.Certificate
	behind      *http.Transport

	mu      sync.Mutex
	sources []string // x-ms-copy-source
	refused string   // part of a query
	tunnels []net.Conn
}

// startSecure must come before the first request of the process: Go reads the
// proxy and the roots only once.
func startSecure(dir string) (*httptest.Server, error) {
	f := &tlsFront{dir: dir}
	if err := f.makeCertificate(); err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(f.certificate.Leaf)
	f.behind = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, DisableCompression: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}
	server := httptest.NewServer(f)
	f.url, secure = server.URL, f
	// Azurite reads copy sources by their names too.
	return server, errors.Join(os.Setenv("SSL_CERT_FILE", f.path("cert.pem")), os.Setenv("HTTPS_PROXY", f.url), os.WriteFile(f.path("names.js"), []byte(`
const dns = require("dns");
const lookup = dns.lookup;
dns.lookup = (name, ...rest) => lookup(name.endsWith(".localhost") ? "127.0.0.1" : name, ...rest);
`), 0o600))
}

func (f *tlsFront) path(name string) string { return filepath.Join(f.dir, name) }

// makeCertificate signs one for itself, for the names that are used here.
func (f *tlsFront) makeCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "*.blob.localhost", signInHost}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	certPEM, keyPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if f.certificate, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(f.path("cert.pem"), certPEM, 0o600), os.WriteFile(f.path("key.pem"), keyPEM, 0o600))
}

// ServeHTTP answers CONNECT and then stands in the server's place.
func (f *tlsFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
		return
	}
	raw, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer raw.Close()
	f.mu.Lock()
	f.tunnels = append(f.tunnels, raw)
	f.mu.Unlock()
	io.WriteString(raw, "HTTP/1.1 200 OK\r\n\r\n")
	conn := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{f.certificate}})
	for reader := bufio.NewReader(conn); ; {
		req, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		if !f.forward(conn, req, r.Host) {
			return
		}
	}
}

func (f *tlsFront) forward(w io.Writer, req *http.Request, host string) bool {
	f.mu.Lock()
	if source := req.Header.Get("X-Ms-Copy-Source"); source != "" {
		f.sources = append(f.sources, source)
	}
	refuse := f.refused != "" && strings.Contains(req.URL.RawQuery, f.refused)
	f.mu.Unlock()
	if refuse {
		io.Copy(io.Discard, req.Body)
		answer := &http.Response{StatusCode: http.StatusForbidden, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
			"X-Ms-Error-Code": {"AuthorizationPermissionMismatch"}, "X-Ms-Request-Id": {"11111111-2222-3333-4444-555555555555"},
		}, Body: http.NoBody}
		return answer.Write(w) == nil
	}
	if strings.HasPrefix(host, signInHost) {
		answer := httptest.NewRecorder()
		signIn(answer, req)
		result := answer.Result()
		result.ContentLength = int64(answer.Body.Len())
		return result.Write(w) == nil
	}
	req.URL.Scheme, req.URL.Host, req.RequestURI = "https", host, ""
	resp, err := f.behind.RoundTrip(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.Write(w) == nil
}

// hangUp ends the connections that clients keep open for their next request.
func (f *tlsFront) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, tunnel := range f.tunnels {
		tunnel.Close()
	}
}

func (f *tlsFront) refuse(query string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = query
}

func (f *tlsFront) copied(ts *testscript.TestScript, fields []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sources) == 0 {
		ts.Fatalf("nothing was copied")
	}
	for _, source := range f.sources {
		u, err := url.Parse(source)
		ts.Check(err)
		for _, field := range fields {
			if name, absent := strings.CutPrefix(field, "!"); u.Query().Has(name) == absent {
				ts.Fatalf("a copy's source is not signed so: %s", field)
			}
		}
		expiry, err := time.Parse(time.RFC3339, u.Query().Get("se"))
		ts.Check(err)
		if time.Until(expiry) > 2*time.Hour {
			ts.Fatalf("a copy's source is signed until %s", expiry)
		}
	}
	f.sources = nil
}
