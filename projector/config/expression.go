package config

import (
	"errors"
	"reflect"
	"regexp"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/checkpoint"
)

// expression is an expression as it stands in the file.
type expression struct {
	text string
	node *yaml.Node
	path string
}

// expressionKind takes any scalar: `body.name`, `1`, `true`.
type expressionKind struct{}

func (expressionKind) describe() *Description { return &Description{Type: "expression"} }

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

	usesBody, usesMetadata bool
	constant               bool
}

// scope is what an expression may refer to.
type scope struct {
	table *checkpoint.Table // for row; nil = there is no row yet
}

func (s scope) types() types.Map {
	m := types.Map{"body": types.Any, "metadata": types.Any, "event": types.TypeOf(&eventView{})}
	if s.table != nil {
		row := types.Map{}
		for _, c := range s.table.Columns {
			row[c.Name] = columnType(c)
		}
		m["row"], m["exists"] = row, types.Bool
	}
	return m
}

// columnType is how expressions see a column.
func columnType(c checkpoint.Column) types.Type {
	if c.Type.List {
		return types.Any
	}
	switch c.Type.Base {
	case checkpoint.Text, checkpoint.UUID, checkpoint.Decimal:
		return types.String
	case checkpoint.Int:
		return types.Int64
	case checkpoint.Float:
		return types.Float64
	case checkpoint.Bool:
		return types.Bool
	}
	return types.Any
}

// compile checks an expression and makes a program of it. It returns nil after it has noted a mistake.
func (w *walker) compileExpression(e expression, s scope) *program {
	if e.node == nil {
		return nil // its mistake is noted already
	}
	compiled, err := expr.Compile(e.text, expr.Env(s.types()), expr.DisableBuiltin("now"))
	if err != nil {
		w.failExpression(e, s, err)
		return nil
	}
	root := compiled.Node()
	p := &program{source: root.String(), typ: root.Type()}
	if p.typ != nil && p.typ.Kind() == reflect.Interface {
		p.typ = nil
	}
	ast.Find(root, func(n ast.Node) bool {
		if id, ok := n.(*ast.IdentifierNode); ok {
			p.usesBody = p.usesBody || id.Value == "body"
			p.usesMetadata = p.usesMetadata || id.Value == "metadata"
		}
		return false
	})
	if p.eval, p.constant = direct(root); p.eval == nil {
		p.eval = machine(compiled)
	}
	return p
}

// failExpression notes what is wrong, at its place within the expression.
func (w *walker) failExpression(e expression, s scope, err error) {
	var at *file.Error
	if !errors.As(err, &at) {
		w.fail(e.node, e.path, "%v", err)
		return
	}
	line, column := w.within(e.node, at.Line, at.Column)
	w.failAt(line, column, e.path, "%s%s", reworded(at.Message), s.hint(e.text, at.Message))
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

var (
	unknownName  = regexp.MustCompile(`^unknown name (\w+)$`)
	unknownField = regexp.MustCompile(`^(?:type \S+ has no field|unknown field) (\w+)$`)
	plainWord    = regexp.MustCompile(`^[\pL_][\pL\pN_ -]*$`)
)

// reworded says in the words of the file what the compiler says in those of Go.
func reworded(message string) string {
	if m := unknownField.FindStringSubmatch(message); m != nil {
		if strings.HasPrefix(message, "type ") {
			return "event has no " + m[1]
		}
		return "row has no column " + m[1]
	}
	message = strings.ReplaceAll(message, "interface {}", "any")
	message = strings.ReplaceAll(message, "map[string]any", "object")
	return message
}

// hint says what may have been meant.
func (s scope) hint(text, message string) string {
	if m := unknownName.FindStringSubmatch(message); m != nil {
		names := []string{"body", "event", "metadata"}
		if s.table != nil {
			names = append(names, "row", "exists")
		}
		switch {
		case m[1] == "row" || m[1] == "exists":
			return "; there is no row here yet"
		case m[1] == "now":
			return "; an event must give the same row whenever it is handled: use event.created"
		}
		if near := didYouMean(m[1], names); strings.Contains(near, "did you mean") {
			return near
		}
		if plainWord.MatchString(text) {
			return `; for text write "'` + text + `'", for a field of the event body.` + m[1]
		}
		return "; want " + oneOf(names)
	}
	if m := unknownField.FindStringSubmatch(message); m != nil {
		if strings.Contains(text, "event.") {
			return didYouMean(m[1], eventFields())
		}
		if s.table != nil {
			var columns []string
			for _, c := range s.table.Columns {
				columns = append(columns, c.Name)
			}
			return didYouMean(m[1], columns)
		}
	}
	if strings.HasPrefix(message, "unexpected token EOF") {
		return ": the expression ends too early"
	}
	return ""
}

// machine runs an expression that is more than a path or a constant.
func machine(p *vm.Program) func(e *env) (any, error) {
	return func(e *env) (any, error) {
		v, err := vm.Run(p, e.names())
		var at *file.Error
		if errors.As(err, &at) {
			return nil, errors.New(at.Message)
		}
		return v, err
	}
}
