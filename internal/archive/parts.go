package archive

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strconv"
	"strings"

	"visionkeeper/internal/ondisk"
)

// webModel is the part of a TensorFlow.js model.json that says where the weights are.
type webModel struct {
	WeightsManifest []struct {
		Paths   []string // beside model.json; joined, they are the weights in turn
		Weights []weight
	}
}

type weight struct {
	Name         string
	Shape        []int64
	DType        string
	Quantization *struct{ DType string } // how the weights are stored, if not as DType
}

// sizes are the bytes of one element by dtype. Those that aren't here, such as string,
// have no fixed size.
var sizes = map[string]int64{
	"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2, "bfloat16": 2,
	"int32": 4, "uint32": 4, "float32": 4, "int64": 8, "float64": 8, "complex64": 8,
}

// size is how many bytes a weight takes; fixed reports whether they are all that
// there can be of it.
func (w weight) size() (n int64, fixed bool, err error) {
	dtype := w.DType
	if w.Quantization != nil && w.Quantization.DType != "" {
		dtype = w.Quantization.DType
	}
	n, fixed = sizes[dtype]
	if !fixed {
		return 0, false, nil
	}
	for _, d := range w.Shape {
		if d < 0 || d > 0 && n > math.MaxInt64/2/d {
			return 0, true, fmt.Errorf("a weight %q has no possible shape", shorten(w.Name))
		}
		n *= d
	}
	return n, true, nil
}

// webParts is nil if every file of weights that a model.json names is there with its
// size.
func (m model) webParts(name string) error {
	data, err := m.read(name, "{[,")
	if err != nil {
		return err
	}
	var web webModel
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), &web); err != nil {
		return fmt.Errorf("%q is not a TensorFlow.js model: %w", shorten(name), err)
	}
	var all int64
	for _, group := range web.WeightsManifest {
		var want, there int64
		exact := true
		for _, w := range group.Weights {
			n, fixed, err := w.size()
			if err != nil {
				return err
			}
			if want += n; want < 0 || want > math.MaxInt64/2 {
				return errors.New("its weights have no possible size")
			}
			exact = exact && fixed
		}
		for _, part := range group.Paths {
			to, err := ondisk.Path(part)
			if err != nil {
				return fmt.Errorf("a file of weights %q %w", shorten(part), err)
			}
			to = path.Join(path.Dir(name), to)
			if err := m.filled(to); err != nil {
				return fmt.Errorf("a file of weights is missing: %w", err)
			}
			there += m.files[to].entry.Size
		}
		if there < want || exact && there != want {
			return fmt.Errorf("its weights have %d bytes, %q says %d", there, shorten(name), want)
		}
		all += there
	}
	if all == 0 {
		return fmt.Errorf("%q names no weights", shorten(name))
	}
	return nil
}

// network is nil if an OpenVINO network is there with all of its weights.
func (m model) network(topology, weights string) error {
	data, err := m.read(topology, "<=")
	if err != nil {
		return err
	}
	if err := m.filled(weights); err != nil {
		return err
	}
	want, err := networkSize(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%q is not an OpenVINO network: %w", shorten(topology), err)
	}
	if there := m.files[weights].entry.Size; there < want {
		return fmt.Errorf("%q has %d bytes, %q says %d", shorten(weights), there, shorten(topology), want)
	}
	return nil
}

// networkSize is how many bytes of weights a network refers to: each of its elements
// that has weights names their offset and size.
func networkSize(r io.Reader) (int64, error) {
	var most int64
	root := ""
	for d := xml.NewDecoder(r); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && root != "" {
			return most, nil
		}
		if err != nil {
			return 0, err
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if root == "" {
			if root = start.Name.Local; root != "net" {
				return 0, fmt.Errorf("it is of %q", shorten(root))
			}
		}
		offset, size := number(start, "offset"), number(start, "size")
		if offset < 0 || size < 0 {
			continue
		}
		if offset > math.MaxInt64-size {
			return 0, errors.New("its weights have no possible size")
		}
		most = max(most, offset+size)
	}
}

// number is an attribute that is a whole number; -1 where there is none.
func number(e xml.StartElement, name string) int64 {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			if n, err := strconv.ParseInt(strings.TrimSpace(a.Value), 10, 64); err == nil && n >= 0 {
				return n
			}
		}
	}
	return -1
}
