package models

// A growNode is a node of the tree being grown.
type growNode struct {
	rows        []span // per shard
	depth       int
	sum         sums
	bounds      bounds
	weight      float64 // as a leaf, not yet shrunk
	histogram   histogram
	split       split
	left, right *growNode // nil in a leaf
	terminal    bool      // its children are leaves, and its rows are not parted
}

// A grower grows trees on the gradients in a ledger.
type grower struct {
	bins      *binned
	ledger    ledger
	splitter  *splitter
	partition *partition
	spare     []histogram
	crew      *crew
	searches  []search // one per worker
	depth     int
	leaves    int // 0: grow level by level
}

func newGrower(bins *binned, rows *partition, l ledger, p Params, c *crew) *grower {
	g := &grower{
		bins: bins, ledger: l,
		splitter: newSplitter(bins, l, p), partition: rows,
		crew: c, searches: make([]search, c.size),
		depth: p.Depth, leaves: p.Leaves,
	}
	for i := range g.searches {
		g.searches[i].splitter = g.splitter
	}
	return g
}

// newRoot returns the root of a tree: all rows, which are yet to be summed.
func (g *grower) newRoot() *growNode {
	return &growNode{rows: g.partition.whole, bounds: unbounded, histogram: g.takeHistogram()}
}

// grow grows the tree of a root whose shards the ledger has visited.
func (g *grower) grow(root *growNode) {
	g.crew.run(g.bins.words, func(_, word int) { g.ledger.complete(0, word) })
	var codes [maxCodes]sums
	g.ledger.column(root.histogram, 0, &codes)
	for _, cell := range codes {
		root.sum = root.sum.plus(cell)
	}
	root.weight = g.splitter.penalty.weight(root.sum, root.bounds)
	g.findSplits([]sibling{{smaller: root}})
	if g.leaves > 0 {
		g.byLeaf(root)
	} else {
		g.byLevel(root)
	}
}

// byLevel splits all nodes of a level before those of the next.
func (g *grower) byLevel(root *growNode) {
	for level := []*growNode{root}; len(level) > 0; {
		var split []*growNode
		for _, node := range level {
			if node.split.gain > 0 {
				split = append(split, node)
			} else {
				g.giveHistogram(node)
			}
		}
		g.expand(split)
		level = level[:0]
		for _, node := range split {
			if !node.terminal {
				level = append(level, node.left, node.right)
			}
		}
	}
}

// byLeaf splits the leaf that gains most until there are enough leaves.
func (g *grower) byLeaf(root *growNode) {
	open := []*growNode{root}
	for leaves := 1; leaves < g.leaves; leaves++ {
		best := -1
		for i, node := range open {
			if node.split.gain > 0 && (best < 0 || node.split.gain > open[best].split.gain) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		node := open[best]
		g.expand([]*growNode{node})
		if node.terminal {
			open = append(open[:best], open[best+1:]...)
			continue
		}
		open[best] = node.left
		open = append(open, node.right)
	}
	for _, node := range open {
		g.giveHistogram(node)
	}
}

// A sibling is a child whose histogram is to be summed and the other one,
// whose histogram is what is left of their parent's; nil at the root.
type sibling struct{ smaller, larger *growNode }

// expand turns nodes into parents.
func (g *grower) expand(nodes []*growNode) {
	var parents []*growNode
	for _, node := range nodes {
		g.beget(node)
		if node.terminal {
			g.giveHistogram(node)
		} else {
			parents = append(parents, node)
		}
	}
	g.findSplits(g.part(parents))
}

// part sends the rows of parents to their children and has the rows of the
// lighter child of each summed, in one visit to every shard.
func (g *grower) part(parents []*growNode) []sibling {
	siblings := make([]sibling, len(parents))
	jobs := make([]histogramJob, len(parents))
	tables := make([]*[maxCodes]uint8, len(parents))
	for i, node := range parents {
		s := sibling{smaller: node.left, larger: node.right}
		if node.left.sum.h > node.right.sum.h {
			s = sibling{smaller: node.right, larger: node.left}
		}
		s.larger.histogram, node.histogram = node.histogram, histogram{}
		s.smaller.histogram = g.takeHistogram()
		node.left.rows, node.right.rows = make([]span, len(node.rows)), make([]span, len(node.rows))
		siblings[i], tables[i] = s, node.split.goesRight(g.bins)
		jobs[i] = histogramJob{spans: s.smaller.rows, into: s.smaller.histogram}
	}
	g.ledger.begin(jobs)
	g.crew.run(g.bins.shards(), func(worker, shard int) {
		for i, node := range parents {
			all := node.rows[shard]
			column := g.bins.columnOf(node.split.feature)
			middle := g.partition.split(worker, shard, all, column, tables[i])
			node.left.rows[shard], node.right.rows[shard] = span{all.first, middle}, span{middle, all.end}
		}
		g.ledger.visit(worker, shard)
	})
	return siblings
}

// beget gives a node its children.
func (g *grower) beget(node *growNode) {
	s := node.split
	p := g.splitter.penalty
	leftWeight, rightWeight := p.weight(s.left, node.bounds), p.weight(s.right, node.bounds)
	forLeft, forRight := node.bounds.split(g.splitter.sign(s.feature), leftWeight, rightWeight)
	node.left = &growNode{depth: node.depth + 1, sum: s.left, weight: leftWeight, bounds: forLeft}
	node.right = &growNode{depth: node.depth + 1, sum: s.right, weight: rightWeight, bounds: forRight}
	node.terminal = !g.splittable(node.left) && !g.splittable(node.right)
}

// splittable reports whether a node could be split at all.
func (g *grower) splittable(node *growNode) bool {
	return node.depth < g.depth && node.sum.h >= 2*g.splitter.penalty.minChildWeight
}

// findSplits completes the histograms of siblings, but for a root, which is
// complete, and finds their best splits.
func (g *grower) findSplits(siblings []sibling) {
	words := g.bins.words
	found := make([]struct{ smaller, larger split }, len(siblings)*words)
	g.crew.run(len(found), func(worker, i int) {
		pair, word, search := siblings[i/words], i%words, &g.searches[worker]
		if pair.larger != nil {
			g.ledger.complete(i/words, word)
			g.ledger.subtract(pair.larger.histogram, pair.smaller.histogram, word)
			if g.splittable(pair.larger) {
				found[i].larger = search.in(pair.larger, word)
			}
		}
		if g.splittable(pair.smaller) {
			found[i].smaller = search.in(pair.smaller, word)
		}
	})
	for i, f := range found {
		pair := siblings[i/words]
		if f.smaller.beats(pair.smaller.split) {
			pair.smaller.split = f.smaller
		}
		if pair.larger != nil && f.larger.beats(pair.larger.split) {
			pair.larger.split = f.larger
		}
	}
}

func (g *grower) takeHistogram() histogram {
	if n := len(g.spare); n > 0 {
		h := g.spare[n-1]
		g.spare = g.spare[:n-1]
		return h
	}
	return g.ledger.newHistogram()
}

func (g *grower) giveHistogram(node *growNode) {
	g.spare = append(g.spare, node.histogram)
	node.histogram = histogram{}
}
