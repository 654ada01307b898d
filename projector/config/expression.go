package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
	"gopkg.in/yaml.v3"
)

// expression is an expression as it stands in the file.
type expression struct {
	text string
	node *yaml.Node
	path string
}

// expressionKind takes any scalar: `body.name`, `1`, `true`.
type expressionKind struct{}

func (expressionKind) describe() *Description { return &Description{Type: KindExpression} }

func (expressionKind) read(w *walker, n *yaml.Node, path string, v *expression) {
	s, ok := scalar(w, n, path, "an expression such as body.name")
	if !ok {
		return
	}
	if strings.TrimSpace(s) == "" {
		w.fail(n, path, "want an expression such as body.name, got nothing")
		return
	}
	*v = expression{text: s, node: n, path: path}
}

// program is a compiled expression. It is safe for concurrent use.
type program struct {
	source string       // in canonical form
	typ    reflect.Type // of the result; nil = known only at run time
	eval   func(e *env) (any, error)

	constant bool
	body     []step // path in the body, if it is one
	names    map[string]bool
	whole    map[string]int // how often names are used other than for one of their fields
	paths    []eventPath    // what it looks at of an event
}

// uses reports whether the program refers to a name.
func (p *program) uses(name string) bool { return p.names[name] }

// compileExpression checks an expression and makes a program of it. It returns nil after it has noted a mistake.
func (w *walker) compileExpression(e expression, s scope) *program {
	if e.node == nil {
		return nil // its mistake is noted already
	}
	checked, err := expr.Compile(e.text, language(s.checked())...)
	if err != nil {
		w.failExpression(e, s, err)
		return nil
	}
	compiled, err := expr.Compile(e.text, language(s.running())...)
	if err != nil {
		w.failExpression(e, s, err)
		return nil
	}
	root := compiled.Node()
	p := &program{source: root.String(), typ: checked.Node().Type(), names: map[string]bool{}}
	if p.typ != nil && p.typ.Kind() == reflect.Interface {
		p.typ = nil
	}
	p.whole = map[string]int{}
	found := &pathFinder{names: p.names, whole: p.whole, paths: map[ast.Node]eventPath{}}
	ast.Walk(&root, found)
	if p.uses("$env") {
		w.fail(e.node, e.path, "unknown name $env; want %s", oneOf(s.names()))
		return nil
	}
	p.paths = slices.Collect(maps.Values(found.paths))
	if _, p.constant = constant(root); !p.constant && len(p.names) == 0 {
		p.constant = isLiteral(root)
	}
	left, _, _ := otherwise(root)
	if left == nil {
		left = root
	}
	if from, steps, ok := path(left); ok && from == "body" {
		p.body = steps
	}
	if p.eval = direct(root, s); p.eval == nil {
		p.eval = p.machine(compiled)
	}
	return p
}

// language is that of expr-lang.org, without what gives another result another day, and with fail.
func language(names types.Map) []expr.Option {
	fail := func(args ...any) (any, error) { return nil, errors.New(args[0].(string)) }
	return []expr.Option{
		expr.Env(names), expr.DisableBuiltin("now"), expr.Function("fail", fail, new(func(string) any)),
	}
}

// eventPath is a part of an event's body or metadata.
type eventPath struct {
	root  string
	steps []step
}

// pathFinder gathers the longest paths that an expression looks at; it sees the inner nodes first.
type pathFinder struct {
	names map[string]bool
	whole map[string]int
	paths map[ast.Node]eventPath
}

// Visit implements [ast.Visitor].
func (f *pathFinder) Visit(node *ast.Node) {
	if id, ok := (*node).(*ast.IdentifierNode); ok {
		f.names[id.Value] = true
		f.whole[id.Value]++
	}
	if n, ok := (*node).(*ast.MemberNode); ok {
		id, ofName := n.Node.(*ast.IdentifierNode)
		if _, known := n.Property.(*ast.StringNode); ofName && known {
			f.whole[id.Value]--
		}
	}
	root, steps, ok := path(*node)
	if !ok || root != "body" && root != "metadata" {
		return
	}
	switch n := (*node).(type) {
	case *ast.MemberNode:
		delete(f.paths, n.Node)
	case *ast.ChainNode:
		delete(f.paths, n.Node)
	}
	f.paths[*node] = eventPath{root, steps}
}

// isLiteral reports whether a node is a list or object of constants.
func isLiteral(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ConstantNode:
		return true
	case *ast.ArrayNode:
		return !slices.ContainsFunc(n.Nodes, func(n ast.Node) bool { return !isLiteral(n) })
	}
	_, ok := constant(n)
	return ok
}

// machine runs an expression that is more than a path or a constant.
func (p *program) machine(compiled *vm.Program) func(e *env) (any, error) {
	return func(e *env) (any, error) {
		v, err := vm.Run(compiled, e.variables(p))
		var at *file.Error
		if errors.As(err, &at) {
			return nil, errors.New(at.Message)
		}
		return v, err
	}
}

// value evaluates the program. Its error says what could not be evaluated.
func (p *program) value(e *env) (any, error) {
	v, err := p.eval(e)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.source, err)
	}
	return v, nil
}

// failExpression notes what is wrong, at its place within the expression.
func (w *walker) failExpression(e expression, s scope, err error) {
	var at *file.Error
	if !errors.As(err, &at) {
		w.fail(e.node, e.path, "%v", err)
		return
	}
	before := ""
	if lines := strings.Split(e.text, "\n"); at.Line >= 1 && at.Line <= len(lines) {
		runes := []rune(lines[at.Line-1])
		before = string(runes[:min(at.Column, len(runes))])
	}
	line, column := w.within(e.node, at.Line, at.Column)
	w.failAt(line, column, e.path, "%s", s.explain(e.text, before, at.Message))
}

// within returns the place in the file of a place in an expression.
func (w *walker) within(n *yaml.Node, line, column int) (int, int) {
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		at := n.Line + line // the text begins below the |
		if at > len(w.lines) {
			return n.Line, n.Column
		}
		text := w.lines[at-1]
		return at, len(text) - len(strings.TrimLeft(text, " ")) + column + 1
	case n.Style&yaml.FoldedStyle != 0, line > 1:
		return n.Line, n.Column // lines were joined
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return n.Line, n.Column + 1 + column
	}
	return n.Line, n.Column + column
}
