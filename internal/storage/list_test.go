package storage

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
)

// written is a page with blobs of these names, as Azure writes it.
func written(names []string, next string) []byte {
	var b bytes.Buffer
	b.WriteString("\ufeff" + `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="https://customer.blob.core.windows.net/" ContainerName="models"><Blobs>`)
	for i, name := range names {
		fmt.Fprintf(&b, `<Blob>%s<Properties><Creation-Time>Mon, 30 Nov 2026 20:57:54 GMT</Creation-Time>`+
			`<Last-Modified>Mon, 30 Nov 2026 20:57:54 GMT</Last-Modified><Etag>0x8DCF1A2B3C%05X</Etag><Content-Length>%d</Content-Length>`+
			`<Content-Type>application/octet-stream</Content-Type><Content-Encoding /><Content-Language /><Content-CRC64 />`+
			`<Content-MD5>Q2hlY2sgSW50ZWdyaXR5IQ==</Content-MD5><Cache-Control /><Content-Disposition /><BlobType>BlockBlob</BlobType>`+
			`<AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus>`+
			`<LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted></Properties><OrMetadata /></Blob>`,
			nameElement(name), i, 5_000_000+i)
	}
	b.WriteString(`</Blobs><NextMarker>` + escaped(next) + `</NextMarker></EnumerationResults>`)
	return b.Bytes()
}

func nameElement(name string) string {
	if strings.Contains(escaped(name), "\ufffd") { // what XML can't hold
		return `<Name Encoded="true">` + url.QueryEscape(name) + `</Name>`
	}
	return `<Name>` + escaped(name) + `</Name>`
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// bySDK is a page as the SDK reads it; ok reports whether it can.
func bySDK(doc []byte) (p page, ok bool) {
	var r container.ListBlobsFlatSegmentResponse
	if xml.Unmarshal(doc, &r) != nil {
		return page{}, false
	}
	return *pageOf(r), true
}

func exports(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("11111111-2222-3333-4444-%012x - aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee.ONNX%d", i/10, i%10)
	}
	return names
}

func TestAPageWithNamesOfAnyKindIsReadAsTheSDKReadsIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hostile := rapid.SampledFrom([]string{
			"</Name>", "<Blob>", "&amp;", "&", "]]>", "<![CDATA[", "<!--", "\r\n", "\t", "\x00", "\x01", "\ufffe", "+", "%41", "%", " ", "'", `"`, "\u2028", "Straße", "😀", "\ufeff",
		})
		name := rapid.Custom(func(t *rapid.T) string {
			return "n" + strings.Join(rapid.SliceOfN(rapid.OneOf(hostile, rapid.String()), 0, 4).Draw(t, "parts"), "")
		})
		names, next := rapid.SliceOf(name).Draw(t, "names"), rapid.StringMatching(`[0-9A-Za-z!+/=]*`).Draw(t, "next")
		doc := written(names, next)
		want, ok := bySDK(doc)
		require.True(t, ok)
		got := readPage(doc)
		require.NotNil(t, got)
		assert.Equal(t, want, *got)
		assert.Len(t, got.items, len(names))
		for i, item := range got.items {
			assert.Equal(t, strings.ToValidUTF8(names[i], "\ufffd"), item.Name)
		}
		assert.Equal(t, next, got.next)
	})
}

// twoAPage makes listings have two blobs a page, and keeps the pages.
type twoAPage struct{ kept [][]byte }

func (p *twoAPage) Do(req *policy.Request) (*http.Response, error) {
	if query := req.Raw().URL.Query(); query.Get("comp") == "list" {
		query.Set("maxresults", "2")
		req.Raw().URL.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	}
	resp, err := req.Next()
	if err == nil && req.Raw().Method == http.MethodGet {
		var page []byte
		page, err = io.ReadAll(resp.Body)
		p.kept, resp.Body = append(p.kept, page), io.NopCloser(bytes.NewReader(page))
	}
	return resp, err
}

