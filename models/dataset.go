package models

import (
	"fmt"
	"math"
)

// A Matrix is a dense row-major table: the value of column c in row r is
// Data[r*Cols+c]. NaN means missing.
type Matrix struct {
	Rows, Cols int
	Data       []float32
}

// Row returns row r without copying it.
func (m Matrix) Row(r int) []float32 { return m.Data[r*m.Cols : (r+1)*m.Cols] }

// A Dataset is what a model is fitted to: one row of X and one label each.
type Dataset struct {
	X      Matrix
	Y      []float32
	Weight []float32 // of each row, at least 0; nil means 1
	Names  []string  // of each column
	Kinds  []Kind    // of each column; nil means all numeric
}

// maxCategory bounds a category: above it float32 no longer holds every integer.
const maxCategory = 1 << 24

// check refuses what no model can be fitted to and says where it is.
func (d Dataset) check(o Objective) error {
	rows, cols := d.X.Rows, d.X.Cols
	switch {
	case rows < 1 || cols < 1:
		return fmt.Errorf("dataset has %d rows and %d columns, want at least one of each", rows, cols)
	case len(d.X.Data) != rows*cols:
		return fmt.Errorf("matrix of %d by %d has %d values", rows, cols, len(d.X.Data))
	case rows > math.MaxInt32:
		return fmt.Errorf("dataset has %d rows, at most %d fit; sample them or train elsewhere", rows, math.MaxInt32)
	case len(d.Y) != rows:
		return fmt.Errorf("dataset has %d labels for %d rows", len(d.Y), rows)
	case d.Weight != nil && len(d.Weight) != rows:
		return fmt.Errorf("dataset has %d weights for %d rows", len(d.Weight), rows)
	case len(d.Names) != cols:
		return fmt.Errorf("dataset has %d names for %d columns", len(d.Names), cols)
	case d.Kinds != nil && len(d.Kinds) != cols:
		return fmt.Errorf("dataset has %d kinds for %d columns", len(d.Kinds), cols)
	}
	if err := d.checkRows(o); err != nil {
		return err
	}
	return d.checkValues()
}

func (d Dataset) checkRows(o Objective) error {
	var total float64
	for r, y := range d.Y {
		if err := o.checkLabel(y); err != nil {
			return fmt.Errorf("row %d: %w", r, err)
		}
		w := weightOf(d.Weight, r)
		if !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("row %d: weight is %v, want a finite number of at least 0", r, w)
		}
		total += w
	}
	if total == 0 {
		return fmt.Errorf("all %d rows have weight 0, nothing to learn from", d.X.Rows)
	}
	return nil
}

func (d Dataset) checkValues() error {
	for i, v := range d.X.Data {
		if v >= math.MaxFloat32 || v < -math.MaxFloat32 {
			return fmt.Errorf("row %d, column %s: value is %v; use NaN for missing, or a finite number below %v",
				i/d.X.Cols, d.Names[i%d.X.Cols], v, float32(math.MaxFloat32))
		}
	}
	for c := range d.X.Cols {
		if d.kind(c) != Categorical {
			continue
		}
		for r := range d.X.Rows {
			if v := d.X.Data[r*d.X.Cols+c]; v == v && (v < 0 || v >= maxCategory || v != float32(int32(v))) { // v == v unless NaN
				return fmt.Errorf("row %d, column %s: category is %v, want an integer from 0 to %d",
					r, d.Names[c], v, maxCategory-1)
			}
		}
	}
	return nil
}

func (d Dataset) kind(column int) Kind {
	if d.Kinds == nil {
		return Numeric
	}
	return d.Kinds[column]
}
