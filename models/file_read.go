package models

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// calibratorAttribute is the learner attribute our calibrator rides in;
// XGBoost keeps attributes it does not know.
const calibratorAttribute = "tallyman.calibrator"

// Read reads a model in XGBoost's JSON or UBJSON format, told apart by the
// first bytes, as XGBoost 1.7 to 3.x and [Model.WriteJSON] write it. Trees
// whose nodes are not in breadth-first order are renumbered, which changes no
// prediction. What cannot be represented is refused by name: the boosters dart
// and gblinear, vector leaves, several targets or classes, and objectives
// that are not [Objective.Known]. A file is never trusted: sizes, indices and
// numbers are checked, and memory stays a small multiple of the file.
func Read(r io.Reader) (*Model, error) {
	b := bufio.NewReaderSize(&boundedReader{r: r, left: maxFileBytes}, 1<<16)
	s, err := sniff(b)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	f := modelFile{attributes: map[string]string{}}
	if err := f.read(s); err != nil {
		return nil, fmt.Errorf("model, byte %d: %w", s.offset(), err)
	}
	m, err := f.model()
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return m, nil
}

// sniff tells UBJSON, where the brace is followed by a length or a closing
// marker, from JSON, where it is followed by a quote or white space.
func sniff(b *bufio.Reader) (source, error) {
	start, err := b.Peek(2)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case len(start) == 0:
		return nil, errors.New("the file is empty")
	case len(start) == 2 && start[0] == '{' && strings.IndexByte("iUIlL#$N", start[1]) >= 0:
		return &ubjSource{r: b}, nil
	case strings.IndexByte("{ \t\r\n", start[0]) >= 0:
		return &jsonSource{r: b}, nil
	case string(start) == "bi":
		return nil, errors.New(`this is XGBoost's old binary format; load it in XGBoost and save it as .json or .ubj`)
	}
	return nil, fmt.Errorf("neither JSON nor UBJSON: it starts with %q", start)
}

// modelFile is the part of the file format we use, as it stands in the file.
// Members may come in any order, so nothing is judged before all are read.
type modelFile struct {
	booster      string
	objective    string
	baseScore    string
	featureCount string
	classCount   string
	targetCount  string
	leafVector   string
	attributes   map[string]string
	names, types []string
	trees        []Tree
	treeInfo     []int32
}

