package models

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
)

// A sink receives a model file value by value; see [source].
type sink interface {
	beginObject()
	name(name string) // of the next member
	endObject()
	beginList(n int)
	endList()
	text(v string)
	integer(v int)
	bytes(v []uint8)
	integers(v []int32)
	longs(v []int64)
	floats(v []float32)
}

// WriteJSON writes the model as XGBoost 1.7 writes it, for XGBoost 1.7 and
// later to load and predict the same margins. The calibrator rides in
// learner.attributes, which XGBoost keeps but does not apply. Names f0, f1, …
// are XGBoost's default and are written as no names. Equal models give equal
// bytes. An invalid model is an error and writes nothing.
func (m *Model) WriteJSON(w io.Writer) error {
	b := bufio.NewWriter(w)
	return m.write(&jsonSink{w: b}, b)
}

// WriteUBJSON writes the same content as [Model.WriteJSON] in UBJSON, which is
// about half as long and XGBoost's default since 2.1.
func (m *Model) WriteUBJSON(w io.Writer) error {
	b := bufio.NewWriter(w)
	return m.write(&ubjSink{w: b}, b)
}

func (m *Model) write(s sink, b *bufio.Writer) error {
	if err := m.Validate(); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	s.beginObject()
	s.name("learner")
	s.beginObject()
	s.name("attributes")
	m.writeAttributes(s)
	m.writeFeatures(s)
	s.name("gradient_booster")
	m.writeBooster(s)
	s.name("learner_model_param")
	writeTexts(s, "base_score", formatFloat(m.BaseScore), "boost_from_average", "1", "num_class", "0",
		"num_feature", strconv.Itoa(len(m.Features)), "num_target", "1")
	s.name("objective")
	m.writeObjective(s)
	s.endObject()
	s.name("version")
	s.beginList(3)
	for _, v := range [...]int{1, 7, 4} {
		s.integer(v)
	}
	s.endList()
	s.endObject()
	return b.Flush()
}

// writeTexts writes an object of alternating names and texts.
func writeTexts(s sink, pairs ...string) {
	s.beginObject()
	for i := 0; i < len(pairs); i += 2 {
		s.name(pairs[i])
		s.text(pairs[i+1])
	}
	s.endObject()
}

func (m *Model) writeAttributes(s sink) {
	all := make(map[string]string, len(m.Attributes)+1)
	maps.Copy(all, m.Attributes)
	delete(all, calibratorAttribute)
	if m.Calibrator != nil {
		all[calibratorAttribute] = m.Calibrator.String()
	}
	s.beginObject()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s.name(name)
		s.text(all[name])
	}
	s.endObject()
}

func (m *Model) writeFeatures(s sink) {
	names, types := m.Features, make([]string, len(m.Kinds))
	for i, kind := range m.Kinds {
		if types[i] = "float"; kind == Categorical {
			types[i] = "c"
		}
	}
	if m.hasDefaultNames() {
		names = nil
		if !slices.Contains(m.Kinds, Categorical) {
			types = nil
		}
	}
	s.name("feature_names")
	writeList(s, names)
	s.name("feature_types")
	writeList(s, types)
}

func writeList(s sink, texts []string) {
	s.beginList(len(texts))
	for _, text := range texts {
		s.text(text)
	}
	s.endList()
}

func (m *Model) hasDefaultNames() bool {
	for i, name := range m.Features {
		if name != defaultName(i) {
			return false
		}
	}
	return true
}

func (m *Model) writeBooster(s sink) {
	s.beginObject()
	s.name("model")
	s.beginObject()
	s.name("gbtree_model_param")
	writeTexts(s, "num_parallel_tree", "1", "num_trees", strconv.Itoa(len(m.Trees)), "size_leaf_vector", "0")
	s.name("tree_info")
	s.beginList(len(m.Trees))
	for range m.Trees {
		s.integer(0)
	}
	s.endList()
	s.name("trees")
	s.beginList(len(m.Trees))
	for i := range m.Trees {
		m.Trees[i].write(s, i, len(m.Features))
	}
	s.endList()
	s.endObject()
	s.name("name")
	s.text("gbtree")
	s.endObject()
}

// writeObjective adds the parameters without which XGBoost does not load the
// objective; they matter only to further training.
func (m *Model) writeObjective(s sink) {
	s.beginObject()
	s.name("name")
	s.text(string(m.Objective))
	switch m.Objective {
	case Logistic, SquaredError:
		s.name("reg_loss_param")
		writeTexts(s, "scale_pos_weight", "1")
	case Poisson:
		s.name("poisson_regression_param")
		writeTexts(s, "max_delta_step", "0.699999988")
	case Tweedie:
		s.name("tweedie_regression_param")
		writeTexts(s, "tweedie_variance_power", strconv.FormatFloat(TweedieVariancePower, 'g', -1, 64))
	case Gamma: // has none
	}
	s.endObject()
}

// formatFloat is the shortest text that reads back as the same float32 and
// looks like a float to XGBoost, which refuses a bare 0 in an array of floats.
func formatFloat(v float32) string { return string(appendFloat(nil, v)) }

func appendFloat(b []byte, v float32) []byte {
	switch {
	case math.IsNaN(float64(v)):
		return append(b, "NaN"...)
	case math.IsInf(float64(v), 1):
		return append(b, "Infinity"...)
	case math.IsInf(float64(v), -1):
		return append(b, "-Infinity"...)
	}
	return strconv.AppendFloat(b, float64(v), 'E', -1, 32)
}
