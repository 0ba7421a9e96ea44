package functions_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/figures"
	"visionkeeper/dev/world"
	"visionkeeper/dev/zips"
	"visionkeeper/handler"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/messages"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// hostileAddresses are what an intruder would like the app to ask.
var hostileAddresses = map[string]string{
	"another host":               "http://evil.example/models/x.ONNX",
	"another account":            "https://evil.blob.core.windows.net.evil.example/x.ONNX",
	"metadata service":           "http://169.254.169.254/metadata/identity/oauth2/token?resource=https://storage.azure.com/",
	"private range 10":           "https://10.0.0.1/x.ONNX",
	"private range 172":          "https://172.16.0.1:443/x.ONNX",
	"private range 192":          "http://192.168.1.1/x.ONNX",
	"loopback, another port":     "http://" + outside.v4 + "/x.ONNX",
	"loopback as a number":       "http://2130706433/x.ONNX",
	"loopback in short":          "http://127.1/x.ONNX",
	"unspecified":                "http://0.0.0.0/x.ONNX",
	"file":                       "file:///etc/passwd",
	"ftp":                        "ftp://evil.example/x.ONNX",
	"gopher":                     "gopher://evil.example/x",
	"data":                       "data:application/zip;base64,UEsDBA==",
	"javascript":                 "javascript:alert(1)",
	"userinfo":                   "https://account.blob.core.windows.net@evil.example/x.ONNX",
	"user and password":          "https://user:password@account.blob.core.windows.net/x.ONNX",
	"port":                       "https://account.blob.core.windows.net:8443/x.ONNX",
	"letter case":                "HTTPS://EVIL.EXAMPLE/X.ONNX",
	"IPv6":                       "http://" + outside.v6 + "/x.ONNX",
	"IPv6 of IPv4":               "http://[::ffff:169.254.169.254]/x.ONNX",
	"IPv6 with a zone":           "http://[fe80::1%25eth0]/x.ONNX",
	"IDN":                        "https://аccount.blob.core.windows.net/x.ONNX",
	"punycode":                   "https://xn--ccount-4nf.blob.core.windows.net/x.ONNX",
	"wide dot":                   "https://account.blob.core.windows.net。evil.example/x.ONNX",
	"backslash":                  `https://evil.example\.blob.core.windows.net/x.ONNX`,
	"fragment":                   "https://evil.example#.blob.core.windows.net/x.ONNX",
	"encoded slash in the host":  "https://evil.example%2f.blob.core.windows.net/x.ONNX",
	"trailing dot":               "https://account.blob.core.windows.net./x.ONNX",
	"a host alone":               "//evil.example/x.ONNX",
	"line break":                 "https://account.blob.core.windows.net/\r\nHost: evil.example",
	"NUL":                        "https://account.blob.core.windows.net/\x00.evil.example",
	"very long":                  "https://" + strings.Repeat("a.", 20_000) + "evil.example/x.ONNX",
	"plain http of a blob host":  "http://account.blob.core.windows.net/x.ONNX",
	"link of another scheme":     "wasb://models@account.blob.core.windows.net/x.ONNX",
	"nested in a query":          "https://evil.example/?u=https://account.blob.core.windows.net/x.ONNX",
	"a path that leaves the URL": "https://evil.example/../../account.blob.core.windows.net/x.ONNX",
}

// ending is what a message comes to.
type ending string

const (
	// done: it is answered as a success, and there is nothing to keep.
	done ending = "done"
	// swept: it is refused and comes again, and the last time it is left to the
	// sweep; why is logged, and no more is kept, since the sweep asks the service.
	swept ending = "left to the sweep"
	// buried: it is kept byte for byte as a dead letter, with the reason.
	buried ending = "dead letter"
)

