package seal_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/seal"
)

type document struct {
	Name  string            `json:"name"`
	Count int               `json:"count"`
	Tags  []string          `json:"tags"`
	Extra map[string]string `json:"extra"`
	Raw   json.RawMessage   `json:"raw"`
}

var sample = document{
	Name: "Äpfel & <Birnen>\u2028", Count: 7, Tags: []string{"a", "b"},
	Extra: map[string]string{"k": "v"}, Raw: json.RawMessage(`{"Flavor":null,"n":1.50}`),
}

func TestWhatWasSealedComesBack(t *testing.T) {
	t.Parallel()
	data, err := seal.Marshal(sample)
	require.NoError(t, err)
	var got document
	require.NoError(t, seal.Unmarshal(data, &got))
	assert.JSONEq(t, string(sample.Raw), string(got.Raw))
	got.Raw = sample.Raw
	assert.Equal(t, sample, got)
}

func TestTheSameValueGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	one, err := seal.Marshal(sample)
	require.NoError(t, err)
	two, err := seal.Marshal(sample)
	require.NoError(t, err)
	assert.Equal(t, string(one), string(two))
}

func TestAnyFlippedBitIsFoundOrHarmless(t *testing.T) {
	t.Parallel()
	data, err := seal.Marshal(sample)
	require.NoError(t, err)
	var want any
	require.NoError(t, seal.Unmarshal(data, &want))
	for i := range data {
		for bit := range 8 {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << bit
			var got any
			if err := seal.Unmarshal(flipped, &got); err != nil {
				require.ErrorIs(t, err, seal.ErrBroken, "byte %d bit %d", i, bit)
				continue
			}
			require.Equal(t, want, got, "byte %d bit %d", i, bit)
		}
	}
}

func TestReformattingDoesNotBreakASeal(t *testing.T) {
	t.Parallel()
	data, err := seal.Marshal(sample)
	require.NoError(t, err)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, data))
	var got document
	assert.NoError(t, seal.Unmarshal(compact.Bytes(), &got))
	assert.NoError(t, seal.Unmarshal([]byte(strings.ReplaceAll(string(data), "\n", "\r\n")), &got))
}

func TestBrokenDocuments(t *testing.T) {
	t.Parallel()
	data, err := seal.Marshal(sample)
	require.NoError(t, err)
	for name, broken := range map[string]string{
		"nothing":       "",
		"no envelope":   `{"name":"x"}`,
		"no hash":       `{"body":{}}`,
		"no body":       `{"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`,
		"hash of null":  `{"sha256":"","body":null}`,
		"cut":           string(data[:len(data)-3]),
		"trailing data": string(data) + "{}",
		"other body":    strings.Replace(string(data), "7", "8", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got document
			assert.ErrorIs(t, seal.Unmarshal([]byte(broken), &got), seal.ErrBroken)
			assert.Zero(t, got)
		})
	}
}

func TestTheHashCanBeCheckedWithJQ(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is not installed")
	}
	data, err := seal.Marshal(map[string]any{"name": "Äpfel & <Birnen>", "n": 3})
	require.NoError(t, err)
	var e struct{ SHA256 string }
	require.NoError(t, json.Unmarshal(data, &e))
	cmd := exec.Command("sh", "-c", "jq -cj .body | sha256sum")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	require.NoError(t, err)
	assert.Equal(t, e.SHA256, strings.Fields(string(out))[0])
}
