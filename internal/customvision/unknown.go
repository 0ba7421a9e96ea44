package customvision

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
)

// unknownFields are the fields of a JSON object that a struct doesn't name.
type unknownFields map[string]json.RawMessage

// fieldsUnknownTo are the fields of an object that the struct known doesn't name;
// none where data is no object.
func fieldsUnknownTo(known any, data []byte) unknownFields {
	var fields unknownFields
	if json.Unmarshal(data, &fields) != nil {
		return nil
	}
	t := reflect.TypeOf(known)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		maps.DeleteFunc(fields, func(key string, _ json.RawMessage) bool { return strings.EqualFold(key, name) })
	}
	return fields
}

// marshalWith encodes the struct known and the unknown fields as one JSON object.
func (u unknownFields) marshalWith(known any) ([]byte, error) {
	data, err := json.Marshal(known)
	if err != nil || len(u) == 0 {
		return data, err
	}
	fields := maps.Clone(u)
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}
