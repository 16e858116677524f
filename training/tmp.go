package training

func tmpAUC(s []float64, y []float32) float64 {
	p := make([]float64, len(y))
	w := make([]float64, len(y))
	for i := range y {
		p[i] = float64(y[i])
		w[i] = 1
	}
	return auc(ascending(s), s, p, w)
}
func tmpAP(s []float64, y []float32, _ []float32) float64 { return 0 }
func tmpBrier(s []float64, y []float32, _ []float32) float64 {
	var b float64
	for i := range s {
		d := s[i] - float64(y[i])
		b += d * d
	}
	return b / float64(len(s))
}
func tmpECE(s []float64, y []float32, _ []float32, bins int) float64 {
	p := make([]float64, len(y))
	for i := range y {
		p[i] = float64(y[i])
	}
	var e float64
	for _, b := range reliability(s, p) {
		d := b.Predicted - b.Observed
		if d < 0 {
			d = -d
		}
		e += d * float64(b.Examples)
	}
	return e / float64(len(s))
}