// endAs delivers each message twice, the second time for the last time, and
// checks what it comes to.
func (w *app) endAs(end ending, texts map[string][]byte) {
	w.t.Helper()
	for name, text := range texts {
		var printed bytes.Buffer
		log := handler.NewLog(&printed, &printed)
		ctx := log.WithContext(w.t.Context())
		first := w.messages.Deal(ctx, messages.Message{Raw: text})
		assert.NoError(w.t, w.messages.Deal(ctx, messages.Message{Raw: text, Last: true}), name)
		if end == swept {
			assert.ErrorContains(w.t, first, "the service does not show yet what the message claims", name)
			assert.Regexp(w.t, `"level":"info",[^\n]*"error":"the service does not show yet what the message claims: .*"message":"message left to the sweep"`, printed.String(), name)
		} else {
			assert.NoError(w.t, first, name)
			assert.NotContains(w.t, printed.String(), "left to the sweep", name)
		}
	}
	letters := map[string]state.DeadLetter{}
	for _, l := range w.Letters() {
		letters[string(l.Raw)] = l
	}
	if end != buried {
		assert.Empty(w.t, letters)
		return
	}
	assert.Len(w.t, letters, len(texts))
	for name, text := range texts {
		l, ok := letters[string(text)]
		assert.True(w.t, ok, "%s is kept byte for byte", name)
		assert.Equal(w.t, 2, l.Count, name)
		assert.NotEmpty(w.t, l.Reason, name)
		assert.Less(w.t, len(l.Reason), 400, name)
	}
}

const nobody = "11111111-2222-3333-4444-555555555555"

func TestForgedNotificationsLeadNowhere(t *testing.T) {
	t.Parallel()
	claims := map[string]struct {
		forge func(*customvision.Notification)
		end   ending
	}{
		"an export that isn't there":    {func(*customvision.Notification) {}, swept},
		"an iteration that isn't there": {func(n *customvision.Notification) { n.IterationID = nobody }, swept},
		"a failed export, to keep none": {func(n *customvision.Notification) { n.ExportStatus = customvision.NotifiedExportFailed }, done},
		"a project that isn't there":    {func(n *customvision.Notification) { n.ProjectID = nobody }, buried},
	}
	for claim, row := range claims {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setting{policy: `{"projects":[{"project":"*"}]}`, container: true})
			it := w.train()
			w.watched()
			texts := map[string][]byte{}
			for name, address := range hostileAddresses {
				n := customvision.Notification{Kind: customvision.KindExport, ProjectID: w.project, IterationID: it,
					ExportStatus: customvision.NotifiedExportCompleted, ModelURI: address}
				row.forge(&n)
				var err error
				texts[name], err = json.Marshal(n)
				require.NoError(t, err)
			}
			w.endAs(row.end, texts)
			require.NoError(t, w.sweep(t.Context()))
			assert.Empty(t, w.kept(), "there is nothing to archive")
			assert.Equal(t, 1, w.Service.Counts()["TrainProject"], "the test's own")
			assert.Zero(t, w.Service.Counts()["ExportIteration"])
		})
	}
	figures.Print(t, "%d rows", len(claims)*len(hostileAddresses))
}

