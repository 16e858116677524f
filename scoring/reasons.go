package scoring

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"tallyman/features"
	"tallyman/models"
)

// Codes that more than one place gives.
const (
	codeMissing = "FEATURE_MISSING"
	codePack    = "PACK_FACTOR_MISMATCH"
	codeLate    = "ASN_LATE"
)

// leastReason is the least contribution worth a sentence: a fiftieth of the odds.
const leastReason = 0.02

// A group is the features that are told as one reason.
type group struct {
	features []string
	about    string // what they are about, for when it is not known
	say      func(r reading) sentence
}

// tell gives the code and the sentence. A sentence that would need a figure
// which is missing says nothing: what it is about is not known. One that tells of
// the other direction than the group has is not said: only the direction is.
func (g *group) tell(r reading) (code, text string) {
	s := g.say(r)
	switch {
	case s.text == "" || strings.Contains(s.text, "NaN"):
		return codeMissing, "Nothing is known about " + g.about + "."
	case s.lean.fits(r.raises):
		return s.code, s.text
	case r.raises:
		return s.code, "What is known about " + g.about + " raises the risk."
	}
	return s.code, "What is known about " + g.about + " lowers the risk."
}

// attributes holds the site's own facts, in every schema the last group.
var attributes = group{about: "the site's own facts", say: sayAttribute}

// groupFeatures returns the group of each feature by name; attributes go to
// the last.
func groupFeatures(groups []group, names []string) []int {
	of := map[string]int{}
	for g := range groups {
		for _, name := range groups[g].features {
			of[name] = g
		}
	}
	out := make([]int, len(names))
	for i, name := range names {
		g, ok := of[name]
		if !ok {
			g = -1
			if strings.HasPrefix(name, "attr.") {
				g = len(groups) - 1
			}
		}
		out[i] = g
	}
	return out
}

// Topic says what a feature of a subject is about, in the words of its reason.
func Topic(subject features.Subject, feature string) string {
	if name, ok := strings.CutPrefix(feature, "attr."); ok {
		return "its " + strings.ReplaceAll(name, "_", " ")
	}
	for _, g := range groupsOf(subject) {
		if slices.Contains(g.features, feature) {
			return g.about
		}
	}
	return strings.ReplaceAll(feature, "_", " ")
}

func groupsOf(subject features.Subject) []group {
	if subject == features.LoadSubject {
		return lineGroups
	}
	return positionGroups
}

// A reading is a vector read by the names of its features.
type reading struct {
	scorer    *Scorer
	vector    []float32
	strongest int  // the feature that says most in its group; -1 when none does
	raises    bool // the group raises the risk
}

func (s *Scorer) read(vector []float32) reading {
	return reading{scorer: s, vector: vector, strongest: -1}
}

// of returns the value of a feature, NaN when it is missing.
func (r reading) of(name string) float64 {
	i, ok := r.scorer.columns[name]
	if !ok {
		return math.NaN()
	}
	return float64(r.vector[i])
}

// reasons says what moves a prediction most: at most k groups of features that
// raise the margin, by exact TreeSHAP, and the strongest that lowers it where
// it outweighs them all. Without a model it is the rate that answered.
func (s *Scorer) reasons(vector []float32, k int) []Reason {
	if s.Model == nil {
		return s.rateReason(vector)
	}
	phi := make([]float64, len(vector))
	s.explainer().Explain(vector, phi)
	var out []Reason
	for _, found := range models.GroupReasons(phi, s.groupOf, k) {
		if found.Contribution >= leastReason {
			out = merge(out, []Reason{s.told(vector, found.Feature, found.Contribution)})
		}
	}
	for i := range phi {
		phi[i] = -phi[i]
	}
	for _, found := range models.GroupReasons(phi, s.groupOf, 1) {
		if found.Contribution >= leastReason && (len(out) == 0 || found.Contribution > out[0].Contribution) {
			out = merge(out, []Reason{s.told(vector, found.Feature, -found.Contribution)})
		}
	}
	return out
}

// told is the reason of a feature's group, which contributes so much.
func (s *Scorer) told(vector []float32, feature int, contribution float64) Reason {
	code, text := s.groups[s.groupOf[feature]].tell(reading{s, vector, feature, contribution > 0})
	return Reason{code, text, contribution, float64(vector[feature])}
}

// rateReason tells the rate that stands in for a model.
func (s *Scorer) rateReason(vector []float32) []Reason {
	r := s.read(vector)
	if s.Outcome == Size {
		return nil
	}
	i := s.columns[rates[s.Outcome][0]]
	rise := math.Log(odds(s.rate(vector)) / odds(r.usual(s.Outcome)))
	if rise == 0 {
		return nil
	}
	return []Reason{s.told(vector, i, rise)}
}

func byContribution(a, b Reason) int { return cmp.Compare(b.Contribution, a.Contribution) }

func sayAttribute(r reading) sentence {
	i := r.strongest - (r.scorer.Schema.Width() - len(r.scorer.Schema.Attrs))
	if i < 0 {
		return unknownFact
	}
	attr := &r.scorer.Schema.Attrs[i]
	value := float64(r.vector[r.strongest])
	name := strings.ReplaceAll(attr.Name, "_", " ")
	if math.IsNaN(value) {
		return open("SITE_ATTRIBUTE", "Its %s is not given, or one seldom seen.", name)
	}
	return open("SITE_ATTRIBUTE", "Its %s is %s.", name, attributeText(attr, value))
}

func attributeText(attr *features.AttrColumn, value float64) string {
	if attr.Values == nil {
		return figure(value)
	}
	return attr.Values[int(value)]
}
