package triage

import (
	"cmp"
	"math"
	"slices"
)

// vector is a sparse vector: values at rising places.
type vector struct {
	at    []int32
	value []float32
}

func (v vector) len() int { return len(v.at) }

func (v vector) squared() float64 {
	sum := 0.0
	for _, x := range v.value {
		sum += float64(float64(x) * float64(x))
	}
	return sum
}

// gram is what a model knows of one feature.
type gram struct {
	text   string
	weight float32 // for telling labels apart
	rarity float32 // for telling texts apart: a power of its inverse document frequency
}

// vocabulary turns texts into vectors: sublinear term frequency times weight, each
// block of features scaled to its share.
type vocabulary struct {
	grams  []gram // words first, then runs of characters
	starts [blocks + 1]int32
	index  [blocks]map[string]int32

	lexicon *Lexicon        // nil for none
	shares  [blocks]float64 // of a vector's squared length that each block has
}

// Shares of words, runs of characters and concepts, chosen by cross-validation:
// with concepts on the ticket corpus, without on parts of the training files of
// public sets. Where most words were seen often, runs of characters add little.
var (
	lexiconShares = [blocks]float64{0.3, 0.3, 0.4}
	plainShares   = [blocks]float64{0.5, 0.5}
	manyShares    = [blocks]float64{0.8, 0.2}
)

// many reports whether there are so many examples a label that most words were
// seen often, and that wrong examples are noise rather than hints.
func many(examples, labels int) bool { return examples > 2000*labels }

// rarity is the power of the inverse document frequency. Without a lexicon half
// of it does better: chosen on parts of the training files of public sets and by
// cross-validation on the ticket corpus.
func (v *vocabulary) rarity() float64 {
	if v.lexicon == nil {
		return 0.5
	}
	return 1
}

// features calls each with all that a normalised text has.
func (v *vocabulary) features(normalized string, each func(b block, gram string)) {
	grams(normalized, each)
	if v.lexicon != nil {
		v.lexicon.features(normalized, func(f string) { each(conceptBlock, f) })
	}
}

// learnVocabulary keeps the n-grams that at least minTexts of the normalised
// texts contain, and of those the maxGrams most frequent of each block.
func learnVocabulary(texts []string, minTexts, maxGrams int, lexicon *Lexicon) *vocabulary {
	v := &vocabulary{lexicon: lexicon}
	v.shares = v.usualShares()
	type seen struct{ texts, last int32 }
	var counts [blocks]map[string]*seen
	for b := range counts {
		counts[b] = map[string]*seen{}
	}
	for i, text := range texts {
		id := int32(i) + 1
		v.features(text, func(b block, g string) {
			s := counts[b][g]
			if s == nil {
				s = &seen{}
				counts[b][g] = s
			}
			if s.last != id {
				s.last = id
				s.texts++
			}
		})
	}
	for b := range counts {
		kept := make([]string, 0, len(counts[b])/4)
		for g, s := range counts[b] {
			if s.texts >= int32(minTexts) {
				kept = append(kept, g)
			}
		}
		slices.SortFunc(kept, func(x, y string) int {
			return cmp.Or(cmp.Compare(counts[b][y].texts, counts[b][x].texts), cmp.Compare(x, y))
		})
		kept = kept[:min(len(kept), maxGrams)]
		slices.Sort(kept)
		for _, g := range kept {
			idf := math.Pow(math.Log(float64(1+len(texts))/float64(1+counts[b][g].texts))+1, v.rarity())
			v.grams = append(v.grams, gram{g, float32(idf), float32(idf)})
		}
		v.starts[b+1] = int32(len(v.grams))
	}
	v.indexGrams()
	return v
}

func (v *vocabulary) indexGrams() {
	for b := range v.index {
		v.index[b] = make(map[string]int32, v.starts[b+1]-v.starts[b])
		for i := v.starts[b]; i < v.starts[b+1]; i++ {
			v.index[b][v.grams[i].text] = i
		}
	}
}

// vector is the text's vector, of length 1 unless the text has nothing known
// in one block or both, and the share of its n-grams that are known.
func (v *vocabulary) vector(normalized string) (vec vector, known float64) {
	vec, known = v.count(normalized)
	v.weigh(vec)
	return vec, known
}

// count is how often a text has each known n-gram, and the share of its n-grams
// that are known.
func (v *vocabulary) count(normalized string) (counts vector, known float64) {
	ids, all := make([]int32, 0, 5*len(normalized)), 0
	familiar := 0
	v.features(normalized, func(b block, g string) {
		id, ok := v.index[b][g]
		if b != conceptBlock {
			all++
			familiar += one(ok)
		}
		if ok {
			ids = append(ids, id)
		}
	})
	known = float64(familiar) / float64(max(all, 1))
	slices.Sort(ids)
	counts = vector{at: ids[:0:len(ids)], value: make([]float32, 0, len(ids))}
	for i := 0; i < len(ids); {
		id, n := ids[i], 0
		for ; i < len(ids) && ids[i] == id; i++ {
			n++
		}
		counts.at, counts.value = append(counts.at, id), append(counts.value, float32(n))
	}
	return counts, known
}

func (v *vocabulary) usualShares() [blocks]float64 {
	if v.lexicon == nil {
		return plainShares
	}
	return lexiconShares
}

// weigh makes counts a vector by which labels are told apart.
func (v *vocabulary) weigh(counts vector) {
	v.scale(counts, &v.shares, func(g *gram) float32 { return g.weight })
}

// likeness is a vector by which texts are told apart. In that of [vocabulary.vector]
// texts of one label are alike.
func (v *vocabulary) likeness(normalized string) vector {
	counts, _ := v.count(normalized)
	shares := v.usualShares()
	v.scale(counts, &shares, func(g *gram) float32 { return g.rarity })
	return counts
}

// scale makes counts a vector: sublinear, each n-gram with its weight, each block
// scaled to its share.
func (v *vocabulary) scale(counts vector, shares *[blocks]float64, weight func(*gram) float32) {
	var squared [blocks]float64
	for i, id := range counts.at {
		x := (1 + math.Log(float64(counts.value[i]))) * float64(weight(&v.grams[id]))
		counts.value[i] = float32(x)
		squared[v.blockOf(id)] += x * x
	}
	for b := range squared {
		squared[b] = math.Sqrt(squared[b] / shares[b])
	}
	for i, id := range counts.at {
		counts.value[i] = float32(float64(counts.value[i]) / squared[v.blockOf(id)])
	}
}

func (v *vocabulary) blockOf(id int32) block {
	b := wordBlock
	for id >= v.starts[b+1] {
		b++
	}
	return b
}