func TestAListingGoesOverAllPagesOfAContainer(t *testing.T) {
	t.Parallel()
	a, err := ParseConnectionString(azuritetest.Start(t).ConnectionString(azurite.Customer))
	require.NoError(t, err)
	var pages twoAPage
	client, err := a.Blob(&azcore.ClientOptions{PerCallPolicies: []policy.Policy{&pages}})
	require.NoError(t, err)
	c := client.NewContainerClient(azuritetest.Name("list"))
	_, err = c.Create(t.Context(), nil)
	require.NoError(t, err)
	etags := map[string]string{}
	names := []string{"p/1 + 2.ONNX", "p/a.ONNX", "p/b&c.ONNX", "p/d%41.ONNX", "p/é😀.ONNX", "q.ONNX"}
	for i, name := range names {
		resp, err := c.NewBlockBlobClient(name).UploadBuffer(t.Context(), make([]byte, i), nil)
		require.NoError(t, err)
		etags[name] = strings.Trim(string(*resp.ETag), `"`)
	}
	for _, prefix := range []string{"", "p/", "none"} {
		pages.kept = nil
		var want, got []Item
		for i, name := range names {
			if strings.HasPrefix(name, prefix) {
				want = append(want, Item{name, etags[name], int64(i)})
			}
		}
		for item, err := range List(t.Context(), c, prefix) {
			require.NoError(t, err)
			got = append(got, item)
		}
		assert.Equal(t, want, got, "%q", prefix)
		assert.Len(t, pages.kept, max(1, (len(want)+1)/2))
		first := readPage(pages.kept[0])
		require.NotNil(t, first, "%s", pages.kept[0])
		assert.Equal(t, want[:min(2, len(want))], slices.Clip(first.items))
	}
	for _, err := range List(t.Context(), client.NewContainerClient(azuritetest.Name("gone")), "") {
		assert.Equal(t, http.StatusNotFound, Status(err))
	}
}

// byMarker answers List Blobs with pages by their markers.
type byMarker map[string][]byte

func (m byMarker) Do(req *http.Request) (*http.Response, error) {
	doc, ok := m[req.URL.Query().Get("marker")]
	if !ok {
		return nil, errors.New("there is no such page")
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(doc)), Request: req}, nil
}

// TestAListerReadsAPageAgainOnlyWhenItIsAnother tells what was read again by where in memory
// the names are.
func TestAListerReadsAPageAgainOnlyWhenItIsAnother(t *testing.T) {
	t.Parallel()
	account, err := ParseConnectionString("AccountName=shop;AccountKey=aGVsbG8=")
	require.NoError(t, err)
	service := byMarker{}
	client, err := account.Blob(&azcore.ClientOptions{Transport: service})
	require.NoError(t, err)
	var lister Lister
	var before map[string]*byte
	list := func() (names []string, again []string) {
		now := map[string]*byte{}
		for item, err := range lister.List(t.Context(), client.NewContainerClient("models"), "") {
			require.NoError(t, err)
			names = append(names, item.Name)
			now[item.Name] = unsafe.StringData(item.Name)
			if before[item.Name] != now[item.Name] {
				again = append(again, item.Name)
			}
		}
		before = now
		return names, again
	}
	for _, step := range []struct {
		pages        byMarker
		names, again []string
	}{
		{byMarker{"": written([]string{"a.ONNX", "b.ONNX"}, "2"), "2": written([]string{"c.ONNX"}, "")}, []string{"a.ONNX", "b.ONNX", "c.ONNX"}, []string{"a.ONNX", "b.ONNX", "c.ONNX"}},
		{byMarker{}, []string{"a.ONNX", "b.ONNX", "c.ONNX"}, nil},
		{byMarker{"2": written([]string{"c.ONNX", "d.ONNX"}, "")}, []string{"a.ONNX", "b.ONNX", "c.ONNX", "d.ONNX"}, []string{"c.ONNX", "d.ONNX"}},
		{byMarker{"": written([]string{"a.ONNX"}, "3"), "3": written([]string{"d.ONNX"}, "")}, []string{"a.ONNX", "d.ONNX"}, []string{"a.ONNX", "d.ONNX"}},
		{byMarker{"": written([]string{"a.ONNX", "b.ONNX"}, "2")}, []string{"a.ONNX", "b.ONNX", "c.ONNX", "d.ONNX"}, []string{"a.ONNX", "b.ONNX", "c.ONNX", "d.ONNX"}}, // the page at 2 was forgotten
		{byMarker{"": written([]string{"a.ONNX", "b.ONNX"}, ""), "2": nil}, []string{"a.ONNX", "b.ONNX"}, []string{"a.ONNX", "b.ONNX"}},
	} {
		maps.Copy(service, step.pages)
		names, again := list()
		assert.Equal(t, step.names, names)
		assert.Equal(t, step.again, again)
	}
}

func TestAPageThatIsCutOffIsNotRead(t *testing.T) {
	t.Parallel()
	doc := written([]string{"a.ONNX", "b&c.ONNX"}, "")
	require.NotNil(t, readPage(doc))
	for n := range doc {
		require.Nil(t, readPage(doc[:n]), "%s", doc[:n])
	}
}

// always answers every request with one text.
type always struct {
	text  string
	asked int
}

func (a *always) Do(req *http.Request) (*http.Response, error) {
	a.asked++
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.text)), Request: req}, nil
}

