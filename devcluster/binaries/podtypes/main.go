// Says what Kubernetes itself thinks of pods, in JSON: `shapes` lists the fields of the pod's Go types with the
// defaults that the API server's own code sets; `typed` and `pods` read pod templates, one a line, and answer each
// with what a typed client writes back, and with the pod that the API server makes of it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apiserver/pkg/util/feature"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	"k8s.io/kubernetes/pkg/features"
)

// field is one field of a type. Absent and Go's zero value are the same unless Pointer is set.
type field struct {
	Kind    string `json:"kind"`
	Type    string `json:"type,omitempty"`
	Pointer bool   `json:"pointer,omitempty"`
	Default any    `json:"default,omitempty"`
}

type shapes map[string]map[string]*field

var (
	quantity     = reflect.TypeOf(resource.Quantity{})
	resourceList = reflect.TypeOf(corev1.ResourceList{})
	intOrString  = reflect.TypeOf(intstr.IntOrString{})
	moment       = reflect.TypeOf(metav1.Time{})
	metadata     = reflect.TypeOf(metav1.ObjectMeta{})
)

func kindOf(t reflect.Type) (kind, name string) {
	switch {
	case t == quantity:
		return "quantity", ""
	case t == resourceList:
		return "amounts", ""
	case t == intOrString:
		return "intOrString", ""
	case t == moment:
		return "string", ""
	case t.Kind() == reflect.Struct:
		return "object", t.Name()
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "string", ""
	case t.Kind() == reflect.Slice:
		inner, name := kindOf(t.Elem())
		if inner == "object" {
			return "objects", name
		}
		return inner + "s", ""
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.String:
		return "map", ""
	case t.Kind() == reflect.String:
		return "string", ""
	case t.Kind() == reflect.Bool:
		return "boolean", ""
	case t.Kind() == reflect.Int32 || t.Kind() == reflect.Int64:
		return "integer", ""
	}
	panic(fmt.Sprintf("the type %v is new to this program", t))
}

// eachField calls visit for the fields of a struct as JSON has them, inlined structs included.
func eachField(v reflect.Value, visit func(name string, field reflect.Value)) {
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == "" && strings.Contains(options, "inline") {
			eachField(v.Field(i), visit)
		} else if name != "-" && name != "" {
			visit(name, v.Field(i))
		}
	}
}

// fill allocates all that can be, scalars left out: so that defaulting reaches every field.
func fill(v reflect.Value) {
	switch {
	case v.Type() == metadata || v.Type() == quantity || v.Type() == intOrString || v.Type() == moment:
	case v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct && v.Type().Elem() != quantity:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	}
}

func (s shapes) add(v reflect.Value) {
	known, seen := s[v.Type().Name()], true
	if known == nil {
		known, seen = map[string]*field{}, false
		s[v.Type().Name()] = known
	}
	eachField(v, func(name string, value reflect.Value) {
		t, pointer := value.Type(), value.Kind() == reflect.Pointer
		if pointer {
			t = t.Elem()
		}
		kind, inner := kindOf(t)
		found := &field{Kind: kind, Type: inner, Pointer: pointer}
		// What image is pulled when depends on the image, so no default of it is one for all.
		if !value.IsZero() && kind != "object" && kind != "objects" && !strings.HasSuffix(strings.ToLower(name), "pullpolicy") {
			found.Default = reflect.Indirect(value).Interface()
		}
		if seen && (known[name] == nil || known[name].Default != found.Default) {
			panic(fmt.Sprintf("%s.%s has more than one default", v.Type().Name(), name))
		}
		known[name] = found
		for value.Kind() == reflect.Pointer && !value.IsNil() {
			value = value.Elem()
		}
		if kind == "object" {
			s.add(value)
		} else if kind == "objects" && value.Len() > 0 {
			s.add(value.Index(0))
		}
	})
}

// bare adds the defaults of objects that are absent as a whole.
func (s shapes) bare(pod *corev1.Pod) {
	eachField(reflect.ValueOf(pod.Spec), func(name string, value reflect.Value) {
		if value.Kind() == reflect.Pointer && !value.IsNil() && value.Type().Elem().Kind() == reflect.Struct {
			s["PodSpec"][name].Default = value.Interface()
		}
	})
}

func defaulted(pod *corev1.Pod) *corev1.Pod {
	legacyscheme.Scheme.Default(pod)
	return pod
}

func writeShapes() error {
	full := &corev1.Pod{}
	fill(reflect.ValueOf(&full.Spec).Elem())
	found := shapes{}
	found.add(reflect.ValueOf(defaulted(full).Spec))
	found.bare(defaulted(&corev1.Pod{}))
	return json.NewEncoder(os.Stdout).Encode(found)
}

func typed(template *corev1.PodTemplateSpec) (any, error) { return template, nil }

// made goes the way of a creation: defaults, the internal type, the bytes in etcd, and back.
func made(template *corev1.PodTemplateSpec) (any, error) {
	pod := defaulted(&corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec})
	inner, stored, read := &core.Pod{}, &corev1.Pod{}, &corev1.Pod{}
	if err := legacyscheme.Scheme.Convert(pod, inner, nil); err != nil {
		return nil, err
	}
	if err := legacyscheme.Scheme.Convert(inner, stored, nil); err != nil {
		return nil, err
	}
	bytes, err := stored.Marshal()
	if err != nil {
		return nil, err
	}
	if err := read.Unmarshal(bytes); err != nil {
		return nil, err
	}
	template = &corev1.PodTemplateSpec{ObjectMeta: read.ObjectMeta, Spec: read.Spec}
	respell(reflect.ValueOf(template).Elem())
	return template, nil
}

// respell writes all amounts in one format: Kubernetes compares how much they are.
func respell(v reflect.Value) {
	switch {
	case v.Type() == quantity:
		v.Set(reflect.ValueOf(*resource.NewDecimalQuantity(*v.Addr().Interface().(*resource.Quantity).AsDec(), resource.DecimalSI)))
	case v.Type() == moment:
	case v.Kind() == reflect.Pointer && !v.IsNil():
		respell(v.Elem())
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			respell(v.Field(i))
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			respell(v.Index(i))
		}
	case v.Type() == resourceList:
		for _, key := range v.MapKeys() {
			amount := reflect.New(quantity).Elem()
			amount.Set(v.MapIndex(key))
			respell(amount)
			v.SetMapIndex(key, amount)
		}
	}
}

func answer(make func(*corev1.PodTemplateSpec) (any, error)) error {
	lines, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		template := &corev1.PodTemplateSpec{}
		if err := json.Unmarshal(lines.Bytes(), template); err != nil {
			if err := out.Encode(map[string]string{"error": err.Error()}); err != nil {
				return err
			}
			continue
		}
		result, err := make(template)
		if err == nil {
			err = out.Encode(result)
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}

func main() {
	run := map[string]func() error{
		"shapes": writeShapes,
		"typed":  func() error { return answer(typed) },
		"pods":   func() error { return answer(made) },
	}
	if len(os.Args) != 2 || run[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: podtypes shapes|typed|pods")
		os.Exit(2)
	}
	// Off by default in this version; a cluster that has it on gives such volumes a pull policy.
	err := feature.DefaultMutableFeatureGate.Set(string(features.ImageVolume) + "=true")
	if err == nil {
		err = run[os.Args[1]]()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
