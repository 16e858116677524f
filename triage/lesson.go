package triage

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Lesson is a text that a person labelled, with who wrote it and who taught.
type Lesson struct {
	Text, Label string
	Reporter    string // "" when not known
	Teacher     int64
}

// Caps of lessons: nobody alone may teach a model much.
const (
	reporterShare = 0.1 // of all lessons, for the texts of one reporter
	teacherShare  = 0.4 // and for the labels of one person
	leastCap      = 10  // that everybody has
	perEvent      = 2   // lessons of near-duplicate texts
)

// Curate keeps what may teach a model, given the oldest first: of near-duplicate
// texts the two newest lessons, and of one reporter and of one teacher no more
// than their share, newest first. It returns the places of those kept, rising.
func Curate(m *Model, lessons []Lesson) []int {
	most := func(share float64) int { return max(leastCap, int(share*float64(len(lessons)))) }
	reporters, teachers := map[string]int{}, map[int64]int{}
	near, events := NewIndex[int](m), map[int]int{} // lessons kept, by the first of their event
	var kept []int
	for i, l := range slices.Backward(lessons) {
		event := i
		if found := near.Nearest(l.Text, 1, NearDuplicate); len(found) > 0 {
			event = found[0].Key
		}
		if events[event] == perEvent || reporters[l.Reporter] == most(reporterShare) && l.Reporter != "" || teachers[l.Teacher] == most(teacherShare) {
			continue
		}
		if event == i {
			near.Add(i, l.Text)
		}
		events[event]++
		reporters[l.Reporter]++
		teachers[l.Teacher]++
		kept = append(kept, i)
	}
	slices.Reverse(kept)
	return kept
}

// Suspect is a lesson whose label may be wrong.
type Suspect struct {
	Lesson int     // its place
	Likely string  // label that fits better
	P      float64 // of that label, by models that did not see the lesson
	Given  float64 // of the label that it has
}

// suspectFolds is how many parts lessons are judged in.
const suspectFolds = 3

// Suspects lists lessons whose labels models that did not learn from them find
// wrong, the most doubtful first: confident learning (Northcutt, Jiang and
// Chuang, JAIR 2021). A label is doubted when another one is at least as
// probable as that is among the lessons that do have it, and its own less
// probable than usual. base is learned by every model and not judged.
func Suspects(ctx context.Context, base []Example, lessons []Lesson, s Settings, progress func(string)) ([]Suspect, error) {
	p, err := outOfFold(ctx, base, lessons, s, progress)
	if err != nil {
		return nil, err
	}
	usual, count := map[string]float64{}, map[string]float64{}
	for i, l := range lessons {
		usual[l.Label] += p[i][l.Label]
		count[l.Label]++
	}
	for label := range usual {
		usual[label] /= count[label]
	}
	var found []Suspect
	for i, l := range lessons {
		best := Suspect{Lesson: i, Given: p[i][l.Label]}
		for label, x := range p[i] {
			if least, judged := usual[label]; judged && label != l.Label && x >= least && (x > best.P || x == best.P && label < best.Likely) {
				best.Likely, best.P = label, x
			}
		}
		if best.Likely != "" && best.P > best.Given && best.Given < usual[l.Label] {
			found = append(found, best)
		}
	}
	slices.SortFunc(found, func(a, b Suspect) int {
		return cmp.Or(cmp.Compare(b.P-b.Given, a.P-a.Given), cmp.Compare(a.Lesson, b.Lesson))
	})
	return found, nil
}

// outOfFold are the probabilities of labels for each lesson by a model that was
// trained without its part.
func outOfFold(ctx context.Context, base []Example, lessons []Lesson, s Settings, progress func(string)) ([]map[string]float64, error) {
	order := rand.New(rand.NewPCG(s.Seed, 3)).Perm(len(lessons))
	p := make([]map[string]float64, len(lessons))
	for fold := range suspectFolds {
		if progress != nil {
			progress(fmt.Sprintf("judging part %d of %d by a model that did not see it", fold+1, suspectFolds))
		}
		train := slices.Clone(base)
		for at, i := range order {
			if at%suspectFolds != fold {
				train = append(train, Example{lessons[i].Text, lessons[i].Label})
			}
		}
		m, err := Train(ctx, train, s, nil)
		if err != nil {
			return nil, err
		}
		for at, i := range order {
			if at%suspectFolds == fold {
				p[i] = map[string]float64{}
				v := m.Classify(lessons[i].Text)
				for _, c := range append(v.Alternatives, v.Choice) {
					p[i][c.Label] = c.P
				}
			}
		}
	}
	return p, nil
}

// Contest compares two models on the same texts.
type Contest struct {
	Texts      int     `json:"texts"`
	Champion   int     `json:"champion_right"`
	Challenger int     `json:"challenger_right"`
	Lost       int     `json:"only_champion_right"`
	Won        int     `json:"only_challenger_right"`
	P          float64 `json:"p"` // that a model no better wins as often or more: exact one-sided McNemar test
}

// promoteP is the P from which on a challenger is no better for all we know.
const promoteP = 0.05

// Better reports whether the challenger is better beyond chance.
func (c Contest) Better() bool { return c.Won > c.Lost && c.P < promoteP }

// Compare lets two models label texts that neither should have seen.
func Compare(champion, challenger *Model, texts []Example) Contest {
	c := Contest{Texts: len(texts)}
	for _, e := range texts {
		was, is := champion.Classify(e.Text).Label == e.Label, challenger.Classify(e.Text).Label == e.Label
		c.Champion += one(was)
		c.Challenger += one(is)
		c.Lost += one(was && !is)
		c.Won += one(is && !was)
	}
	c.P = binomialTail(c.Won, c.Won+c.Lost)
	return c
}

// binomialTail is the probability of k or more heads in n throws of a coin.
func binomialTail(k, n int) float64 {
	p, tail := 1.0, 0.0
	for range n {
		p /= 2
	}
	for i := range n + 1 {
		if i >= k {
			tail += p
		}
		p *= float64(n-i) / float64(i+1)
	}
	return min(tail, 1)
}
