package triage

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
)

// linear is one-vs-rest linear scoring: a weight for each feature and class.
// Weights lie feature by feature, so that a text's score is a sum of few runs
// of memory.
type linear struct {
	classes int
	bias    []float32
	weights []float32 // [feature*classes + class]
	steps   []float32 // of each class, of which its weights are multiples
}

// scores sets out to the score of each class.
func (l *linear) scores(v vector, out []float32) {
	copy(out, l.bias)
	for i, at := range v.at {
		x := v.value[i]
		row := l.weights[int(at)*l.classes:][:len(out)]
		for c, w := range row {
			out[c] += float32(x * w)
		}
	}
}

// quantize rounds the weights of each class to 255 steps, as a file keeps them,
// so that a model says the same before and after it was written.
func (l *linear) quantize() {
	l.steps = make([]float32, l.classes)
	for i, w := range l.weights {
		l.steps[i%l.classes] = max(l.steps[i%l.classes], float32(math.Abs(float64(w))))
	}
	for c := range l.steps {
		l.steps[c] = max(l.steps[c]/127, 1e-20)
	}
	for i, w := range l.weights {
		step := l.steps[i%l.classes]
		l.weights[i] = float32(math.Round(float64(w/step))) * step
	}
}

const (
	svmTolerance = 0.1
	svmMaxPasses = 100
)

// fitSVM fits one L2-regularised, squared-hinge-loss SVM a class, that class
// against the rest, by dual coordinate descent with shrinking (Hsieh et al.,
// ICML 2008, algorithm 3). Classes run on at most threads goroutines; each has
// its own random order, so the result is the same for any number of them.
func fitSVM(ctx context.Context, rows []vector, labels []int, features, classes int, cost float64, seed uint64, threads int) (*linear, error) {
	l := &linear{classes: classes, bias: make([]float32, classes), weights: make([]float32, features*classes)}
	rows, original := frequentFirst(rows, features)
	lengths := make([]float64, len(rows))
	for i, v := range rows {
		lengths[i] = v.squared() + 1 // 1 of the bias
	}
	parallel(threads, classes, func(class int) {
		if ctx.Err() != nil {
			return
		}
		s := dualDescent{rows: rows, lengths: lengths, sign: make([]float64, len(rows)), weights: make([]float64, features+1), cost: cost}
		for i, y := range labels {
			s.sign[i] = -1
			if y == class {
				s.sign[i] = 1
			}
		}
		s.run(rand.New(rand.NewPCG(seed, uint64(class))))
		for f, w := range s.weights[:features] {
			l.weights[int(original[f])*classes+class] = float32(w)
		}
		l.bias[class] = float32(s.weights[features])
	})
	return l, context.Cause(ctx)
}

// frequentFirst numbers the features anew, those of most rows first: what is
// needed all the time then lies together in fast memory. original[f] is the
// number that feature f had.
func frequentFirst(rows []vector, features int) (renumbered []vector, original []int32) {
	uses, place := make([]int, features), make([]int32, features)
	original = make([]int32, features)
	for f := range original {
		original[f] = int32(f)
	}
	for _, v := range rows {
		for _, at := range v.at {
			uses[at]++
		}
	}
	slices.SortFunc(original, func(a, b int32) int { return cmp.Or(cmp.Compare(uses[b], uses[a]), cmp.Compare(a, b)) })
	for f, was := range original {
		place[was] = int32(f)
	}
	renumbered = make([]vector, len(rows))
	for i, v := range rows {
		at := make([]int32, v.len())
		for k, was := range v.at {
			at[k] = place[was]
		}
		renumbered[i] = vector{at: at, value: v.value}
	}
	return renumbered, original
}

// dualDescent solves one binary problem. The last weight is the bias.
type dualDescent struct {
	rows    []vector
	lengths []float64 // squared, with the bias
	sign    []float64
	weights []float64
	cost    float64
}

func (s *dualDescent) run(r *rand.Rand) {
	diagonal := 0.5 / s.cost
	alpha := make([]float64, len(s.rows))
	active := make([]int32, len(s.rows))
	for i := range active {
		active[i] = int32(i)
	}
	bound := math.Inf(1) // of the gradient, above which a row at 0 is set aside
	bias := len(s.weights) - 1
	for range svmMaxPasses {
		worst, least := math.Inf(-1), math.Inf(1)
		r.Shuffle(len(active), func(i, j int) { active[i], active[j] = active[j], active[i] })
		kept := 0
		for k := 0; k < len(active); k++ {
			i := active[k]
			v, y := s.rows[i], s.sign[i]
			gradient := y*(v.dot(s.weights)+s.weights[bias]) - 1 + alpha[i]*diagonal
			projected := gradient
			if alpha[i] == 0 {
				if gradient > bound {
					continue
				}
				projected = min(gradient, 0)
			}
			active[k], active[kept] = active[kept], active[k]
			kept++
			worst, least = max(worst, projected), min(least, projected)
			if math.Abs(projected) > 1e-12 {
				before := alpha[i]
				alpha[i] = max(before-gradient/(s.lengths[i]+diagonal), 0)
				step := (alpha[i] - before) * y
				v.add(s.weights, step)
				s.weights[bias] += step
			}
		}
		done := worst-least <= svmTolerance
		switch {
		case done && kept == len(s.rows):
			return
		case done:
			active = active[:len(s.rows)] // look at all once more
			bound = math.Inf(1)
			continue
		}
		active = active[:kept]
		bound = 0
	}
}

// parallel runs task(0) to task(tasks-1) on at most threads goroutines and
// waits for them.
func parallel(threads, tasks int, task func(i int)) {
	var next atomic.Int64
	var running sync.WaitGroup
	work := func() {
		for i := int(next.Add(1)) - 1; i < tasks; i = int(next.Add(1)) - 1 {
			task(i)
		}
	}
	for range min(threads, tasks) - 1 {
		running.Go(work)
	}
	work()
	running.Wait()
}
