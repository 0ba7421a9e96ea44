// Package bicep checks Bicep files offline, in place of the compiler: their syntax, that
// each name in them is declared and each declared parameter is used, that modules get
// the parameters that they have, and that the types of resources are those that somebody
// has looked up. It knows nothing of a resource's own properties. Start reading at Check.
package bicep

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// resources are the types of resources, and their versions, that were looked up.
var resources = []string{
	"Microsoft.Authorization/roleAssignments@2022-04-01",
	"Microsoft.Authorization/roleDefinitions@2022-04-01",
	"Microsoft.CognitiveServices/accounts@2024-10-01",
	"Microsoft.Insights/actionGroups@2023-01-01",
	"Microsoft.Insights/components@2020-02-02",
	"Microsoft.Insights/metricAlerts@2018-03-01",
	"Microsoft.Insights/scheduledQueryRules@2022-06-15",
	"Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31",
	"Microsoft.OperationalInsights/workspaces@2023-09-01",
	"Microsoft.Resources/resourceGroups@2024-03-01",
	"Microsoft.Storage/storageAccounts@2023-05-01",
	"Microsoft.Storage/storageAccounts/blobServices@2023-05-01",
	"Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01",
	"Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2023-05-01",
	"Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01",
	"Microsoft.Storage/storageAccounts/queueServices@2023-05-01",
	"Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01",
	"Microsoft.Web/serverfarms@2024-04-01",
	"Microsoft.Web/sites@2024-04-01",
	"Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01",
	"Microsoft.Web/sites/config@2024-04-01",
}

// functions are the functions and decorators of Bicep that were looked up.
var functions = []string{
	"allowed", "description", "maxLength", "maxValue", "minLength", "minValue", "secure",
	"concat", "empty", "guid", "loadJsonContent", "replace", "resourceGroup", "subscription", "subscriptionResourceId",
	"tenant", "toLower", "union", "uniqueString",
}

// Check lists the faults in the Bicep files of a folder, and in its parameters file,
// each with its file and line. Root is the project's folder.
func Check(ctx context.Context, root, folder string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.bicep"))
	if err != nil {
		return nil, err
	}
	trees, err := Parse(ctx, root, names...)
	if err != nil {
		return nil, err
	}
	files := map[string]*file{}
	for i, name := range names {
		files[filepath.Base(name)] = &file{name: filepath.Base(name), tree: trees[i], used: map[string]bool{}}
	}
	c := &checker{folder: folder, files: files}
	for _, name := range names {
		f := files[filepath.Base(name)]
		if bad := firstBad(f.tree); bad != nil {
			c.fault(f, bad, "syntax: %q", bad.Text)
		}
	}
	if c.faults != nil {
		return c.faults, nil // what follows would be guesses
	}
	for _, name := range names {
		c.check(files[filepath.Base(name)])
	}
	c.parameters("main.bicep", "main.parameters.json")
	return c.faults, nil
}

type file struct {
	name string
	tree *Node
	used map[string]bool
}

type checker struct {
	folder string
	files  map[string]*file
	faults []string
}

func (c *checker) fault(f *file, n *Node, format string, a ...any) {
	c.faults = append(c.faults, fmt.Sprintf("%s:%d: %s", f.name, n.Line, fmt.Sprintf(format, a...)))
}

// kinds are the declarations that a name in an expression can lead to.
var kinds = []string{"parameter_declaration", "variable_declaration", "resource_declaration", "module_declaration", "type_declaration"}

func (c *checker) check(f *file) {
	declared := map[string]bool{}
	for _, kind := range kinds {
		for _, n := range f.tree.Children {
			if n.Type != kind {
				continue
			}
			name := n.child("identifier")
			if declared[name.Text] {
				c.fault(f, name, "%s is declared twice", name.Text)
			}
			declared[name.Text] = true
		}
	}
	for _, n := range f.tree.Children {
		c.statement(f, n, declared)
	}
	for _, kind := range kinds[:2] {
		for name, n := range f.tree.Declarations(kind) {
			if !f.used[name] {
				c.fault(f, n, "%s is declared and never used", name)
			}
		}
	}
}

func firstBad(n *Node) *Node {
	if n.Bad {
		return n
	}
	for _, child := range n.Children {
		if bad := firstBad(child); bad != nil {
			return bad
		}
	}
	return nil
}

func (c *checker) statement(f *file, n *Node, declared map[string]bool) {
	rest := n.Children
	switch n.Type {
	case "comment", "target_scope_assignment":
		return
	case "resource_declaration":
		if kind := n.Children[1]; !slices.Contains(resources, kind.Value()) {
			c.fault(f, kind, "%s is no type of resource that was looked up", kind.Text)
		}
		rest = rest[2:]
	case "module_declaration":
		c.module(f, n)
		rest = rest[2:]
	case "parameter_declaration", "variable_declaration", "output_declaration", "type_declaration":
		rest = rest[1:]
	}
	for _, child := range rest {
		c.names(f, child, declared)
	}
}

