package readmodel

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// rawAccess stores an empty message as NULL.
func rawAccess() access {
	return access{
		get: func(v reflect.Value) any {
			if v.Len() == 0 {
				return nil
			}
			return json.RawMessage(slices.Clone(v.Bytes()))
		},
		set: func(v reflect.Value, x any) error {
			c, err := convertJSON(x)
			if err == nil {
				v.SetBytes(c.(json.RawMessage))
			}
			return err
		},
		clean: func(v reflect.Value) error {
			if v.Len() == 0 {
				v.SetZero()
				return nil
			}
			c, err := convertJSON(json.RawMessage(v.Bytes()))
			if err == nil {
				v.SetBytes(c.(json.RawMessage))
			}
			return err
		},
	}
}

// jsonAccess stores any Go value as JSON. The value goes through JSON after each change, so that what a function finds
// does not depend on whether the row was loaded since.
func jsonAccess(t reflect.Type) access {
	get := func(v reflect.Value) (json.RawMessage, error) {
		raw, err := json.Marshal(v.Interface())
		if err != nil {
			return nil, err
		}
		c, err := convertJSON(json.RawMessage(raw))
		if err != nil {
			return nil, err
		}
		return c.(json.RawMessage), nil
	}
	set := func(v reflect.Value, x json.RawMessage) error {
		fresh := reflect.New(t)
		if err := json.Unmarshal(x, fresh.Interface()); err != nil {
			return err
		}
		v.Set(fresh.Elem())
		return nil
	}
	return access{
		get: func(v reflect.Value) any {
			raw, _ := get(v) // clean has looked at the error
			return raw
		},
		set: func(v reflect.Value, x any) error {
			c, err := convertJSON(x)
			if err != nil {
				return err
			}
			return set(v, c.(json.RawMessage))
		},
		clean: func(v reflect.Value) error {
			raw, err := get(v)
			if err != nil {
				return err
			}
			return set(v, raw)
		},
	}
}

func pointerAccess(t reflect.Type, inner access) access {
	a := access{
		get: func(v reflect.Value) any {
			if v.IsNil() {
				return nil
			}
			return inner.get(v.Elem())
		},
		set: func(v reflect.Value, x any) error {
			fresh := reflect.New(t.Elem())
			v.Set(fresh)
			return inner.set(fresh.Elem(), x)
		},
	}
	if inner.clean != nil {
		a.clean = func(v reflect.Value) error {
			if v.IsNil() {
				return nil
			}
			fresh := reflect.New(t.Elem()) // what it points at may belong to an event
			fresh.Elem().Set(v.Elem())
			v.Set(fresh)
			return inner.clean(fresh.Elem())
		}
	}
	return a
}

func listAccess(inner access) access {
	a := access{
		get: func(v reflect.Value) any {
			list := make([]any, v.Len())
			for i := range list {
				list[i] = inner.get(v.Index(i))
			}
			return list
		},
		set: func(v reflect.Value, x any) error {
			list := x.([]any)
			if len(list) == 0 {
				v.SetZero()
				return nil
			}
			fresh := reflect.MakeSlice(v.Type(), len(list), len(list))
			for i, item := range list {
				if err := inner.set(fresh.Index(i), item); err != nil {
					return err
				}
			}
			v.Set(fresh)
			return nil
		},
	}
	a.clean = func(v reflect.Value) error {
		if v.Len() == 0 {
			v.SetZero()
			return nil
		}
		v.SetCap(v.Len()) // rows may hold the same slice of one event: appending must not share memory
		for i := range v.Len() {
			item := v.Index(i)
			if inner.clean != nil {
				if err := inner.clean(item); err != nil {
					return fmt.Errorf("item %d of the list: %w", i, err)
				}
			}
			if inner.get(item) == nil {
				return fmt.Errorf("item %d of the list is null", i)
			}
		}
		return nil
	}
	return a
}
