package config

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// oracle decodes as encoding/json does.
func oracle(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	return oracleNumbers(v)
}

func oracleNumbers(v any) (any, error) {
	var err error
	switch x := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(string(x), 10, 64); err == nil {
			return n, nil
		}
		f, err := x.Float64()
		if math.IsInf(f, 0) {
			return nil, strconv.ErrRange
		}
		return f, err
	case []any:
		for i := range x {
			if x[i], err = oracleNumbers(x[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range x {
			if x[k], err = oracleNumbers(x[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{"a":{"b":[1,2.5,-0,1e3,true,false,null]},"c":"\u00e4\n\"x\ud800","a":{"b":9007199254740993}}`, ` [ ] `, `"\xff"`, `{"a":1,}`, `-`, `01`,
		`1.`, `"a`, `nul`, `{"\u0061":{"b":1}}`, `18446744073709551616`, `1e999`, `{"a":"x"}`, "\"\t\"", `{"a":[{"b":1}]}`, "{\"a\xff\":1}", ``, `{} {}`,
	} {
		f.Add([]byte(s))
	}
	paths := [][]step{{{name: "a"}, {name: "b"}}, {{name: "c"}}, {{name: "a"}}, {{name: "a\ufffd"}}}
	f.Fuzz(func(t *testing.T, data []byte) {
		want, wantErr := oracle(data)
		got, err := scan(data, &everything)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: got %v, encoding/json %v", data, err, wantErr)
		}
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			t.Fatalf("%q (-encoding/json +got):\n%s", data, diff)
		}
		for i := range paths {
			w := &wanted{}
			for _, p := range paths[:i+1] {
				w.add(p)
			}
			part, err := scan(data, w)
			if wantErr == nil && err != nil {
				t.Fatalf("%q: %v", data, err)
			}
			if err != nil || wantErr != nil {
				continue // a number that does not fit is an error only where it is wanted
			}
			for _, p := range paths[:i+1] {
				a, errA := follow(got, p)
				b, errB := follow(part, p)
				if diff := cmp.Diff(a, b); diff != "" || (errA == nil) != (errB == nil) {
					t.Fatalf("%q: %v is %v, %v; in a part of it %v, %v", data, p, a, errA, b, errB)
				}
			}
		}
	})
}
