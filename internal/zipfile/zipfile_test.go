package zipfile

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/figures"
	"visionkeeper/dev/zips"
)

// read reads all entries of a zip.
func read(data []byte) (map[string]string, error) {
	r := bytes.NewReader(data)
	d, err := Find(r, int64(len(data)))
	if err != nil {
		return nil, err
	}
	list, err := d.Entries()
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, e := range list {
		body, err := e.Open(r)
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		found[e.Name] = string(content)
	}
	return found, nil
}

// unzip asks the common unzip for what is read here. Where something is missing behind an
// entry, it may see an overlap.
func unzip(t testing.TB, data []byte) error {
	r := bytes.NewReader(data)
	d, err := Find(r, int64(len(data)))
	require.NoError(t, err)
	list, err := d.Entries()
	require.NoError(t, err)
	err = zips.Unzip(t.Context(), data)
	for _, e := range list {
		followed, missing := e.Followed(r)
		require.NoError(t, missing)
		if !followed && zips.Overlaps(err) {
			return nil
		}
	}
	return err
}

func TestWhatIsMissingBehindAStreamedEntryIsNoticed(t *testing.T) {
	t.Parallel()
	flags := func(at int) func([]byte) { return func(h []byte) { h[at] |= streamed } }
	bare := zips.Part{Name: "file", Data: "text", Local: flags(6), Entry: flags(8)}
	other := zips.Part{Name: "other", Data: "other"}
	long := zips.Part{Name: "file", Data: "text", Streamed: true, Extra: append([]byte{1, 0, 16, 0}, make([]byte, 16)...)}
	for name, c := range map[string]struct {
		parts    []zips.Part
		followed bool
	}{
		"there":                     {[]zips.Part{{Name: "file", Data: "text", Streamed: true}, other}, true},
		"not streamed":              {[]zips.Part{other, other}, true},
		"another entry behind it":   {[]zips.Part{bare, other}, false},
		"the directory behind it":   {[]zips.Part{bare}, false},
		"large, and behind it none": {[]zips.Part{long, other}, false},
	} {
		data := zips.Made(c.parts, nil)
		r := bytes.NewReader(data)
		d, err := Find(r, int64(len(data)))
		require.NoError(t, err, name)
		list, err := d.Entries()
		require.NoError(t, err, name)
		followed, err := list[0].Followed(r)
		require.NoError(t, err, name)
		assert.Equal(t, c.followed, followed, name)
		assert.NoError(t, unzip(t, data), name)
	}
}

// sound is a zip with one entry of each form.
func sound() []zips.Part {
	return []zips.Part{
		{Name: "stored", Data: zips.Noise(60, 1)}, {Name: "deflated", Data: strings.Repeat("model ", 40), Deflate: true},
		{Name: "streamed", Data: strings.Repeat("label ", 40), Deflate: true, Streamed: true}, {Name: "folder/"},
	}
}

func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"as it is":                zips.Made(sound(), nil),
		"of the large format":     zips.Large(zips.Made(sound(), nil), nil),
		"with a comment":          zips.Commented(zips.Made(sound(), nil), zips.Noise(0xffff, 3)),
		"large, with a comment":   zips.Commented(zips.Large(zips.Made(sound(), nil), nil), zips.Noise(0xffff, 3)),
		"larger than a page":      zips.Made(append(sound(), zips.Part{Name: "more", Data: zips.Noise(200_000, 2)}), nil),
		"a directory of 200 KiB":  zips.Made(append(sound(), many(3000)...), nil),
		"as many as there may be": zips.Made(append(sound(), many(MaxEntries-4)...), nil),
	} {
		found, err := read(data)
		require.NoError(t, err, name)
		for _, p := range sound() {
			assert.Equal(t, p.Data, found[p.Name], name)
		}
		assert.NoError(t, zips.Unzip(t.Context(), data), name)
	}
}

func many(n int) []zips.Part {
	list := make([]zips.Part, n)
	for i := range list {
		list[i].Name = "a file with a name that is not short " + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
	}
	return list
}