// TestATrueExportComesFromTheContainerAlone has the service and the model
// container confirm what a message says, but for where it says the model is.
func TestATrueExportComesFromTheContainerAlone(t *testing.T) {
	t.Parallel()
	type row struct {
		address string // with words for what differs from run to run
		end     ending
	}
	rows := map[string]row{
		"the true address":         {"MODELS/PROJECT - ITERATION.ONNX", done},
		"a signature":              {"MODELS/PROJECT - ITERATION.ONNX?sv=1&sig=forged", done},
		"the service's own link":   {"LINK", done},
		"another platform's blob":  {"MODELS/PROJECT - ITERATION.CoreML", swept},
		"another iteration's blob": {"MODELS/PROJECT - " + nobody + ".ONNX", done},
		"another project's blob":   {"MODELS/" + nobody + " - ITERATION.ONNX", done},
		"another container's blob": {"MODELS-2/PROJECT - ITERATION.ONNX", done},
		"out of the container":     {"MODELS/../PROJECT - ITERATION.ONNX", done},
	}
	for name, address := range hostileAddresses {
		rows[name] = row{address, done}
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setting{policy: onnx, container: true})
			n := exported(w)
			exports, err := w.Client.Exports(t.Context(), n.ProjectID, n.IterationID)
			require.NoError(t, err)
			n.ModelURI = strings.NewReplacer("MODELS", w.Containers.Models.URL(), "PROJECT", n.ProjectID, "ITERATION", n.IterationID, "LINK", exports[0].DownloadURI).Replace(row.address)
			w.watched()
			text, err := json.Marshal(n)
			require.NoError(t, err)
			w.endAs(row.end, map[string][]byte{name: text})

			list := w.kept()
			require.Len(t, list, 1)
			assert.Equal(t, archive.Proven, list[0].Verdict)
			blob := customvision.BlobName(n.ProjectID, n.IterationID, "ONNX")
			assert.Equal(t, archive.FromContainer, list[0].Origin.Kind)
			assert.Equal(t, blob, list[0].Origin.Name)
			inContainer, err := w.Containers.Models.NewBlobClient(blob).DownloadStream(t.Context(), nil)
			require.NoError(t, err)
			defer inContainer.Body.Close()
			data, err := io.ReadAll(inContainer.Body)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(data, w.restored(list[0])), "byte for byte")
		})
	}
	figures.Print(t, "%d rows", len(rows))
}

func TestHostileMessagesBecomeDeadLetters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx})
	it := w.train()
	w.watched()
	message := func(version, kind, content string) string {
		return `{"version":` + version + `,"type":` + kind + `,"Content":` + content + `}`
	}
	export := func(project, iteration string) string {
		return message(`"1.0"`, `"Export"`, fmt.Sprintf(`{"projectId":%q,"iterationId":%q,"exportStatus":"ExportCompleted","modelUri":"http://evil.example"}`, project, iteration))
	}
	here := filepath.Join(t.TempDir(), "here")
	rows := map[string]string{
		"nothing":                     "",
		"64 KiB of one letter":        strings.Repeat("A", 64<<10),
		"64 KiB of braces":            strings.Repeat("{", 64<<10),
		"64 KiB of zeros":             strings.Repeat("\x00", 64<<10),
		"64 KiB of JSON":              message(`"1.0"`, `"Deleted"`, `"`+strings.Repeat("x", 60<<10)+`"`),
		"deep JSON":                   message(`"1.0"`, `"Export"`, strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)),
		"deep JSON in a field":        message(`"1.0"`, `"Export"`, `{"x":`+strings.Repeat(`{"x":`, 9_000)+"1"+strings.Repeat("}", 9_001)),
		"a huge number for a version": message("1e999", `"Export"`, "{}"),
		"a huge number for an id":     message(`"1.0"`, `"Export"`, `{"projectId":1e99999}`),
		"many digits for an id":       message(`"1.0"`, `"Export"`, `{"projectId":`+strings.Repeat("9", 5000)+`}`),
		"another version":             message(`"2.0"`, `"Export"`, `{"url":"http://evil.example"}`),
		"a version with a line break": message(`"1.0\nerror"`, `"Export"`, "{}"),
		"HTML for a type":             message(`"1.0"`, `"<script>alert(1)</script>"`, "{}"),
		"escapes for a type":          message(`"1.0"`, `"\u001b[31m\u0000\u202e"`, "{}"),
		"an array":                    "[1,2,3]",
		"a number":                    "1",
		"null":                        "null",
		"null content":                message(`"1.0"`, `"Export"`, "null"),
		"a path for a project":        export("../../state", it),
		"a path for an iteration":     export(w.project, "../"+it),
		"an encoded path":             export(w.project, "..%2f..%2fhealth"),
		"NUL in an id":                export(w.project+"\x00", it),
		"an id with a line break":     export(w.project, it+"\n"+nobody),
		"an id in wide digits":        export("１１１１１１１１-2222-3333-4444-555555555555", it),
		"a URL for a project":         export("http://evil.example", it),
		"a project that isn't":        export(nobody, nobody),
		"Base64 of Base64":            base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(export(w.project, it))))),
		"UTF-16":                      "{\x00\"\x00v\x00",
		"not UTF-8":                   "\xff\xfe\xfd",
		"a zip":                       "PK\x03\x04 and so on",
		"a program":                   "#!/bin/sh\ntouch " + here + "\n",
		"a command for an id":         export("$(touch "+here+")", it),
		"format verbs":                "%s%d%n%x{}",
	}
	texts := map[string][]byte{}
	for name, text := range rows {
		texts[name] = []byte(text)
	}
	w.endAs(buried, texts)
	assert.NoFileExists(t, here, "nothing is run")
	assert.Empty(t, w.kept())
	figures.Print(t, "%d rows", len(rows))
}

