package state

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// fill sets everything that v leads to.
func fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1, 0).UTC()))
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.Set(reflect.ValueOf(json.RawMessage(`{}`)))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.SetMapIndex(reflect.ValueOf("key"), value)
	case v.Kind() == reflect.String:
		v.SetString("text")
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanFloat():
		v.SetFloat(1)
	default:
		v.SetInt(1)
	}
}

// shared finds memory that two values have in common.
func shared(path string, a, b reflect.Value) []string {
	var found []string
	switch a.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if a.Type() != reflect.TypeFor[*time.Location]() && a.Pointer() == b.Pointer() {
			return []string{path}
		}
	}
	switch a.Kind() {
	case reflect.Pointer:
		found = shared(path, a.Elem(), b.Elem())
	case reflect.Map:
		for _, key := range a.MapKeys() {
			found = append(found, shared(path+"."+key.String(), a.MapIndex(key), b.MapIndex(key))...)
		}
	case reflect.Slice:
		for i := range a.Len() {
			found = append(found, shared(path, a.Index(i), b.Index(i))...)
		}
	case reflect.Struct:
		for i := range a.NumField() {
			if a.Type().Field(i).IsExported() {
				found = append(found, shared(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))...)
			}
		}
	}
	return found
}

func TestACloneIsWholeAndSharesNothing(t *testing.T) {
	t.Parallel()
	var p Project
	fill(reflect.ValueOf(&p).Elem())
	c := p.Clone()
	assert.Equal(t, p, c)
	assert.Empty(t, shared("", reflect.ValueOf(p), reflect.ValueOf(c)))
	assert.Equal(t, Project{}, Project{}.Clone())
}

// With the index or without, whatever was done in whatever order.
func TestConditionsAreFoundHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var p, other Project
	want := map[Scope]int{}
	for n := range 20_000 {
		s := Scope{Export: fmt.Sprint(random.IntN(2 * indexed))}
		switch random.IntN(8) {
		case 0, 1, 2:
			p.Note(Condition{Scope: s, Attempts: n})
			want[s] = n
		case 3, 4:
			p.Clear(s)
			delete(want, s)
		case 5:
			p, other = p.Clone(), p
			other.Note(Condition{Scope: Scope{Blob: "of the other"}})
		case 6:
			if c := p.Condition(Scope{Export: "0"}); c != nil && len(p.Conditions) > 0 { // as one who knows the list alone
				last := p.Conditions[len(p.Conditions)-1].Scope
				p.Conditions = p.Conditions[:len(p.Conditions)-1]
				delete(want, last)
			}
		}
		c := p.Condition(s)
		at, known := want[s]
		if assert.Equal(t, known, c != nil) && known {
			assert.Equal(t, at, c.Attempts)
		}
	}
	assert.Len(t, p.Conditions, len(want))
}