func TestWhatHasNoMeaningOrSeveralIsRefused(t *testing.T) {
	t.Parallel()
	one := func(p zips.Part) []byte { return zips.Made([]zips.Part{p, {Name: "other", Data: "other"}}, nil) }
	text := zips.Part{Name: "file", Data: strings.Repeat("text ", 30), Deflate: true}
	with := func(change func(p *zips.Part)) []byte { p := text; change(&p); return one(p) }
	local := func(change func(h []byte)) []byte { return with(func(p *zips.Part) { p.Local = change }) }
	entry := func(change func(h []byte)) []byte { return with(func(p *zips.Part) { p.Entry = change }) }
	both := func(l, e int, v byte) []byte {
		return with(func(p *zips.Part) {
			p.Local, p.Entry = func(h []byte) { h[l] = v }, func(h []byte) { h[e] = v }
		})
	}
	whole := zips.Made(sound(), nil)
	end := func(change func(r []byte)) []byte { return zips.Made(sound(), change) }
	for name, c := range map[string]struct {
		data []byte
		why  string
	}{
		"nothing":                         {nil, "no zip directory"},
		"cut":                             {whole[:len(whole)-1], "no zip directory"},
		"a directory that isn't there":    {end(func(r []byte) { le.PutUint32(r[16:], le.Uint32(r[16:])+1) }), "no zip directory"},
		"another disk":                    {end(func(r []byte) { r[4] = 1 }), "no zip directory"},
		"two counts":                      {end(func(r []byte) { r[8]++ }), "no zip directory"},
		"markers without a large record":  {end(func(r []byte) { copy(r[8:20], bytes.Repeat([]byte{0xff}, 12)) }), "no zip directory"},
		"too few named":                   {end(func(r []byte) { r[8]--; r[10]-- }), "more than the 3 entries"},
		"too many named":                  {end(func(r []byte) { r[8]++; r[10]++ }), "has 4 entries, and names 5"},
		"bytes between":                   {append(bytes.Clone(whole[:len(whole)-endSize]), append([]byte{0}, whole[len(whole)-endSize:]...)...), "no zip directory"},
		"a large directory":               {zips.Made([]zips.Part{{Name: "a", Extra: nil}}, func(r []byte) { le.PutUint32(r[12:], MaxDirectory+1) }), "no zip directory"},
		"too many entries":                {zips.Made(many(MaxEntries+1), nil), "more than 10000 entries"},
		"a large record elsewhere":        {zips.Large(whole, func(_, l []byte) { l[8]-- }), "no zip directory"},
		"a large record of another size":  {zips.Large(whole, func(r, _ []byte) { r[4]++ }), "no zip directory"},
		"a large record of another place": {zips.Large(whole, func(r, _ []byte) { r[48]++ }), "no zip directory"},
		"two counts in the large one":     {zips.Large(whole, func(r, _ []byte) { r[24]++ }), "no zip directory"},
		"large, too many named":           {zips.Large(whole, func(r, _ []byte) { r[24]++; r[32]++ }), "has 4 entries, and names 5"},

		"encrypted":                 {both(6, 8, 1), "is encrypted"},
		"strongly encrypted":        {both(6, 8, 1<<6), "is encrypted"},
		"with a masked header":      {both(7, 9, 1<<5), "is encrypted"},
		"a patch":                   {both(6, 8, 1<<5), "flags 0x20"},
		"Deflate64":                 {both(8, 10, 9), "Deflate64"},
		"a method without a name":   {both(8, 10, 77), "method 77"},
		"a version of later":        {both(4, 6, 63), "version 63"},
		"no header":                 {entry(func(h []byte) { h[2]++ }), "no header"},
		"a header that is cut":      {entry(func(h []byte) { h[33] = 0xff }), "cut"},
		"on another disk":           {entry(func(h []byte) { h[34] = 1 }), "another disk"},
		"beyond the directory":      {entry(func(h []byte) { h[44] = 1 }), "overlaps"},
		"longer than there is room": {entry(func(h []byte) { h[22] = 1 }), "overlaps"},
		"a size without its field":  {entry(func(h []byte) { le.PutUint32(h[24:], marker32) }), "lacks a size"},
		"an impossible size":        {with(func(p *zips.Part) { p.Extra = hugeExtra(); p.Entry = func(h []byte) { le.PutUint32(h[24:], marker32) } }), "no possible size"},
		"two fields of sizes":       {with(func(p *zips.Part) { p.Extra = append(hugeExtra(), hugeExtra()...) }), "two sizes"},
		"an extra field that's cut": {with(func(p *zips.Part) { p.Extra = []byte{1, 2, 3, 0, 0} }), "extra field that is cut"},
		"another name inside":       {with(func(p *zips.Part) { p.Extra = []byte{0x75, 0x70, 0, 0} }), "0x7075"},
		"stored with two sizes":     {zips.Made([]zips.Part{{Name: "file", Data: "text", Packed: []byte("texts")}}, nil), "another size than its own"},
		"twice at one place":        {zips.Made([]zips.Part{text, {Name: "file", Data: text.Data, Deflate: true, Shared: true}}, nil), "overlaps"},

		"no local header":       {local(func(h []byte) { h[0]++ }), "no local header"},
		"another name":          {local(func(h []byte) { h[localSize]++ }), "another name"},
		"a longer name":         {local(func(h []byte) { h[26]++ }), "another name"},
		"another method":        {local(func(h []byte) { h[8] = stored }), "method 0"},
		"other flags":           {local(func(h []byte) { h[6] ^= 2 }), "flags 0x2"},
		"streamed only here":    {local(func(h []byte) { h[6] ^= streamed }), "flags 0x8"},
		"another packed size":   {local(func(h []byte) { h[18]++ }), "another size or checksum"},
		"another size":          {local(func(h []byte) { h[22]++ }), "another size or checksum"},
		"another checksum":      {local(func(h []byte) { h[14]++ }), "another size or checksum"},
		"extra beyond the next": {local(func(h []byte) { h[29] = 1 }), "overlaps"},
		"extra fields cut":      {with(func(p *zips.Part) { p.Extra = []byte{1, 2, 1, 0, 0}; p.Local = func(h []byte) { h[len(h)-3] = 2 } }), "local header has an extra field that is cut"},

		"other bytes":              {one(zips.Part{Name: "file", Data: "text", Packed: []byte("tent")}), "checksum"},
		"a stream that is cut":     {one(zips.Part{Name: "file", Data: text.Data, Deflate: true, Packed: zips.Deflate(text.Data)[:8]}), "EOF"},
		"a stream that goes on":    {one(zips.Part{Name: "file", Data: text.Data, Deflate: true, Packed: append(zips.Deflate(text.Data), 0)}), "ends before its bytes do"},
		"a stream of more":         {one(zips.Part{Name: "file", Data: text.Data, Deflate: true, Packed: zips.Deflate(text.Data + "!")}), "longer than"},
		"a stream of less":         {one(zips.Part{Name: "file", Data: text.Data, Deflate: true, Packed: zips.Deflate(text.Data[1:])}), "EOF"},
		"a stream of no sense":     {one(zips.Part{Name: "file", Data: text.Data, Deflate: true, Packed: []byte{0xff, 0xff, 0xff}}), "corrupt"},
		"an empty one with a byte": {one(zips.Part{Name: "file", Packed: []byte{3, 0, 0}, Deflate: true}), "ends before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(c.data)
			assert.ErrorContains(t, err, c.why)
		})
	}
}

