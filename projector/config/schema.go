package config

import (
	"encoding/json"
	"slices"
)

// Describe returns the description of a whole file.
func Describe() *Description { return spec().describe() }

// JSONSchema returns a JSON Schema (2020-12) of the file, for editors.
func JSONSchema() []byte {
	schema := schemaOf(Describe())
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "projector.yaml"
	schema["patternProperties"] = map[string]any{"^x-": map[string]any{}}
	schema["$defs"] = map[string]any{"body": map[string]any{"anyOf": []any{
		map[string]any{"enum": bodyTypes()},
		map[string]any{"type": "object", "additionalProperties": bodyRef()},
		map[string]any{"type": "array", "items": bodyRef(), "minItems": 1, "maxItems": 1},
	}}}
	b, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(err) // maps, lists and strings only
	}
	return append(b, '\n')
}

func bodyRef() map[string]any { return map[string]any{"$ref": "#/$defs/body"} }

func schemaOf(d *Description) map[string]any {
	switch d.Type {
	case KindText:
		if len(d.Values) > 0 {
			return map[string]any{"enum": d.Values}
		}
		return map[string]any{"type": []string{"string", "number"}}
	case KindBool:
		return map[string]any{"type": "boolean"}
	case KindInt:
		return map[string]any{"type": "integer"}
	case KindDuration:
		return map[string]any{"type": "string", "pattern": `^([0-9]+d)?([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))*$`}
	case KindExpression:
		return map[string]any{"type": []string{"string", "number", "boolean"}}
	case KindColumnType:
		return map[string]any{"enum": d.Values}
	case KindList:
		item := schemaOf(d.Item)
		return map[string]any{"anyOf": []any{item, map[string]any{"type": "array", "minItems": 1, "items": item}}}
	case KindRows:
		return map[string]any{"type": "array", "items": schemaOf(d.Item)}
	case KindMapping:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(d.Item)}
	case KindObject:
		return objectSchema(d)
	case KindOr:
		alternatives := make([]any, len(d.Or))
		for i, or := range d.Or {
			alternatives[i] = schemaOf(or)
		}
		return map[string]any{"anyOf": alternatives}
	case KindBody:
		return bodyRef()
	}
	return map[string]any{}
}

func objectSchema(d *Description) map[string]any {
	properties := map[string]any{}
	var required []string
	for _, f := range d.Fields {
		p := schemaOf(f.Value)
		p["description"] = f.Doc
		if f.Default != "" {
			p["default"] = f.Default
		}
		properties[f.Name] = p
		if f.Required {
			required = append(required, f.Name)
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		slices.Sort(required)
		s["required"] = required
	}
	return s
}
