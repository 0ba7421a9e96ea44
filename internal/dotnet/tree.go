package dotnet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"visionkeeper/internal/remedy"
)

// Place is where something stands in a text: lines and columns count from 1,
// columns in characters, as editors show them.
type Place struct{ Line, Column int }

func (p Place) String() string { return fmt.Sprintf("line %d, column %d", p.Line, p.Column) }

// Node is a value of JSON and where it begins.
type Node struct {
	Place
	Members []Member // of an object, in their order; a key may stand there twice
	Items   []*Node  // of a list
	// Value is a string, a json.Number, a bool, or nil. It is '{' or '[' (a
	// json.Delim) for an object or a list.
	Value json.Token
}

// Member is a key of an object, where it stands, and its value.
type Member struct {
	Place
	Key   string
	Value *Node
}

// ReadJSON reads a JSON file as people write it (see JSON). An error names the
// file, the line and the column. It quotes no more than a single character of the
// file, because values may be secret.
func ReadJSON(path string) (*Node, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	root, err := ParseJSON(data)
	if err != nil {
		return nil, fmt.Errorf("%s, %w", path, err)
	}
	return root, nil
}

// ParseJSON reads JSON as people write it (see JSON). An error begins with the
// line and the column.
func ParseJSON(data []byte) (*Node, error) {
	r := &jsonReader{text: JSON(data), place: Place{1, 1}}
	if err := r.check(); err != nil {
		return nil, err
	}
	r.decoder = json.NewDecoder(bytes.NewReader(r.text))
	r.decoder.UseNumber()
	return r.value(), nil
}

// jsonReader reads a tree. Places are counted as it goes on, so it reads the text
// once.
type jsonReader struct {
	text    []byte
	decoder *json.Decoder
	at      int // offset of place
	place   Place
}

// check finds the first fault of the text.
func (r *jsonReader) check() error {
	var any json.RawMessage
	err := json.Unmarshal(r.text, &any)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	why, do := syntax.Error(), "mend it there"
	switch {
	case strings.HasPrefix(why, "unexpected end"):
		return remedy.New("close what is open", "%s: it ends too early, a bracket or a quotation mark is missing", r.placeOf(len(bytes.TrimRight(r.text, " \t\r\n"))))
	case strings.Contains(why, "after object key:value pair"), strings.Contains(why, "after array element"):
		do = "put a comma before it, or the closing bracket"
	case strings.Contains(why, "object key"):
		do = "write keys in double quotes, with a colon after each"
	}
	return remedy.New(do, "%s: %s", r.placeOf(max(int(syntax.Offset)-1, 0)), why)
}

// placeOf is the place of an offset, which is never before that of the last call.
func (r *jsonReader) placeOf(offset int) Place {
	for r.at < offset {
		c, size := utf8.DecodeRune(r.text[r.at:])
		if c == '\n' {
			r.place = Place{r.place.Line + 1, 1}
		} else {
			r.place.Column++
		}
		r.at += size
	}
	return r.place
}

// token is the next token and its place. The text has been checked.
func (r *jsonReader) token() (json.Token, Place) {
	from := int(r.decoder.InputOffset())
	for from < len(r.text) && strings.IndexByte(" \t\r\n:,", r.text[from]) >= 0 {
		from++
	}
	token, err := r.decoder.Token()
	if err != nil && !errors.Is(err, io.EOF) {
		panic("JSON that was checked: " + err.Error())
	}
	return token, r.placeOf(from)
}

func (r *jsonReader) value() *Node {
	token, place := r.token()
	n := &Node{Place: place, Value: token}
	switch token {
	case json.Delim('{'):
		for r.decoder.More() {
			key, at := r.token()
			n.Members = append(n.Members, Member{at, key.(string), r.value()})
		}
		r.token()
	case json.Delim('['):
		for r.decoder.More() {
			n.Items = append(n.Items, r.value())
		}
		r.token()
	}
	return n
}

// Member is the value of a key, in any letter case: as .NET's configuration, the
// last one where a key stands there twice. It is nil if there is none.
func (n *Node) Member(key string) *Node {
	var found *Node
	for _, m := range n.Members {
		if strings.EqualFold(m.Key, key) {
			found = m.Value
		}
	}
	return found
}

// Text is a string, a number, true or false as text. ok is false for null, an object
// and a list.
func (n *Node) Text() (text string, ok bool) {
	switch v := n.Value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// Flatten calls add for every text, number, bool and null of n, as .NET's
// configuration holds a JSON file: path is the keys and the numbers of the items
// on the way, joined by colons. Null is "".
func (n *Node) Flatten(path string, add func(path, text string)) {
	below := func(key string) string {
		if path == "" {
			return key
		}
		return path + ":" + key
	}
	switch n.Value {
	case json.Delim('{'):
		for _, m := range n.Members {
			m.Value.Flatten(below(m.Key), add)
		}
	case json.Delim('['):
		for i, item := range n.Items {
			item.Flatten(below(strconv.Itoa(i)), add)
		}
	default:
		text, _ := n.Text()
		add(path, text)
	}
}