// hugeExtra says that a size has 63 bits.
func hugeExtra() []byte {
	return []byte{1, 0, 8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}
}

// TestAnyByteIsReadAsUnzipReadsIt changes each byte of a zip: what is read all the same
// a common unzip reads without a warning.
func TestAnyByteIsReadAsUnzipReadsIt(t *testing.T) {
	t.Parallel()
	tried, taken := 0, 0
	whole := zips.Made(sound(), nil)
	long := zips.Large(whole, nil)
	for data, from := range map[string]int{string(whole): 0, string(long): len(whole) - zips.End} {
		for at := from; at < len(data); at++ {
			for _, changed := range []byte{data[at] ^ 1, 0xff} {
				data := data[:at] + string([]byte{changed}) + data[at+1:]
				tried++
				if _, err := read([]byte(data)); err == nil {
					taken++
					assert.NoError(t, unzip(t, []byte(data)), "byte %d is %#x", at, changed)
				}
			}
		}
	}
	figures.Print(t, "%d changed bytes of zips, %d of no matter, of which unzip says the same", tried, taken)
}

// counting counts what is read of a file.
type counting struct {
	io.ReaderAt
	requests int
	bytes    int
	fail     error // of the reads from the second on
}

func (c *counting) ReadAt(b []byte, offset int64) (int, error) {
	if c.requests++; c.fail != nil && c.requests > 1 {
		return 0, c.fail
	}
	c.bytes += len(b)
	return c.ReaderAt.ReadAt(b, offset)
}

func TestLittleIsReadOfWhatIsRefused(t *testing.T) {
	t.Parallel()
	const size = 184 << 20
	// The record of the large format claims a directory of nearly all of the file; the
	// other one, which archive/zip believes, names a small one.
	file := make([]byte, size)
	small := zips.Made([]zips.Part{{Name: "a"}}, nil)
	end := bytes.Clone(small[len(small)-endSize:])
	at := size - endSize - locatorSize - end64Size
	copy(file[at:], zips.Large(small, func(r, l []byte) {
		le.PutUint64(r[40:], uint64(at))
		le.PutUint64(r[48:], 0)
		le.PutUint64(l[8:], uint64(at))
	})[len(small)-endSize:])
	copy(file[size-endSize:], end)
	r := &counting{ReaderAt: bytes.NewReader(file)}
	_, err := Find(r, size)
	require.ErrorIs(t, err, ErrNoDirectory)
	assert.Equal(t, 1, r.requests)
	assert.LessOrEqual(t, r.bytes, TailSize)

	for i := 8; i < 20; i++ { // now that record counts
		file[size-endSize+i] = 0xff
	}
	_, err = Find(r, size)
	require.ErrorIs(t, err, ErrNoDirectory)
	assert.LessOrEqual(t, r.bytes, 2*TailSize)
}

func TestAReaderThatFailsIsNoFaultOfTheBytes(t *testing.T) {
	t.Parallel()
	data := zips.Made([]zips.Part{{Name: "a", Data: zips.Noise(100_000, 1)}}, nil)
	away := errors.New("away")
	_, err := Find(&counting{ReaderAt: bytes.NewReader(data), fail: away}, int64(len(data)))
	require.ErrorIs(t, err, away)
	d, err := Find(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	list, err := d.Entries()
	require.NoError(t, err)
	_, err = list[0].Open(&counting{ReaderAt: bytes.NewReader(data), fail: away})
	require.NoError(t, err, "the header is there")
	body, err := list[0].Open(&counting{ReaderAt: bytes.NewReader(data), fail: away, requests: -1})
	require.NoError(t, err)
	_, err = io.ReadAll(body)
	require.ErrorIs(t, err, away)
}