func TestHostileDownloadAddressesAreNotFollowed(t *testing.T) {
	t.Parallel()
	for name, address := range hostileAddresses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setting{policy: onnx})
			n := exported(w)
			w.watched()
			w.spoil("GetExports", rewritten(func(e map[string]any) { e["downloadUri"] = address }))
			require.NoError(t, w.tell(t.Context(), n))
			assert.Contains(t, w.reasons(), "download link", "the reason is kept")
			assert.Empty(t, w.kept())
		})
	}
	figures.Print(t, "%d rows", len(hostileAddresses))
}

func TestHostileExportNamesAreNeverWritten(t *testing.T) {
	t.Parallel()
	rows := map[string]string{
		"up": "../../x", "inside": "ONNX/../../x", "encoded": "..%2fx", "backslash": `..\x`, "NUL": "ONNX\x00", "absolute": "/etc/passwd",
		"empty": "", "very long": strings.Repeat("x", 5000), "a dot": ".", "HTML": "<script>", "line break": "ONNX\nerror", "wide": "ＯＮＮＸ",
	}
	for name, platform := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, field := range []string{"platform", "flavor"} {
				if platform == "" && field == "flavor" {
					continue // the default
				}
				w := newWorld(t, setting{policy: `{"projects":[{"project":"*"}]}`, container: true})
				n := exported(w)
				w.watched()
				w.spoil("GetExports", rewritten(func(e map[string]any) { e[field] = platform }))
				_ = w.tell(t.Context(), n) // unconfirmed, where the platform is another
				assert.Contains(t, w.reasons(), "nothing can be stored under", "the reason is kept: %s", field)
				for _, b := range w.kept() {
					assert.Regexp(t, `^[0-9a-f-]{36}/[0-9a-f-]{36}/ONNX/[0-9a-f]{32}(-\d)?\.zip$`, b.Blob)
				}
			}
		})
	}
	figures.Print(t, "%d rows", len(rows))
}

