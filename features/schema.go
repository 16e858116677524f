package features

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Subject is what a vector describes.
type Subject string

// The subjects that can be scored.
const (
	PositionSubject Subject = "position" // a SKU at a location, before it is counted
	LoadSubject     Subject = "load"     // a line of an inbound load, before it is received
)

// schemaVersion changes whenever the meaning of a feature does.
const schemaVersion = 1

// A Schema says what the numbers of a vector mean. It travels with a model,
// and a model is refused where its hash differs.
type Schema struct {
	Subject Subject
	Version int
	Attrs   []AttrColumn // the site's own facts, after the built-in features
}

// An AttrColumn is a feature read from an attribute of events.
type AttrColumn struct {
	Name   string
	Values []string // categories in the order of their codes; nil for a number
}

// NewSchema returns the built-in schema of a subject, without attributes.
func NewSchema(subject Subject) Schema {
	return Schema{Subject: subject, Version: schemaVersion}
}

// Names returns the names of the features in order.
func (s *Schema) Names() []string {
	names := slices.Clone(positionNames[:])
	if s.Subject == LoadSubject {
		names = slices.Clone(lineNames[:])
	}
	for _, a := range s.Attrs {
		names = append(names, "attr."+a.Name)
	}
	return names
}

// Categorical reports whether feature i holds category codes.
func (s *Schema) Categorical(i int) bool {
	i -= s.builtin()
	return i >= 0 && s.Attrs[i].Values != nil
}

// Width is the length of a vector.
func (s *Schema) Width() int { return s.builtin() + len(s.Attrs) }

func (s *Schema) builtin() int {
	if s.Subject == LoadSubject {
		return int(numLine)
	}
	return int(numPosition)
}

// Index returns the place of a named feature, -1 when there is none.
func (s *Schema) Index(name string) int { return slices.Index(s.Names(), name) }

// Hash identifies the schema: same hash, same meaning.
func (s *Schema) Hash() string {
	// Plain structs of strings always marshal.
	b, _ := json.Marshal(struct {
		Schema
		Names []string
	}{*s, s.Names()})
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// MarshalText and [ParseSchema] carry a schema in a model file.
func (s *Schema) MarshalText() ([]byte, error) {
	type plain Schema
	return json.Marshal((*plain)(s))
}

// ParseSchema reads a schema and refuses one that this program's features do
// not match.
func ParseSchema(text string) (Schema, error) {
	type plain Schema
	var s plain
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return Schema{}, fmt.Errorf("feature schema: %w", err)
	}
	switch {
	case s.Version != schemaVersion:
		return Schema{}, fmt.Errorf("feature schema has version %d, this program makes version %d; train the model again", s.Version, schemaVersion)
	case s.Subject != PositionSubject && s.Subject != LoadSubject:
		return Schema{}, fmt.Errorf("feature schema is for %q, neither position nor load", s.Subject)
	}
	return Schema(s), nil
}

// Limits of what is learned from attributes.
const (
	maxAttrColumns = 32
	maxCategories  = 32
	minUses        = 50 // of a category, to be one of its own
)

// WithAttrs returns the built-in schema of a subject extended by the
// attributes of these facts: an attribute whose every value is a number
// becomes one number, any other its most frequent values.
func (c *Coder) WithAttrs(subject Subject, facts []Fact) Schema {
	s := NewSchema(subject)
	uses := make([]int, len(c.attrs))
	for i := range facts {
		uses[facts[i].detail().attrs]++
	}
	numeric, values := map[uint32]bool{}, map[uint32]map[uint32]int{}
	for set, n := range uses {
		for _, a := range c.attrs[set] {
			if n == 0 {
				continue
			}
			if values[a.name] == nil {
				values[a.name], numeric[a.name] = map[uint32]int{}, true
			}
			values[a.name][a.value] += n
			numeric[a.name] = numeric[a.name] && !math.IsNaN(a.number)
		}
	}
	for name, byValue := range values {
		column := AttrColumn{Name: c.attrNames.text[name]}
		if !numeric[name] {
			column.Values = c.frequent(byValue)
			if len(column.Values) < 2 {
				continue
			}
		}
		s.Attrs = append(s.Attrs, column)
	}
	slices.SortFunc(s.Attrs, func(a, b AttrColumn) int { return cmp.Compare(a.Name, b.Name) })
	s.Attrs = s.Attrs[:min(len(s.Attrs), maxAttrColumns)]
	return s
}

// frequent returns the values used often enough, most frequent first.
func (c *Coder) frequent(byValue map[uint32]int) []string {
	values := []string{}
	uses := map[string]int{}
	for value, n := range byValue {
		if n >= minUses {
			_, text, _ := strings.Cut(c.attrValues.text[value], "\x00")
			values = append(values, text)
			uses[text] = n
		}
	}
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(cmp.Compare(uses[b], uses[a]), cmp.Compare(a, b)) })
	return values[:min(len(values), maxCategories)]
}

// writeAttrs writes the attribute features of a set behind the built-in ones.
func (c *Coder) writeAttrs(schema *Schema, set uint32, v []float32) {
	v = v[schema.builtin():]
	for i := range v {
		v[i] = nan
	}
	for _, a := range c.attrs[set] {
		name := c.attrNames.text[a.name]
		i, ok := slices.BinarySearchFunc(schema.Attrs, name, func(x AttrColumn, name string) int { return cmp.Compare(x.Name, name) })
		if !ok {
			continue
		}
		column := &schema.Attrs[i]
		if column.Values == nil {
			v[i] = float32(a.number)
			continue
		}
		_, text, _ := strings.Cut(c.attrValues.text[a.value], "\x00")
		if code := slices.Index(column.Values, text); code >= 0 {
			v[i] = float32(code)
		}
	}
}
