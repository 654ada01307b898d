package codec

import (
	"encoding/json"
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
)

type embedded struct {
	A int
	B *string
	C []byte
	D map[string]int
	E [2]int
}

type everything struct {
	R     json.RawMessage
	T     time.Time
	I     int64 `json:"i,string"`
	S     []embedded
	P     *embedded
	F     float32
	U     uuid.UUID
	Big   *big.Int
	Upper bool
	X     string `json:"x"`
	embedded
}

// FuzzJSONSame holds the fast decoder to encoding/json: the same data is refused, and what is accepted means the same.
func FuzzJSONSame(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, ``, `[1]`, `{"a":1}x`, "{\"x\":\"\xff\"}", `{"i":5}`, `{"i":null}`, `{"S":{}}`, `{"D":{"a":1,"a":2}}`,
		`{"E":[1]}`, `{"E":[1,2,3]}`, `{"F":"1"}`, `{"F":1e40}`, `{"A":1.0}`, `{"A":1e2}`, `{"UPPER":true,"x":"a","X":"b"}`,
		`{"R":{"a":1 , "b":2},"T":"2024-01-01T00:00:00Z","i":"5","S":[{"A":1,"B":"x","C":"AAA=","D":{"q":1}}],"P":null}`,
		`{"U":"00112233-4455-6677-8899-aabbccddeeff","Big":123456789012345678901234567890,"x":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	c := JSON().(*jsonCodec)
	if got := c.shape(reflect.TypeFor[*everything]()); got != plain {
		f.Fatalf("got shape %d, want the fast decoder", got)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want everything
		wantErr := json.Unmarshal(data, &want)
		err := c.Decode(data, &got)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("got error %v, encoding/json says %v", err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, encoding/json says %+v", got, want)
		}
	})
}

func TestJSONNumberIsChecked(t *testing.T) {
	t.Parallel()
	var body struct{ N json.Number }
	if err := JSON().Decode([]byte(`{"N":"abc"}`), &body); err == nil {
		t.Fatalf("took %q for a number", body.N)
	}
}