func TestHostilePackagesAreKeptAndDoNotCount(t *testing.T) {
	t.Parallel()
	manifest := func(iteration string) string {
		return `{"IterationId":"` + iteration + `","Platform":"ONNX","Flavor":null,"ModelFileName":"model.onnx","ModelFileSHA1":"` + sha1Hex("model") + `"}`
	}
	const own = "OWN"
	elsewhere, mark := t.TempDir(), azuritetest.Name("was-here")
	here := filepath.Join(elsewhere, mark)
	rows := map[string]struct {
		data    func(iteration string) []byte
		verdict archive.Verdict
	}{
		"a bomb":                        {zipped("cvexport.manifest", manifest(own), "model.onnx", "model", "bomb", strings.Repeat("\x00", 20<<20)), archive.Damaged},
		"a bomb that lies of its size":  {lying("cvexport.manifest", manifest(own), "model.onnx", "model"), archive.Damaged},
		"entries that overlap":          {made(zips.Part{Name: "model.onnx", Data: "model"}, zips.Part{Name: "model.onnx", Data: "model", Shared: true}), archive.Damaged},
		"another name beside the bytes": {made(zips.Part{Name: "model.onnx", Data: "model", Local: func(h []byte) { h[zips.Local]++ }}), archive.Damaged},
		"an encrypted entry":            {made(zips.Part{Name: "model.onnx", Data: "model", Local: func(h []byte) { h[6] = 1 }, Entry: func(h []byte) { h[8] = 1 }}), archive.Damaged},
		"a manifest of empty blocks":    {made(zips.Part{Name: "cvexport.manifest", Deflate: true, Packed: zips.Empty(150_000)}, zips.Part{Name: "model.onnx", Data: "model"}), archive.Unidentified},
		"a bomb in the manifest":        {zipped("cvexport.manifest", strings.Repeat(" ", 3<<20), "model.onnx", "model"), archive.Unidentified},
		"a name that leads up":          {zipped("cvexport.manifest", manifest(own), "model.onnx", "model", "../"+mark, "x", "../../"+mark, "x"), archive.Unidentified},
		"an absolute name":              {zipped("cvexport.manifest", manifest(own), "model.onnx", "model", here, "x"), archive.Unidentified},
		"a name with a drive":           {zipped("cvexport.manifest", manifest(own), "model.onnx", "model", `C:\x`, "x"), archive.Unidentified},
		"a name that leads up, DOS":     {zipped("cvexport.manifest", manifest(own), "model.onnx", "model", `..\`+mark, "x"), archive.Unidentified},
		"the same name twice":           {zipped("cvexport.manifest", manifest(own), "model.onnx", "model", "model.onnx", "another"), archive.Unidentified},
		"a symbolic link":               {zipped("cvexport.manifest", manifest(own), "model.onnx", "model", "link>", "/etc/passwd"), archive.Unidentified},
		"a way through a link":          {zipped("cvexport.manifest", manifest(own), "model.onnx", "model", "link>", elsewhere, "link/"+mark, "x"), archive.Unidentified},
		"of another iteration":          {zipped("cvexport.manifest", manifest("11111111-2222-3333-4444-555555555555"), "model.onnx", "model"), archive.Unidentified},
		"of another platform":           {zipped("cvexport.manifest", strings.Replace(manifest(own), "ONNX", "CoreML", 1), "model.onnx", "model"), archive.Unidentified},
		"a model with another hash":     {zipped("cvexport.manifest", manifest(own), "model.onnx", "other"), archive.Damaged},
		"a model outside of the folder": {zipped("cvexport.manifest", strings.Replace(manifest(own), "model.onnx", "../model.onnx", 1), "model.onnx", "model"), archive.Damaged},
		"a manifest of huge numbers":    {zipped("cvexport.manifest", `{"IterationId":1e999999}`, "model.onnx", "model"), archive.Unidentified},
		"a manifest of deep JSON":       {zipped("cvexport.manifest", strings.Repeat(`{"x":`, 10_000), "model.onnx", "model"), archive.Unidentified},
		"no manifest":                   {zipped("model.onnx", "model"), archive.Unidentified},
		"a page in HTML":                {plain("<html><script>alert(1)</script></html>"), archive.Damaged},
		"a program":                     {plain("#!/bin/sh\ntouch " + here + "\n"), archive.Damaged},
		"nothing":                       {plain(""), archive.Damaged},
		"half a zip":                    {plain("PK\x03\x04 and no more"), archive.Damaged},
		"an end record alone":           {plain("PK\x05\x06" + strings.Repeat("\xff", 18)), archive.Damaged},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			temp := t.TempDir()
			w := newWorld(t, setting{policy: onnx, container: true, archive: archive.Options{MaxSize: 1 << 20, TempDir: temp}})
			w.options.Policy = policy.Policy{Mode: policy.Act, Projects: []policy.Rule{{Project: "*", Iterations: []string{policy.Newest, policy.Published}}}}
			w.restart()
			it := w.train()
			w.watched()
			data := row.data(it)
			_, err := w.Containers.Models.NewBlockBlobClient(customvision.BlobName(w.project, it, "ONNX")).UploadBuffer(t.Context(), data, nil)
			require.NoError(t, err)
			require.NoError(t, w.sweep(t.Context()))
			list := w.kept()
			require.NotEmpty(t, list, "it is kept")
			assert.Equal(t, row.verdict, list[0].Verdict)
			proof, err := w.Archive.Proof(t.Context(), list[0])
			require.NoError(t, err)
			assert.NotEmpty(t, proof.Note, "the reason is kept")
			assert.True(t, bytes.Equal(data, w.restored(list[0])), "byte for byte")
			require.NoError(t, w.sweep(t.Context()))
			assert.Len(t, w.kept(), len(list), "and not again and again")

			left, err := os.ReadDir(temp)
			require.NoError(t, err)
			assert.Empty(t, left, "no temporary file stays")
			for _, dir := range []string{elsewhere, ".", "..", "../..", filepath.Join(temp, ".."), filepath.Join(temp, "../..")} {
				written, err := filepath.Glob(filepath.Join(dir, "*"+mark+"*"))
				require.NoError(t, err)
				assert.Empty(t, written, "nothing is unpacked or run")
			}
		})
	}
	figures.Print(t, "%d rows", len(rows))
}

func TestHostileProjectNamesStayInTheirLine(t *testing.T) {
	t.Parallel()
	rows := map[string]string{
		"HTML": "<script>alert(1)</script>", "line breaks": "Kitchen\r\n{\"level\":\"error\"}", "escapes": "\x1b[2J\x1b[31mred", "NUL": "a\x00b",
		"right to left": "\u202egnp.exe", "separators": "a\u2028b\u2029c", "quotes": `"},{"x":"`, "format verbs": "%s%n%d{}", "very long": strings.Repeat("Ä", 20_000),
		"a path": "../../archive", "a wildcard": "*",
	}
	for name, text := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setting{policy: onnx, container: true})
			n := exported(w)
			w.watched()
			w.spoil("GetProject", rewritten(func(p map[string]any) { p["name"] = text }))
			var printed bytes.Buffer
			log := handler.NewLog(&printed, &printed)
			ctx := log.WithContext(t.Context())
			require.NoError(t, w.messages.Reconciler.ConnectionTested(ctx, w.project))
			require.NoError(t, w.tell(ctx, n))
			for line := range bytes.Lines(printed.Bytes()) {
				assert.True(t, json.Valid(line), "one JSON object a line: %q", line)
				assert.NotContains(t, string(line), "\x1b")
			}
			list := w.kept()
			require.Len(t, list, 1)
			proof, err := w.Archive.Proof(t.Context(), list[0])
			require.NoError(t, err)
			assert.Equal(t, text, proof.ProjectName)
			assert.Equal(t, archive.Proven, proof.Verdict)
		})
	}
	figures.Print(t, "%d rows", len(rows))
}

// rewritten changes the one object of an answer, or each of a list.
func rewritten(change func(map[string]any)) world.Fault {
	return world.Spoil(func(body []byte) []byte {
		var list []map[string]any
		single := json.Unmarshal(body, &list) != nil
		if single {
			list = []map[string]any{{}}
			_ = json.Unmarshal(body, &list[0])
		}
		for _, o := range list {
			change(o)
		}
		body, _ = json.Marshal(list)
		if single {
			body, _ = json.Marshal(list[0])
		}
		return body
	})
}

// lying is a zip whose directory says that its last entry is 100 GB long.
func lying(names ...string) func(string) []byte {
	return func(iteration string) []byte {
		data := zipped(names...)(iteration)
		at := bytes.LastIndex(data, []byte("PK\x01\x02"))
		binary.LittleEndian.PutUint32(data[at+24:], 0xfffffff0)
		return data
	}
}
