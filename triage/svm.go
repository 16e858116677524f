package triage

import (
	"cmp"
	"context"
	"math"
	"math/bits"
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
// ICML 2008, algorithm 3), a few classes side by side. They run on at most
// threads goroutines; each group of classes has its own random order, so the
// result is the same for any number of them.
func fitSVM(ctx context.Context, rows []vector, labels []int, features, classes int, cost float64, seed uint64, threads int) (*linear, error) {
	l := &linear{classes: classes, bias: make([]float32, classes), weights: make([]float32, features*classes)}
	rows, original := frequentFirst(rows, features)
	lengths := make([]float32, len(rows))
	for i, v := range rows {
		lengths[i] = float32(v.squared()) + 1 // 1 of the bias
	}
	parallel(threads, (classes+lanes-1)/lanes, func(group int) {
		if ctx.Err() != nil {
			return
		}
		first := group * lanes
		s := dualDescent{
			rows: rows, lengths: lengths, labels: labels, first: first, classes: min(lanes, classes-first),
			weights: make([]lane, features), diagonal: float32(0.5 / cost),
		}
		s.run(rand.New(rand.NewPCG(seed, uint64(first))))
		for k := range s.classes {
			for f, w := range s.weights {
				l.weights[int(original[f])*classes+first+k] = w[k]
			}
			l.bias[first+k] = s.bias[k]
		}
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

// lanes is how many classes are learned side by side: a text's features are
// then read from memory once for all of them.
const lanes = 8

// lane is one number for each class of a group.
type lane [lanes]float32

// dualDescent solves the binary problems of the classes from first on.
type dualDescent struct {
	rows           []vector
	lengths        []float32 // squared, with the bias
	labels         []int
	first, classes int
	diagonal       float32
	weights        []lane
	bias           lane

	alpha []lane
	open  []uint8 // of a row, the classes that still look at it
	bound lane    // of the gradient, above which a row at 0 is set aside
	worst lane
	least lane
}

func (s *dualDescent) run(r *rand.Rand) {
	s.alpha, s.open = make([]lane, len(s.rows)), make([]uint8, len(s.rows))
	all := make([]int32, len(s.rows))
	for i := range all {
		all[i] = int32(i)
	}
	infinity := float32(math.Inf(1))
	unsolved := uint8(1<<s.classes - 1)
	var active []int32
	var seeking, whole uint8 // classes at work, and those that see all rows in this pass
	for pass := 0; pass < svmMaxPasses && unsolved != 0; pass++ {
		if whole = 0; seeking == 0 { // each has settled what it looked at: see all once more
			active, seeking, whole = all, unsolved, unsolved
			s.look(unsolved)
		}
		for k := range lanes {
			s.worst[k], s.least[k], s.bound[k] = -infinity, infinity, 0
			if whole != 0 {
				s.bound[k] = infinity
			}
		}
		r.Shuffle(len(active), func(i, j int) { active[i], active[j] = active[j], active[i] })
		kept := 0
		for k, i := range active {
			if s.step(int(i)); s.open[i] != 0 {
				active[k], active[kept] = active[kept], active[k]
				kept++
			}
		}
		active = active[:kept]
		for k := range s.classes {
			if bit := uint8(1) << k; seeking&bit != 0 && s.worst[k]-s.least[k] <= svmTolerance {
				seeking &^= bit
				unsolved &^= whole & bit
				s.close(bit)
			}
		}
	}
}

// look lets classes look at all rows.
func (s *dualDescent) look(classes uint8) {
	for i := range s.open {
		s.open[i] |= classes
	}
}

// close ends classes.
func (s *dualDescent) close(classes uint8) {
	for i := range s.open {
		s.open[i] &^= classes
	}
}

// step makes the best move of one row for each class that looks at it.
func (s *dualDescent) step(row int) {
	open := s.open[row]
	if open == 0 {
		return
	}
	v := s.rows[row]
	var scores lane
	if bits.OnesCount8(open) > lanes/4 {
		scores = v.dotLanes(s.weights)
	} else {
		for rest := open; rest != 0; rest &= rest - 1 {
			k := bits.TrailingZeros8(rest)
			scores[k] = v.dotLane(s.weights, k)
		}
	}
	alpha := &s.alpha[row]
	var move lane
	moved := false
	for k := range s.classes {
		bit := uint8(1) << k
		if open&bit == 0 {
			continue
		}
		y := float32(-1)
		if s.labels[row] == s.first+k {
			y = 1
		}
		gradient := float32(y*(scores[k]+s.bias[k])) - 1 + float32(alpha[k]*s.diagonal)
		projected := gradient
		if alpha[k] == 0 {
			if gradient > s.bound[k] {
				s.open[row] &^= bit
				continue
			}
			projected = min(gradient, 0)
		}
		s.worst[k], s.least[k] = max(s.worst[k], projected), min(s.least[k], projected)
		if projected > 1e-6 || projected < -1e-6 {
			before := alpha[k]
			alpha[k] = max(before-gradient/(s.lengths[row]+s.diagonal), 0)
			move[k] = float32((alpha[k] - before) * y)
			s.bias[k] += move[k]
			moved = true
		}
	}
	if moved {
		v.addLanes(s.weights, &move)
	}
}

// dotLanes multiplies with the weights of each class.
func (v vector) dotLanes(weights []lane) lane {
	var a, b, c, d, e, f, g, h float32
	value := v.value[:len(v.at)]
	for i, at := range v.at {
		x, w := value[i], &weights[at]
		a += float32(x * w[0])
		b += float32(x * w[1])
		c += float32(x * w[2])
		d += float32(x * w[3])
		e += float32(x * w[4])
		f += float32(x * w[5])
		g += float32(x * w[6])
		h += float32(x * w[7])
	}
	return lane{a, b, c, d, e, f, g, h}
}

// dotLane multiplies with the weights of one class.
func (v vector) dotLane(weights []lane, k int) float32 {
	var a, b float32
	at, value := v.at, v.value[:len(v.at)]
	for len(at) >= 2 && len(value) >= 2 {
		a += float32(value[0] * weights[at[0]][k&(lanes-1)])
		b += float32(value[1] * weights[at[1]][k&(lanes-1)])
		at, value = at[2:], value[2:]
	}
	if len(at) > 0 {
		a += float32(value[0] * weights[at[0]][k&(lanes-1)])
	}
	return a + b
}

// addLanes adds the vector to the weights, for each class so many times.
func (v vector) addLanes(weights []lane, times *lane) {
	for i, at := range v.at {
		x, w := v.value[i], &weights[at]
		for k := range w {
			w[k] += float32(x * times[k])
		}
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