// TestAnAnswerThatIsNoListIsNoEmptyListing has what a proxy may answer in place of storage.
// The SDK takes any element for a page, and an empty answer too.
func TestAnAnswerThatIsNoListIsNoEmptyListing(t *testing.T) {
	t.Parallel()
	account, err := ParseConnectionString("AccountName=shop;AccountKey=aGVsbG8=")
	require.NoError(t, err)
	whole := string(written([]string{"a.ONNX", "b&c.ONNX"}, ""))
	for text, names := range map[string]int{
		"": 0, "\ufeff": 0, " \n": 0, "{}": 0, "<html><body>Come back later</body></html>": 0, "<Error><Code>ServerBusy</Code></Error>": 0,
		"<EnumerationResults></EnumerationResults>": 0,
		whole[:len(whole)-1]:                        0, string(written([]string{"a.ONNX"}, "again")): 2,
		string(written(nil, "")): -1, "<!-- --><EnumerationResults><Blobs /></EnumerationResults>": -1, // empty containers
	} {
		service := &always{text: text}
		client, err := account.Blob(&azcore.ClientOptions{Transport: service})
		require.NoError(t, err)
		var failed error
		seen := 0
		for _, err := range List(t.Context(), client.NewContainerClient("models"), "") {
			if failed = err; err == nil {
				seen++
			}
			require.Less(t, seen, 10, "a page that leads to itself isn't read for ever")
		}
		assert.Equal(t, names < 0, failed == nil, "%q: %v", text, failed)
		assert.Equal(t, max(0, names), seen, "%q", text)
		assert.Equal(t, max(1, names), service.asked, "%q", text)

		_, err = client.NewContainerClient("models").NewListBlobsFlatPager(nil).NextPage(t.Context())
		assert.Equal(t, names != 0, err == nil, "%q by the SDK's own pages: %v", text, err)
	}
}

// FuzzReadPage reads what no service writes: what is taken means the same to the SDK.
func FuzzReadPage(f *testing.F) {
	f.Add(written([]string{"a.ONNX", "ü&\x01.ONNX"}, "next"))
	whole := func(inside string) string { return "<EnumerationResults>" + inside + "</EnumerationResults>" }
	for _, inside := range []string{
		"", "<Blobs/><NextMarker/>", "<Blobs><Blob/></Blobs>", "<NextMarker>a&amp;b</NextMarker>", "<NextMarker>a<b/></NextMarker>",
		"<Blobs><Blob><Name>a</Name><Name>b</Name></Blob></Blobs><Blobs><Blob><Name>c</Name></Blob></Blobs>",
		"<Blobs><Blob><Name>a<!-- b --></Name></Blob></Blobs>", "<Blobs><Blob><Name><![CDATA[<a>]]></Name></Blob></Blobs>",
		"<Blobs><Blob><Name>a<b>c</b></Name></Blob></Blobs>", "<Blobs><x:Blob><Name>a</Name></x:Blob></Blobs>",
		`<Blobs a='">"'><Blob b="<Name>c</Name>"><Name>a</Name></Blob></Blobs>`, `<Blobs><Blob><Name Encoded="true">%2B+</Name></Blob></Blobs>`,
		`<Blobs><Blob><Name>a</Name><Properties><Etag>"1"</Etag><Content-Length> 5 </Content-Length></Properties></Blob></Blobs>`,
		"<Blobs><Blob><Name>a</Name><Metadata><Name>b</Name><Etag>c</Etag></Metadata></Blob></Blobs>",
		"<Blobs><Blob><Properties><Name>a</Name></Properties></Blob></Blobs>", "<Blob><Name>a</Name></Blob>", "<Blobs><Blob\n><Name\t>a</Name ></Blob></Blobs>",
	} {
		f.Add([]byte(whole(inside)))
	}
	f.Add([]byte("<Name/>" + whole("<Blobs><Blob><Name>a</Name></Blob></Blobs>")))
	f.Fuzz(func(t *testing.T, doc []byte) {
		want, readable := bySDK(doc)
		if got := readPage(doc); got != nil && readable {
			assert.Equal(t, want, *got)
		}
	})
}

func TestWhatReadingAPageAllocates(t *testing.T) {
	const blobs = 5000
	doc := written(exports(blobs), "next")
	got := testing.AllocsPerRun(5, func() {
		if p := readPage(doc); len(p.items) != blobs {
			t.Error(len(p.items))
		}
	})
	assert.LessOrEqual(t, got, 2.0*blobs+40, "a name and an ETag of each blob")
}

func BenchmarkReadPage(b *testing.B) {
	doc := written(exports(5000), "next")
	perBlob := func(b *testing.B) { b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5000, "ns/blob") }
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			readPage(doc)
		}
		perBlob(b)
	})
	b.Run("SDK", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			bySDK(doc)
		}
		perBlob(b)
	})
}
