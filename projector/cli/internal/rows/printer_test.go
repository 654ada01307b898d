package rows

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

func column(name string, base checkpoint.Base) checkpoint.Column {
	return checkpoint.Column{Name: name, Type: checkpoint.Type{Base: base}}
}

func columns() []checkpoint.Column {
	return []checkpoint.Column{
		column("text", checkpoint.Text), column("int", checkpoint.Int), column("float", checkpoint.Float),
		column("decimal", checkpoint.Decimal), column("bool", checkpoint.Bool), column("time", checkpoint.Time),
		column("uuid", checkpoint.UUID), column("bytes", checkpoint.Bytes), column("json", checkpoint.JSON),
		{Name: "list", Type: checkpoint.Type{Base: checkpoint.Decimal, List: true}},
	}
}

func values() [][]any {
	return [][]any{
		{
			"a, \"b\"\x1b[31m\n", int64(9007199254740993), 0.5, "12345678901234567890.10", true,
			time.Date(2024, 3, 1, 6, 0, 0, 1000, time.UTC), uuid.MustParse("01020304-0506-0708-090a-0b0c0d0e0f10"),
			[]byte{1, 2},
			json.RawMessage(`{"a":[1]}`),
			[]any{"1.50", "2"},
		},
		{"ß", int64(-1), 1e21, nil, nil, nil, nil, nil, nil, nil},
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"json": `[
{"text":"a, \"b\"\u001b[31m\n","int":9007199254740993,"float":0.5,"decimal":12345678901234567890.10,"bool":true,` +
			`"time":"2024-03-01T06:00:00.000001Z","uuid":"01020304-0506-0708-090a-0b0c0d0e0f10","bytes":"AQI=","json":{"a":[1]},"list":[1.50,2]},
{"text":"ß","int":-1,"float":1e+21,"decimal":null,"bool":null,"time":null,"uuid":null,"bytes":null,"json":null,"list":null}
]
`,
		"csv": `text,int,float,decimal,bool,time,uuid,bytes,json,list
"a, ""b""` + "\x1b[31m\n" + `",9007199254740993,0.5,12345678901234567890.10,true,2024-03-01T06:00:00.000001Z,01020304-0506-0708-090a-0b0c0d0e0f10,AQI=,"{""a"":[1]}","[1.50,2]"
ß,-1,1000000000000000000000,,,,,,,
`,
		"table": `text                       int                   float                  decimal  bool  time                         uuid                                  bytes  json       list
a, "b"·[31m·  9007199254740993                     0.5  12345678901234567890.10  true  2024-03-01T06:00:00.000001Z  01020304-0506-0708-090a-0b0c0d0e0f10  AQI=   {"a":[1]}  [1.50,2]
ß                           -1  1000000000000000000000                        –  –     –                            –                                     –      –          –
`,
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			got := render(t, format, columns(), values())
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if format == "json" && !json.Valid([]byte(got)) {
				t.Error("not valid JSON")
			}
		})
	}
}

func TestNoRows(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"json": "[]\n", "csv": "a,b\n", "table": "a  b\n"} {
		got := render(t, format, []checkpoint.Column{column("a", checkpoint.Text), column("b", checkpoint.Int)}, nil)
		if got != want {
			t.Errorf("%s: got %q, want %q", format, got, want)
		}
	}
}

// More rows than are measured must come out whole and in order, and wide values be cut.
func TestLongTable(t *testing.T) {
	t.Parallel()
	var all [][]any
	for i := range 3 * measured {
		all = append(all, []any{int64(i)})
	}
	lines := strings.Fields(render(t, "table", []checkpoint.Column{column("n", checkpoint.Int)}, all))
	if len(lines) != 3*measured+1 || lines[len(lines)-1] != fmt.Sprint(3*measured-1) {
		t.Errorf("got %d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
	wide := render(t, "table", []checkpoint.Column{column("s", checkpoint.Text)}, [][]any{{strings.Repeat("ö", 100)}})
	if want := strings.Repeat("ö", maxWidth-1) + "…\n"; !strings.HasSuffix(wide, want) {
		t.Errorf("got %q, want it to end in %q", wide, want)
	}
}

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	_, err := New("xml", nil, nil)
	if want := `unknown format "xml": want table, json, csv`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func render(t *testing.T, format string, columns []checkpoint.Column, rows [][]any) string {
	t.Helper()
	var b strings.Builder
	p, err := New(format, &b, columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := p.Row(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
