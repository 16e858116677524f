package triage

import (
	"math"
	"testing"
)

// The oracle is the divergence as it is written down, over all labels.

func TestWeightsAreWhatAnNGramTells(t *testing.T) {
	texts := []string{"the box is torn", "the box is late", "the truck is late", "the seal is torn", "the box is torn", "the driver is late"}
	labels := []int{0, 1, 1, 2, 0, 1}
	v := learnVocabulary(texts, 1, maxGrams, nil)
	var counts []vector
	for _, text := range texts {
		c, _ := v.count(text)
		counts = append(counts, c)
	}
	v.learnWeights(counts, labels, 3)
	prior := []float64{2. / 6, 3. / 6, 1. / 6}
	for word, texts := range map[string][]float64{"box": {2, 1, 0}, "late": {0, 3, 0}, "torn": {2, 0, 1}, "the": {2, 3, 1}} {
		all := texts[0] + texts[1] + texts[2]
		divergence := 0.0
		for l, n := range texts {
			p := (n + doubt*prior[l]) / (all + doubt)
			divergence += p * math.Log(p/prior[l])
		}
		want := math.Pow(max(divergence, 1e-6), telling)
		if got := float64(v.grams[v.index[wordBlock][word]].weight); math.Abs(got-want) > 1e-5 {
			t.Errorf("%s weighs %v, want %v", word, got, want)
		}
	}
}
