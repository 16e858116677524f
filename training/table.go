package training

import (
	"math"
	"time"

	"tallyman/features"
	"tallyman/models"
	"tallyman/warehouse"
)

// A table is examples with known answers, in time order.
type table struct {
	schema   *features.Schema
	examples []*features.Example
	labels   []label
}

func (t *table) add(e *features.Example, l label) {
	t.examples = append(t.examples, e)
	t.labels = append(t.labels, l)
}

func (t *table) positives() int {
	n := 0
	for _, l := range t.labels {
		if l.positive {
			n++
		}
	}
	return n
}

// rate is the share of positive rows.
func (t *table) rate() float64 { return float64(t.positives()) / float64(len(t.examples)) }

// split divides examples by time: the answers known by the end of training,
// and the examples read after it, up to the end of the test, whose answers are
// known by now. A load of which any line was read before the end of training
// is not tested.
func split(examples []features.Example, target Target, schema *features.Schema, trainUntil, testUntil time.Time) (train, test *table) {
	train, test = &table{schema: schema}, &table{schema: schema}
	type loadKey struct {
		site warehouse.Site
		load warehouse.Load
	}
	begun := map[loadKey]bool{}
	for i := range examples {
		e := &examples[i]
		before := !e.At.After(trainUntil)
		var key loadKey
		if e.Inbound != nil && e.Inbound.Load != "" {
			key = loadKey{e.Position.Site, e.Inbound.Load}
			begun[key] = begun[key] || before
		}
		l, ok := target.label(e)
		switch {
		case !ok:
		case before && !l.known.After(trainUntil):
			train.add(e, l)
		case !before && !e.At.After(testUntil) && !begun[key]:
			test.add(e, l)
		}
	}
	return train, test
}

// stage returns the rows read at a stage.
func (t *table) stage(s features.Stage) *table {
	return t.where(func(i int) bool { return t.examples[i].Stage == s })
}

func (t *table) where(keep func(i int) bool) *table {
	sub := &table{schema: t.schema}
	for i := range t.examples {
		if keep(i) {
			sub.add(t.examples[i], t.labels[i])
		}
	}
	return sub
}

// slice returns the rows from start to end.
func (t *table) slice(start, end int) *table {
	return &table{schema: t.schema, examples: t.examples[start:end], labels: t.labels[start:end]}
}

// dataset returns the given columns of the rows with their answers.
func (t *table) dataset(columns []int) models.Dataset {
	d := models.Dataset{
		X: models.Matrix{Rows: len(t.examples), Cols: len(columns), Data: make([]float32, len(t.examples)*len(columns))},
		Y: make([]float32, len(t.examples)), Names: make([]string, len(columns)), Kinds: make([]models.Kind, len(columns)),
	}
	names := t.schema.Names()
	for j, c := range columns {
		d.Names[j] = names[c]
		if t.schema.Categorical(c) {
			d.Kinds[j] = models.Categorical
		}
	}
	for i, e := range t.examples {
		row := d.X.Row(i)
		for j, c := range columns {
			row[j] = e.Vector[c]
		}
		if t.labels[i].positive {
			d.Y[i] = 1
		}
	}
	return d
}

// column returns one feature of every row, NaN becoming def.
func (t *table) column(name string, def float64) []float64 {
	c := t.schema.Index(name)
	out := make([]float64, len(t.examples))
	for i, e := range t.examples {
		out[i] = float64(e.Vector[c])
		if math.IsNaN(out[i]) {
			out[i] = def
		}
	}
	return out
}
