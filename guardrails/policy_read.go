package guardrails

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// policyReader reads a policy file strictly and remembers every fault.
type policyReader struct {
	lines  []string
	faults []Fault
}

func (r *policyReader) fault(n *yaml.Node, format string, args ...any) {
	line, column := 1, 1
	if n != nil && n.Line > 0 {
		line, column = n.Line, n.Column
	}
	r.faults = append(r.faults, Fault{line, column, fmt.Sprintf(format, args...)})
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// document returns the one mapping that the source holds.
func (r *policyReader) document(source []byte) *yaml.Node {
	var doc, next yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(source))
	err := d.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		r.fault(nil, "the file is empty")
		return nil
	case err != nil:
		r.syntax(err)
		return nil
	}
	if err := d.Decode(&next); err == nil {
		r.fault(&next, "a policy is one document; another begins here")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
	}
	r.plain(doc.Content[0])
	return doc.Content[0]
}

func (r *policyReader) syntax(err error) {
	f := Fault{1, 1, strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		f.Line, _ = strconv.Atoi(m[1])
		f.Detail = m[2]
	}
	r.faults = append(r.faults, f)
}

// plain refuses what would let a file say something else than it seems to.
func (r *policyReader) plain(n *yaml.Node) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		r.fault(n, "anchors and aliases are not allowed; write it out")
		return
	}
	if n.Style&yaml.TaggedStyle != 0 {
		r.fault(n, "tags such as %s are not allowed", n.Tag)
	}
	for _, child := range n.Content {
		r.plain(child)
	}
}

// mapping returns the members of a mapping. Unknown and repeated keys are faults.
func (r *policyReader) mapping(n *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	members := map[string]*yaml.Node{}
	if n == nil {
		return members
	}
	if n.Kind != yaml.MappingNode {
		with := ""
		if len(known) > 0 {
			with = " with " + strings.Join(known, ", ")
		}
		r.fault(n, "%s must be a mapping%s", what, with)
		return members
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.fault(key, "a key of %s must be a text", what)
		case members[key.Value] != nil:
			r.fault(key, "%q is there twice", key.Value)
		case len(known) > 0 && !slices.Contains(known, key.Value):
			r.fault(key, "%s has no %q; it has %s", what, key.Value, strings.Join(known, ", "))
		default:
			members[key.Value] = n.Content[i+1]
		}
	}
	return members
}

func (r *policyReader) list(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.fault(n, "%s must be a list", what)
		return nil
	}
	return n.Content
}

func (r *policyReader) text(n *yaml.Node, what string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		r.fault(n, "%s must be a text", what)
		return ""
	}
	if strings.TrimSpace(n.Value) == "" {
		r.fault(n, "%s is empty", what)
	}
	if len(n.Value) > maxText && what != "when" {
		r.fault(n, "%s has more than %d bytes", what, maxText)
	}
	return n.Value
}

func (r *policyReader) texts(n *yaml.Node, what string) []string {
	var all []string
	for _, item := range r.list(n, what) {
		all = append(all, r.text(item, "an entry of "+what))
	}
	return all
}

func (r *policyReader) integer(n *yaml.Node, what string) int64 {
	if n == nil {
		return 0
	}
	if n.Kind == yaml.ScalarNode && n.Value == "unknown" {
		return UnknownAmount
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil {
		r.fault(n, "%s must be a whole number", what)
	}
	return v
}

func (r *policyReader) boolean(n *yaml.Node, what string) bool {
	if n == nil {
		return false
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Value != "true" && n.Value != "false" {
		r.fault(n, "%s must be true or false", what)
	}
	return n.Value == "true"
}

func (r *policyReader) duration(n *yaml.Node, what string) time.Duration {
	s := r.text(n, what)
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		r.fault(n, "%s must be a duration such as 8h or 30m", what)
	case d <= 0 || d > MaxLife:
		r.fault(n, "%s must be between 0 and %s", what, MaxLife)
	case d%time.Second != 0:
		r.fault(n, "%s must be whole seconds", what)
	default:
		return d
	}
	return 0
}

// within turns a place in an expression into one in the file.
func (r *policyReader) within(n *yaml.Node, f celFault) {
	at := Fault{n.Line, n.Column, f.detail}
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		at.Line, at.Column = n.Line+f.line, 1+f.column
		if at.Line <= len(r.lines) {
			text := r.lines[at.Line-1]
			at.Column += len(text) - len(strings.TrimLeft(text, " "))
		}
	case n.Style&yaml.FoldedStyle != 0 || f.line > 1: // where lines were joined the beginning must do
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		at.Column += 1 + f.column
	default:
		at.Column += f.column
	}
	r.faults = append(r.faults, at)
}
