package rows

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// text is a value as people write it: without quotes; lists and JSON as JSON.
func text(t checkpoint.Type, v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
	case []byte:
		return base64.StdEncoding.EncodeToString(v), nil
	case json.RawMessage:
		return string(v), nil
	case []any:
		b, err := appendJSON(nil, t, v)
		return string(b), err
	}
	return fmt.Sprint(v), nil
}
