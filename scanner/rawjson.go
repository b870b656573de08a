package scanner

import (
	"encoding/hex"
	"reflect"
	"strconv"

	"github.com/gotd/td/tdp"
)

// jsonOf gives an object of Telegram's schema as what JSON can say: "_" is its
// type, the other names are the schema's, and what is not set is left out.
// 64-bit numbers are strings, for many readers of JSON know doubles only; bytes
// are base64. The exact bytes are in raw.tl, beside it.
func jsonOf(o tdp.Object) map[string]any {
	info := o.TypeInfo()
	out := map[string]any{"_": info.Name}
	v := reflect.ValueOf(o)
	if info.Null || v.Kind() != reflect.Pointer || v.IsNil() {
		return out
	}
	v = v.Elem()
	for _, f := range info.Fields {
		if field := v.FieldByName(f.Name); !f.Null && field.IsValid() {
			out[f.SchemaName] = jsonValue(field)
		}
	}
	return out
}

func jsonValue(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		if o, ok := v.Interface().(tdp.Object); ok {
			return jsonOf(o)
		}
		return jsonValue(v.Elem())
	case reflect.Struct:
		if v.CanAddr() {
			if o, ok := v.Addr().Interface().(tdp.Object); ok {
				return jsonOf(o)
			}
		}
		return nil
	case reflect.Slice:
		if b, ok := v.Interface().([]byte); ok {
			return b
		}
		all := make([]any, v.Len())
		for i := range all {
			all[i] = jsonValue(v.Index(i))
		}
		return all
	case reflect.Array: // 128- and 256-bit numbers
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		return hex.EncodeToString(b)
	case reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	}
	return v.Interface()
}
