package sqlite

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// timeLayout sorts as text in the order of time.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// bind appends canonical values as the driver takes them.
func bind(args []any, values []any) []any {
	for _, v := range values {
		switch x := v.(type) {
		case bool:
			if x {
				v = int64(1)
			} else {
				v = int64(0)
			}
		case time.Time:
			v = x.Format(timeLayout)
		case uuid.UUID:
			v = x.String()
		case json.RawMessage:
			v = string(x)
		case []any:
			v = encodeList(x)
		}
		args = append(args, v)
	}
	return args
}

// encodeList writes a list as a JSON array. Decimals, times, ids and bytes (in base64) are strings in it.
func encodeList(list []any) string {
	b := []byte{'['}
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		switch v := v.(type) {
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case float64:
			b = strconv.AppendFloat(b, v, 'g', -1, 64)
		case bool:
			b = strconv.AppendBool(b, v)
		case json.RawMessage:
			b = append(b, v...)
		case string:
			b = appendJSONString(b, v)
		case time.Time:
			b = appendJSONString(b, v.Format(timeLayout))
		case uuid.UUID:
			b = appendJSONString(b, v.String())
		case []byte:
			b = appendJSONString(b, base64.StdEncoding.EncodeToString(v))
		}
	}
	return string(append(b, ']'))
}

func appendJSONString(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string that is UTF-8 has no reason to fail
	return append(b, quoted...)
}

// decode turns what the driver returns into the value of a column.
func decode(t checkpoint.Type, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if t.List {
		text, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("%T is no %v", v, t)
		}
		return decodeList(t.Base, text)
	}
	return decodeBase(t.Base, v)
}

func decodeBase(base checkpoint.Base, v any) (any, error) {
	switch v := v.(type) {
	case string:
		return decodeText(base, v)
	case int64:
		switch base {
		case checkpoint.Int:
			return v, nil
		case checkpoint.Bool:
			return v != 0, nil
		case checkpoint.Float:
			return float64(v), nil
		}
	case float64:
		if base == checkpoint.Float {
			return v, nil
		}
	case []byte:
		if base == checkpoint.Bytes {
			return append([]byte{}, v...), nil
		}
	}
	return nil, fmt.Errorf("%T is no %v", v, base)
}

func decodeText(base checkpoint.Base, text string) (any, error) {
	switch base {
	case checkpoint.Text, checkpoint.Decimal:
		return text, nil
	case checkpoint.JSON:
		return json.RawMessage(text), nil
	case checkpoint.UUID:
		return uuid.Parse(text)
	case checkpoint.Time:
		return time.Parse(timeLayout, text)
	}
	return nil, fmt.Errorf("text is no %v", base)
}

func decodeList(base checkpoint.Base, text string) (any, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, err
	}
	list := make([]any, len(raw))
	for i := range raw {
		var err error
		if list[i], err = decodeElement(base, raw[i]); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return list, nil
}

func decodeElement(base checkpoint.Base, raw json.RawMessage) (any, error) {
	switch base {
	case checkpoint.Int:
		return strconv.ParseInt(string(raw), 10, 64)
	case checkpoint.Float:
		return strconv.ParseFloat(string(raw), 64)
	case checkpoint.Bool:
		return strconv.ParseBool(string(raw))
	case checkpoint.JSON:
		return raw, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, err
	}
	if base == checkpoint.Bytes {
		return base64.StdEncoding.DecodeString(text)
	}
	return decodeText(base, text)
}
