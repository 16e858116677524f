package models

import "slices"

// Average returns the model whose margin is the mean of the margins of models
// of the same objective and features, which stay as they are. For [Logistic]
// that is the logarithmic opinion pool of their probabilities (Genest and
// Zidek, Statistical Science 1986). Calibrators are left behind: they fit
// their own model's margins. Models that do not match are a programming error
// and panic.
func Average(all ...*Model) *Model {
	first := all[0]
	out := &Model{
		Objective: first.Objective, BaseScore: first.BaseScore,
		Features: slices.Clone(first.Features), Kinds: slices.Clone(first.Kinds),
	}
	n := float32(len(all))
	var base float64
	for _, m := range all {
		if m.Objective != first.Objective || !slices.Equal(m.Features, first.Features) {
			panic("models: average of models of different objectives or features")
		}
		base += float64(m.Objective.Margin(m.BaseScore)) / float64(len(all))
		for _, tree := range m.Trees {
			nodes := slices.Clone(tree.Nodes)
			for i := range nodes {
				nodes[i].Value /= n
			}
			out.Trees = append(out.Trees, Tree{nodes})
		}
	}
	if slices.ContainsFunc(all, func(m *Model) bool { return m.BaseScore != first.BaseScore }) {
		out.BaseScore = float32(first.Objective.Prediction(float32(base)))
	}
	return out
}
