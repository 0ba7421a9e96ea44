package customvision

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
)

// unknownFields are the fields of a JSON object that a struct doesn't name.
type unknownFields map[string]json.RawMessage

// unmarshalKeeping decodes data into the struct that known points to. It returns
// the fields that the struct doesn't name.
func unmarshalKeeping(data []byte, known any) (unknownFields, error) {
	if err := json.Unmarshal(data, known); err != nil {
		return nil, err
	}
	var fields unknownFields
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	t := reflect.TypeOf(known).Elem()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		maps.DeleteFunc(fields, func(key string, _ json.RawMessage) bool { return strings.EqualFold(key, name) })
	}
	return fields, nil
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
