package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/expr-lang/expr/ast"
)

// direct returns an evaluation without the machine for what most expressions are, a path or a constant; nil if it is
// neither. It means the same as the machine.
func direct(n ast.Node, s scope) func(e *env) (any, error) {
	if v, ok := constant(n); ok {
		return func(*env) (any, error) { return v, nil }
	}
	if left, right, ok := otherwise(n); ok {
		if eval := direct(left, s); eval != nil {
			return func(e *env) (any, error) {
				v, err := eval(e)
				if v == nil && err == nil {
					return right, nil
				}
				return v, err
			}
		}
	}
	root, steps, ok := path(n)
	if !ok {
		return nil
	}
	switch root {
	case "body":
		return func(e *env) (any, error) { return follow(e.body, steps) }
	case "metadata":
		return func(e *env) (any, error) { return follow(e.metadata, steps) }
	case "item":
		return func(e *env) (any, error) { return follow(e.item, steps) }
	case "exists":
		if len(steps) == 0 {
			return func(e *env) (any, error) { return e.row.Exists, nil }
		}
	case "event":
		if len(steps) == 1 {
			get := eventField(steps[0].name)
			return func(e *env) (any, error) { return get(e.event), nil }
		}
	case "row":
		if len(steps) == 1 {
			i := s.table.Column(steps[0].name)
			return func(e *env) (any, error) { return rowValue(e.row.Column(i)), nil }
		}
	}
	return nil
}

// otherwise splits `body.n ?? 0` into its parts.
func otherwise(n ast.Node) (left ast.Node, right any, ok bool) {
	b, isBinary := n.(*ast.BinaryNode)
	if !isBinary || b.Operator != "??" {
		return nil, nil, false
	}
	right, ok = constant(b.Right)
	return b.Left, right, ok
}

func constant(n ast.Node) (any, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return int64(n.Value), true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.StringNode:
		return n.Value, true
	case *ast.BoolNode:
		return n.Value, true
	case *ast.NilNode:
		return nil, true
	}
	return nil, false
}

// step is one name of a path.
type step struct {
	name     string
	optional bool // ?. ends the path where there is nothing
}

// path splits body.address?.city into its parts.
func path(n ast.Node) (root string, steps []step, ok bool) {
	switch n := n.(type) {
	case *ast.ChainNode:
		return path(n.Node)
	case *ast.IdentifierNode:
		return n.Value, nil, true
	case *ast.MemberNode:
		property, isName := n.Property.(*ast.StringNode)
		if !isName || n.Method {
			return "", nil, false
		}
		root, steps, ok = path(n.Node)
		return root, append(steps, step{property.Value, n.Optional}), ok
	}
	return "", nil, false
}

var errNothing = errors.New("nothing")

// follow walks a path through decoded JSON. A name that is not there is nil; going on from nil is an error.
func follow(v any, steps []step) (any, error) {
	for _, s := range steps {
		switch at := v.(type) {
		case *partial:
			v = at.member(s.name)
		case map[string]any:
			v = at[s.name]
		case nil:
			if s.optional {
				return nil, nil
			}
			return nil, fmt.Errorf("cannot fetch %s from %w; write ?.%s where it may be missing", s.name, errNothing, s.name)
		default:
			return nil, fmt.Errorf("cannot fetch %s from %s", s.name, kindName(v))
		}
	}
	return v, nil
}

// kindName names what decoded JSON is.
func kindName(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case bool:
		return "true or false"
	case int64, float64, json.Number:
		return "a number"
	case []any:
		return "a list"
	case time.Time:
		return "a time"
	}
	return fmt.Sprintf("%T", v)
}
