package models

import (
	"math/rand/v2"
	"testing"
)

// Oracle: packing bins into codes and reading them back.

func TestBundledBinsComeBack(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 100 {
		features := make([]featureBins, 1+random.IntN(40))
		for f := range features {
			features[f] = featureBins{values: 1 + random.IntN([]int{2, 5, 20, maxValueBins}[random.IntN(4)]), missing: random.IntN(2) == 0}
		}
		l := bundle(features)
		for range 20 {
			codes, bins := make([]int, l.columns), make([]int, len(features))
			for f, feature := range features {
				bins[f] = random.IntN(feature.count())
				codes[l.places[f].column] += bins[f] * l.places[f].stride
			}
			for f, want := range bins {
				code := codes[l.places[f].column]
				if code >= l.codes[l.places[f].column] || code >= maxCodes {
					t.Fatalf("code %d is beyond %d", code, l.codes[l.places[f].column])
				}
				if got := l.places[f].bin(code); got != want {
					t.Fatalf("feature %d: bin %d comes back as %d", f, want, got)
				}
			}
		}
	}
}

func TestFlagsShareAColumn(t *testing.T) {
	features := make([]featureBins, 8)
	for f := range features {
		features[f] = featureBins{values: 2}
	}
	if l := bundle(features); l.columns != 1 {
		t.Errorf("eight flags take %d columns, want 1", l.columns)
	}
}