// names checks the names in an expression. Known are those that it can lead to.
func (c *checker) names(f *file, n *Node, known map[string]bool) {
	rest := n.Children
	switch n.Type {
	case "identifier", "compatible_identifier":
		if !known[n.Text] {
			c.fault(f, n, "%s is not declared", n.Text)
		}
		f.used[n.Text] = true
	case "object_property":
		if n.Children[0].Type == "identifier" { // the key
			rest = rest[1:]
		}
	case "call_expression":
		if name := n.Children[0]; name.Type == "identifier" {
			if !slices.Contains(functions, name.Text) {
				c.fault(f, name, "%s is no function that was looked up", name.Text)
			}
			if name.Text == "loadJsonContent" {
				c.json(f, n)
			}
			rest = rest[1:]
		}
	case "for_statement":
		known = with(known, n.Children[0])
		rest = rest[1:]
	case "lambda_expression":
		known = with(known, n.Children[:len(n.Children)-1]...)
		rest = rest[len(n.Children)-1:]
	case "member_expression":
		c.output(f, n)
	case "subscript_expression":
		c.key(f, n)
	}
	for _, child := range rest {
		c.names(f, child, known)
	}
}

// with adds the names that a loop or a lambda gives to its values.
func with(known map[string]bool, nodes ...*Node) map[string]bool {
	all := map[string]bool{}
	for name := range known {
		all[name] = true
	}
	for _, n := range nodes {
		if n.Text != "" {
			all[n.Text] = true
		}
		for _, child := range n.Children {
			all[child.Text] = true
		}
	}
	return all
}

// module checks that a module's file is there and gets what it needs.
func (c *checker) module(f *file, n *Node) {
	path := n.Children[1]
	of := c.files[path.Value()]
	if of == nil {
		c.fault(f, path, "there is no file %s", path.Value())
		return
	}
	given := map[string]*Node{}
	if params := n.Body().At("params"); params != nil {
		given = params.Properties()
	}
	c.given(of, given, func(format string, a ...any) { c.fault(f, n, format, a...) })
}

// given checks values against the parameters of a file.
func (c *checker) given(of *file, values map[string]*Node, fault func(format string, a ...any)) {
	params := of.tree.Declarations("parameter_declaration")
	for name := range values {
		if params[name] == nil {
			fault("%s has no parameter %s", of.name, name)
		}
	}
	for name, param := range params {
		hasDefault := len(param.Children) > 2
		if values[name] == nil && !hasDefault {
			fault("%s needs the parameter %s", of.name, name)
		}
	}
}

// output checks x.outputs.y of a module.
func (c *checker) output(f *file, n *Node) {
	inner := n.Children[0]
	if inner.Type != "member_expression" || len(inner.Children) < 2 || inner.Children[1].Text != "outputs" {
		return
	}
	module := f.tree.Declarations("module_declaration")[inner.Children[0].Text]
	if module == nil {
		return // the name itself is checked elsewhere
	}
	of, name := c.files[module.Children[1].Value()], n.Children[1]
	if of != nil && of.tree.Declarations("output_declaration")[name.Text] == nil {
		c.fault(f, name, "%s has no output %s", of.name, name.Text)
	}
}

// json checks that the file is there that loadJsonContent reads, and returns what is
// in it.
func (c *checker) json(f *file, call *Node) map[string]any {
	name := call.Children[1].child("string")
	data, err := os.ReadFile(filepath.Join(c.folder, name.Value()))
	var content map[string]any
	if err == nil {
		err = json.Unmarshal(data, &content)
	}
	if err != nil {
		c.fault(f, name, "%s: %v", name.Value(), err)
	}
	return content
}

// key checks x['y'] of a variable that is a file's content.
func (c *checker) key(f *file, n *Node) {
	variable := f.tree.Declarations("variable_declaration")[n.Children[0].Text]
	key := n.Children[1]
	if variable == nil || key.Type != "string" {
		return
	}
	call := variable.child("call_expression")
	if call == nil || call.Children[0].Text != "loadJsonContent" {
		return
	}
	if _, ok := c.json(f, call)[key.Value()]; !ok {
		c.fault(f, key, "%s has no key %s", call.Children[1].child("string").Value(), key.Text)
	}
}

// parameters checks a parameters file, as azd reads it.
func (c *checker) parameters(main, name string) {
	data, err := os.ReadFile(filepath.Join(c.folder, name))
	var content struct {
		Parameters map[string]struct{ Value any }
	}
	if err == nil {
		err = json.Unmarshal(data, &content)
	}
	if err != nil {
		c.faults = append(c.faults, fmt.Sprintf("%s: %v", name, err))
		return
	}
	values := map[string]*Node{}
	for parameter, v := range content.Parameters {
		values[parameter] = &Node{}
		if text, ok := v.Value.(string); !ok || !strings.HasPrefix(text, "${") || !strings.HasSuffix(text, "}") {
			c.faults = append(c.faults, fmt.Sprintf("%s: %s isn't taken from azd's environment", name, parameter))
		}
	}
	c.given(c.files[main], values, func(format string, a ...any) {
		c.faults = append(c.faults, name+": "+fmt.Sprintf(format, a...))
	})
}
