package customvision

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Answers are decoded field by field: a value in an unexpected form spoils that value
// and nothing beside it. A date without a zone, "1.0" for an integer, and a number or
// a truth value as text are read as what they mean. Of anything else a text field
// keeps the JSON, which then is no valid id, name or status; other fields stay empty.

// decodeAnswer decodes an answer. What should be a list or an object and isn't is an
// error, null included: an answer without a list must not look like an empty one.
func decodeAnswer(body []byte, out any) error {
	body = bytes.TrimSpace(body)
	begin := map[reflect.Kind]string{reflect.Slice: "[", reflect.Struct: "{"}[reflect.TypeOf(out).Elem().Kind()]
	if !bytes.HasPrefix(body, []byte(begin)) && json.Valid(body) {
		return fmt.Errorf("it does not begin with %s", begin)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return err
	}
	return checkVital(body, reflect.TypeOf(out).Elem())
}

// checkVital checks the fields that the answer about a single thing is of no use
// without: those tagged vital. In a list they spoil their item alone.
func checkVital(object []byte, t reflect.Type) error {
	if t.Kind() != reflect.Struct {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return err
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		value, ok := members[name]
		if _, vital := field.Tag.Lookup("vital"); !vital || !ok || string(value) == "null" {
			continue
		}
		if err := json.Unmarshal(value, reflect.New(field.Type).Interface()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// Unreadable begins the id of an item that isn't known: the service lists something
// that is no object.
const Unreadable = "unreadable: "

// decodeItem decodes an item of a list into the struct that out points to. Of an item
// that is no object, the struct's first field says so, which is the one that
// identifies it: the item must not look as if it weren't there.
func decodeItem(data []byte, out any) error {
	if decodeFields(data, out) != nil {
		reflect.ValueOf(out).Elem().Field(0).SetString(Unreadable + oneLine(string(data)))
	}
	return nil
}

// decodeFields decodes an object into the struct that out points to.
func decodeFields(data []byte, out any) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	if members == nil {
		return errors.New("it is null")
	}
	v := reflect.ValueOf(out).Elem()
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		if value, ok := members[name]; ok {
			decodeValue(value, v.Field(i))
			continue
		}
		for member, value := range members {
			if strings.EqualFold(name, member) {
				decodeValue(value, v.Field(i))
			}
		}
	}
	return nil
}

// decodeValue decodes a value as far as it can be read, and reports whether it could.
func decodeValue(data json.RawMessage, v reflect.Value) bool {
	if at, ok := v.Addr().Interface().(*time.Time); ok {
		return decodeTime(data, at)
	}
	switch v.Kind() {
	case reflect.Struct:
		return json.Unmarshal(data, v.Addr().Interface()) == nil
	case reflect.Slice:
		return decodeList(data, v)
	}
	if string(data) == "null" {
		return false
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if !decodeValue(data, p.Elem()) {
			return false
		}
		v.Set(p)
	case reflect.String:
		v.SetString(plainText(data))
	case reflect.Bool:
		b, err := strconv.ParseBool(plainText(data))
		v.SetBool(b)
		return err == nil
	default:
		return decodeNumber(data, v)
	}
	return true
}

// decodeNumber reads a number. NaN and infinity are none: no JSON can hold them.
func decodeNumber(data json.RawMessage, v reflect.Value) bool {
	f, err := strconv.ParseFloat(plainText(data), 64)
	switch {
	case err != nil || math.IsNaN(f) || math.IsInf(f, 0):
		return false
	case v.CanFloat():
		v.SetFloat(f)
	case f != math.Trunc(f) || math.Abs(f) > math.MaxInt32:
		return false
	default:
		v.SetInt(int64(f))
	}
	return true
}

// decodeList reads a list's items, without those that can't be read.
func decodeList(data json.RawMessage, v reflect.Value) bool {
	var items []json.RawMessage
	if json.Unmarshal(data, &items) != nil || items == nil {
		return false
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, len(items)))
	for _, item := range items {
		one := reflect.New(v.Type().Elem()).Elem()
		if decodeValue(item, one) {
			v.Set(reflect.Append(v, one))
		}
	}
	return true
}

// decodeTime reads a time as one in UTC, which those of the service mean that have no
// zone. One that JSON can't hold again is none: a time is kept in states and proofs.
func decodeTime(data json.RawMessage, at *time.Time) bool {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		t, err := time.Parse(layout, plainText(data))
		if err != nil {
			continue
		}
		if _, err := t.UTC().MarshalJSON(); err != nil {
			return false
		}
		*at = t.UTC()
		return true
	}
	return false
}

// plainText is a JSON text, or the JSON itself where it is something else.
func plainText(data json.RawMessage) string {
	if data[0] == '"' && bytes.IndexByte(data, '\\') < 0 && utf8.Valid(data) {
		return string(data[1 : len(data)-1]) // as most are
	}
	var s string
	if json.Unmarshal(data, &s) != nil {
		return oneLine(string(data))
	}
	return s
}
