package readmodel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// convertJSON returns v as canonical JSON: compact, keys sorted, the last of equal keys, numbers exact and without
// exponent. Databases that keep JSON in a form of their own give it back with other spaces and another order.
func convertJSON(v any) (any, error) {
	raw, isRaw := v.(json.RawMessage)
	if isRaw {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		var x any
		if err := d.Decode(&x); err != nil {
			return nil, errors.New("not valid JSON")
		}
		if _, err := d.Token(); err != io.EOF {
			return nil, errors.New("not valid JSON: something follows the value")
		}
		v = x
	}
	b, err := appendJSON(nil, v)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(b), nil
}

func appendJSON(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		return appendJSONText(b, v)
	case json.Number:
		d, err := parseDecimal(string(v))
		if err != nil {
			return nil, err
		}
		return append(b, d.String()...), nil
	case float64, float32:
		if _, err := convertFloat(v); err != nil {
			return nil, err
		}
		d, err := convertDecimal(v)
		if err != nil {
			return nil, err
		}
		return append(b, d.(string)...), nil
	case bool:
		if v {
			return append(b, "true"...), nil
		}
		return append(b, "false"...), nil
	case time.Time:
		return appendJSONText(b, v.UTC().Format(time.RFC3339Nano))
	case uuid.UUID:
		return appendJSONText(b, v.String())
	case []any:
		return appendJSONList(b, v)
	case map[string]any:
		return appendJSONObject(b, v)
	}
	if n, ok := toInt(v); ok {
		return fmt.Append(b, n), nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	c, err := convertJSON(json.RawMessage(raw))
	if err != nil {
		return nil, err
	}
	return append(b, c.(json.RawMessage)...), nil
}

func appendJSONText(b []byte, s string) ([]byte, error) {
	if err := checkText(s); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return nil, err
	}
	return append(b, strings.TrimSuffix(buf.String(), "\n")...), nil
}

func appendJSONList(b []byte, list []any) ([]byte, error) {
	b = append(b, '[')
	for i, item := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, item); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendJSONObject(b []byte, object map[string]any) ([]byte, error) {
	keys := make([]string, 0, len(object))
	for k := range object {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSONText(b, k); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendJSON(b, object[k]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}
