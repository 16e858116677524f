package models

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sjwhitworth/golearn/base"
)

// The challengers from golearn are baselines. What golearn cannot do is done
// here: its trees never return when a value is missing, its sampling takes the
// global random source, and it neither gives probabilities nor stops when
// asked. Its linear models need cgo and its cross-validation is not by time;
// neither is used.

// golearnRows is the most rows a golearn challenger is fitted to.
const golearnRows = 20_000

// imputed is a sample of a dataset without missing values.
type imputed struct {
	names   []string
	medians []float32
	rows    [][]float32
	labels  []bool
}

// impute draws at most golearnRows rows of d, as many of each label as its
// share, and fills what is missing with the column's median.
func impute(d Dataset, r *rand.Rand) (imputed, error) {
	if err := d.check(Logistic); err != nil {
		return imputed{}, err
	}
	var byLabel [2][]int
	for i, y := range d.Y {
		byLabel[int(y)] = append(byLabel[int(y)], i)
	}
	if len(byLabel[0]) == 0 || len(byLabel[1]) == 0 {
		return imputed{}, fmt.Errorf("labels are all %v, want both 0 and 1", d.Y[0])
	}
	share := min(1, golearnRows/float64(d.X.Rows))
	out := imputed{names: d.Names, medians: medians(d.X)}
	for label, rows := range byLabel {
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		for _, row := range rows[:max(1, int(share*float64(len(rows))))] {
			out.rows = append(out.rows, out.fill(d.X.Row(row)))
			out.labels = append(out.labels, label == 1)
		}
	}
	return out, nil
}

// fill returns the row with medians in place of missing values.
func (s imputed) fill(row []float32) []float32 {
	out := slices.Clone(row)
	for f, x := range out {
		if x != x { // NaN: missing
			out[f] = s.medians[f]
		}
	}
	return out
}

// medians of the values present; 0 for a column without any.
func medians(x Matrix) []float32 {
	out := make([]float32, x.Cols)
	values := make([]float32, 0, x.Rows)
	for f := range out {
		values = values[:0]
		for r := range x.Rows {
			if v := x.Data[r*x.Cols+f]; v == v { // not NaN
				values = append(values, v)
			}
		}
		if slices.Sort(values); len(values) > 0 {
			out[f] = values[len(values)/2]
		}
	}
	return out
}

// instances makes golearn's form of some rows: one attribute a column, filled
// by set, and the label as class "0" or "1".
func instances(attributes []base.Attribute, labels []bool, set func(row, column int) []byte) *base.DenseInstances {
	in := base.NewDenseInstances()
	specs := make([]base.AttributeSpec, len(attributes))
	for c, a := range attributes {
		specs[c] = in.AddAttribute(a)
	}
	class := base.NewCategoricalAttribute()
	class.SetName("label")
	classSpec := in.AddAttribute(class)
	if err := in.AddClassAttribute(class); err != nil {
		panic(err) // unreachable: it was just added
	}
	words := map[bool][]byte{false: class.GetSysValFromString("0"), true: class.GetSysValFromString("1")}
	if err := in.Extend(len(labels)); err != nil {
		panic(err) // unreachable: the instances are empty
	}
	for r, label := range labels {
		for c, spec := range specs {
			in.Set(spec, r, set(r, c))
		}
		in.Set(classSpec, r, words[label])
	}
	return in
}
