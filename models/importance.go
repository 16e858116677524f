package models

// Importance is what one feature does in a model.
type Importance struct {
	Splits  int     // number of splits on it
	Gain    float64 // loss reduction, summed over its splits
	Cover   float64 // Hessian of the rows that pass its splits, summed
	MeanAbs float64 // mean absolute contribution over the rows given; 0 without rows
}

// Importances returns the importance of each feature. MeanAbs, the mean |SHAP|,
// needs rows that are typical of those to be scored; x may have none.
func (m *Model) Importances(x Matrix) []Importance {
	out := make([]Importance, len(m.Features))
	for i := range m.Trees {
		for _, n := range m.Trees[i].Nodes {
			if n.Feature >= 0 {
				out[n.Feature].Splits++
				out[n.Feature].Gain += float64(n.Gain)
				out[n.Feature].Cover += float64(n.Cover)
			}
		}
	}
	if x.Rows == 0 {
		return out
	}
	checkMatrix(x, len(m.Features), x.Rows)
	e := NewExplainer(m)
	phi := make([]float64, len(m.Features))
	for r := range x.Rows {
		e.Explain(x.Row(r), phi)
		for f, v := range phi {
			out[f].MeanAbs += max(v, -v) / float64(x.Rows)
		}
	}
	return out
}
