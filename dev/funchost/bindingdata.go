package funchost

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// applyBindingData adds the top-level properties of a text that is a JSON object
// to the invocation's metadata, replacing what is there. Arrays and nulls are
// left out (Utility.ApplyBindingData).
func applyBindingData(text string, metadata *object) {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "{") || !strings.HasSuffix(trimmed, "}") {
		return
	}
	properties, err := topLevel(trimmed)
	if err != nil {
		return
	}
	for _, p := range properties {
		switch {
		case p.value[0] == '[', string(p.value) == "null":
		case p.value[0] == '{':
			metadata.set(p.name, compact(p.value))
		default:
			metadata.set(p.name, doubledText(scalarText(p.value)))
		}
	}
}

// topLevel returns an object's properties in order. Of two with the same name,
// the last value counts.
func topLevel(text string) ([]property, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	var list []property
	at := map[string]int{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if i, ok := at[name]; ok {
			list[i].value = value
			continue
		}
		at[name] = len(list)
		list = append(list, property{name, bytes.Clone(value)})
	}
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	return list, nil
}

// scalarText returns .NET's invariant text of a string, number or boolean.
func scalarText(raw []byte) string {
	switch raw[0] {
	case 't':
		return "True"
	case 'f':
		return "False"
	case '"':
		var s string
		json.Unmarshal(raw, &s)
		if t, ok := isoDate(s); ok {
			return t.Format("01/02/2006 15:04:05")
		}
		return s
	}
	number := string(raw)
	if !strings.ContainsAny(number, ".eE") {
		return number
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return number
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e15) {
		return strconv.FormatFloat(f, 'E', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// isoDate reads a string that Newtonsoft.Json takes for a date. A time with an
// offset becomes local time. A time in UTC or without a zone is kept.
func isoDate(s string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02T15:04:05.9999999Z", "2006-01-02T15:04:05.9999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	t, err := time.Parse("2006-01-02T15:04:05.9999999-07:00", s)
	return t.Local(), err == nil
}
