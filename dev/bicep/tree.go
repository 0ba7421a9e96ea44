package bicep

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Node is a node of a syntax tree of the grammar tree-sitter-bicep.
type Node struct {
	Type  string // such as "object_property"
	Field string // what it is to its parent, such as "function"; often empty
	Text  string // of a node without children, and of a string with its quotes
	Line  int    // from 1
	// Bad marks a place that the grammar doesn't know.
	Bad      bool
	Children []*Node
}

// Parse reads Bicep files. Root is the project's folder, whose dev/tools has the
// grammar (`make tools`). The trees come in the order of the files.
func Parse(ctx context.Context, root string, files ...string) ([]*Node, error) {
	cmd := exec.CommandContext(ctx, "node", append([]string{filepath.Join(root, "dev", "tools", "bicep.mjs")}, files...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("parse Bicep: %w: %s", err, errs.String())
	}
	var trees []*Node
	if err := json.Unmarshal(out, &trees); err != nil {
		return nil, fmt.Errorf("parse Bicep: %w", err)
	}
	return trees, nil
}

// child is the first child of a type, nil if there is none.
func (n *Node) child(kind string) *Node {
	for _, c := range n.Children {
		if c.Type == kind {
			return c
		}
	}
	return nil
}

// Value is the text of a string without interpolation, or of a name or number.
func (n *Node) Value() string {
	if n.Type != "string" {
		return n.Text
	}
	text := n.Text
	if len(text) >= 6 && text[:3] == "'''" {
		return text[3 : len(text)-3]
	}
	return text[1 : len(text)-1]
}

// Properties are those of an object, by their keys.
func (n *Node) Properties() map[string]*Node {
	list := map[string]*Node{}
	for _, c := range n.Children {
		if c.Type == "object_property" && len(c.Children) > 1 {
			list[c.Children[0].Value()] = c.Children[len(c.Children)-1]
		}
	}
	return list
}

// At follows keys of objects; nil if one is missing.
func (n *Node) At(keys ...string) *Node {
	for _, key := range keys {
		if n = n.Properties()[key]; n == nil {
			return nil
		}
	}
	return n
}

// Declarations are a file's declarations of a kind, such as "resource_declaration", by
// their names.
func (n *Node) Declarations(kind string) map[string]*Node {
	list := map[string]*Node{}
	for _, c := range n.Children {
		if name := c.child("identifier"); c.Type == kind && name != nil {
			list[name.Text] = c
		}
	}
	return list
}

// Body is the object of a resource or a module, also below its condition and its loop;
// nil if there is none.
func (n *Node) Body() *Node {
	for _, c := range n.Children {
		switch c.Type {
		case "object":
			return c
		case "if_statement", "for_statement":
			return c.Body()
		}
	}
	return nil
}