// members reads an object whose members of interest are in fields.
func members(s source, fields map[string]func() error) error {
	return s.object(func(name string) error {
		read, ok := fields[name]
		if !ok {
			return s.skip()
		}
		if err := read(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// into reads a text into *to.
func into(s source, to *string) func() error {
	return func() (err error) {
		*to, err = s.text()
		return err
	}
}

func (f *modelFile) read(s source) error {
	found := false
	err := members(s, map[string]func() error{
		"learner": func() error { found = true; return f.readLearner(s) },
	})
	if err != nil {
		return err
	}
	if !found {
		return errors.New(`no "learner" in it, so it is not an XGBoost model`)
	}
	return s.end()
}

func (f *modelFile) readLearner(s source) error {
	return members(s, map[string]func() error{
		"attributes":       func() error { return f.readAttributes(s) },
		"feature_names":    func() (err error) { f.names, err = texts(s); return err },
		"feature_types":    func() (err error) { f.types, err = texts(s); return err },
		"gradient_booster": func() error { return f.readBooster(s) },
		"objective": func() error {
			return members(s, map[string]func() error{"name": into(s, &f.objective)})
		},
		"learner_model_param": func() error {
			return members(s, map[string]func() error{
				"base_score":  into(s, &f.baseScore),
				"num_feature": into(s, &f.featureCount),
				"num_class":   into(s, &f.classCount),
				"num_target":  into(s, &f.targetCount),
			})
		},
	})
}

func (f *modelFile) readAttributes(s source) error {
	return s.object(func(name string) error {
		value, err := s.text()
		f.attributes[name] = value
		return err
	})
}

func texts(s source) ([]string, error) {
	var out []string
	err := s.list(func() error {
		text, err := s.text()
		out = append(out, text)
		return err
	})
	return out, err
}

func (f *modelFile) readBooster(s source) error {
	return members(s, map[string]func() error{
		"name": into(s, &f.booster),
		"model": func() error {
			return members(s, map[string]func() error{
				"gbtree_model_param": func() error {
					return members(s, map[string]func() error{"size_leaf_vector": into(s, &f.leafVector)})
				},
				"tree_info": func() (err error) { f.treeInfo, err = s.integers(); return err },
				"trees":     func() error { return f.readTrees(s) },
			})
		},
	})
}

func (f *modelFile) readTrees(s source) error {
	if f.trees != nil {
		return errors.New("given twice")
	}
	f.trees = []Tree{}
	return s.list(func() error {
		t, err := readTree(s)
		if err != nil {
			return fmt.Errorf("tree %d: %w", len(f.trees), err)
		}
		f.trees = append(f.trees, t)
		return nil
	})
}

// model checks what the file says and turns it into a Model.
func (f *modelFile) model() (*Model, error) {
	if err := f.supported(); err != nil {
		return nil, err
	}
	m := &Model{Objective: Objective(f.objective), Trees: f.trees, Attributes: f.attributes}
	if f.objective == "reg:logistic" { // the same loss and link, for labels that may lie between 0 and 1
		m.Objective = Logistic
	}
	if !m.Objective.Known() {
		return nil, fmt.Errorf("objective %q is not supported; want %s, %s, %s, %s or %s",
			f.objective, Logistic, SquaredError, Poisson, Gamma, Tweedie)
	}
	features, err := strconv.Atoi(f.featureCount)
	if err != nil || features < 1 || features > maxFeatures {
		return nil, fmt.Errorf("num_feature is %q, want 1 to %d", f.featureCount, maxFeatures)
	}
	if err := f.nameFeatures(m, features); err != nil {
		return nil, err
	}
	if m.BaseScore, err = parseBaseScore(f.baseScore); err != nil {
		return nil, err
	}
	if text, ok := m.Attributes[calibratorAttribute]; ok {
		if m.Calibrator, err = ParseCalibrator(text); err != nil {
			return nil, fmt.Errorf("attribute %s: %w", calibratorAttribute, err)
		}
		delete(m.Attributes, calibratorAttribute)
	}
	return m, m.Validate()
}

// supported refuses, by name, the kinds of model that we cannot evaluate.
func (f *modelFile) supported() error {
	more := func(count string) bool { return count != "" && count != "0" && count != "1" }
	switch {
	case f.booster != "gbtree":
		return fmt.Errorf("booster %q is not supported, only gbtree; train with booster=gbtree", f.booster)
	case f.trees == nil:
		return errors.New("gradient_booster has no trees")
	case more(f.classCount):
		return fmt.Errorf("the model has %s classes (objective %q); only one output is supported", f.classCount, f.objective)
	case more(f.targetCount):
		return fmt.Errorf("the model has %s targets; only one output is supported", f.targetCount)
	case more(f.leafVector):
		return fmt.Errorf("the trees have vector leaves of size %s; train with multi_strategy=one_output_per_tree", f.leafVector)
	case len(f.treeInfo) != len(f.trees):
		return fmt.Errorf("tree_info has %d entries for %d trees", len(f.treeInfo), len(f.trees))
	}
	for i, class := range f.treeInfo {
		if class != 0 {
			return fmt.Errorf("tree %d belongs to class %d; only one output is supported", i, class)
		}
	}
	return nil
}

// nameFeatures fills Features and Kinds. A file without names gets XGBoost's
// default ones; a feature is categorical if its type or one of its splits says so.
func (f *modelFile) nameFeatures(m *Model, n int) error {
	if len(f.names) != 0 && len(f.names) != n || len(f.types) != 0 && len(f.types) != n {
		return fmt.Errorf("%d feature names and %d feature types for num_feature %d", len(f.names), len(f.types), n)
	}
	seen := make(map[string]bool, len(f.names))
	for _, name := range f.names {
		if seen[name] {
			return fmt.Errorf("two features have the name %q", name)
		}
		seen[name] = true
	}
	m.Kinds = make([]Kind, n)
	if m.Features = f.names; len(f.names) == 0 {
		m.Features = make([]string, n)
		for i := range m.Features {
			m.Features[i] = defaultName(i)
		}
	}
	for i, t := range f.types {
		if t == "c" || t == "categorical" {
			m.Kinds[i] = Categorical
		}
	}
	for _, t := range m.Trees {
		for _, node := range t.Nodes {
			if node.Categories != nil && int(node.Feature) < n {
				m.Kinds[node.Feature] = Categorical
			}
		}
	}
	return nil
}

// defaultName is the name XGBoost shows for feature i when the model has none.
func defaultName(i int) string { return "f" + strconv.Itoa(i) }

// parseBaseScore reads "5E-1" and, as XGBoost writes since 3.1, "[5E-1]".
func parseBaseScore(text string) (float32, error) {
	number := text
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") && len(text) > 1 {
		number = text[1 : len(text)-1]
	}
	v, err := strconv.ParseFloat(number, 32)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("base_score is %q, want one finite number", text)
	}
	return float32(v), nil
}
