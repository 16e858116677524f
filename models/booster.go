package models

import "slices"

// A booster adds trees, each fitted to the gradients at the margins that the
// trees before it reach.
type booster struct {
	params    Params
	margins   []float32
	labels    []float32
	weights   []float32 // nil: all 1
	landings  []landing // of the last tree, not yet in the margins
	partition *partition
	ledger    ledger
	grower    *grower
	crew      *crew
	blocks    []rowBlock // one per worker
	sampler   rowSampler
}

func newBooster(train Dataset, p Params, m *Model, c *crew) *booster {
	bins := newBinned(train, p.Bins, c)
	rows := newPartition(bins, c.size)
	b := &booster{
		params:  p,
		margins: slices.Repeat([]float32{m.Objective.Margin(m.BaseScore)}, train.X.Rows),
		labels:  train.Y, weights: train.Weight,
		partition: rows,
		ledger:    newLedger(bins, rows, train, p),
		crew:      c,
		blocks:    make([]rowBlock, c.size),
		sampler:   rowSampler{seed: p.Seed, share: p.RowSample},
	}
	b.grower = newGrower(bins, rows, b.ledger, p, c)
	return b
}

func newLedger(bins *binned, rows *partition, train Dataset, p Params) ledger {
	if !packable(p.Objective, train.Weight, train.X.Rows) {
		return newExactLedger(p.Objective, bins, rows)
	}
	total := 0.0
	for r := range train.Y {
		total += weightOf(train.Weight, r)
	}
	return newPackedLedger(bins, rows, total)
}

// next grows a tree on the gradients at the margins that the last one moves.
func (b *booster) next(tree int) Tree {
	sampleColumns(b.grower.splitter.used, b.params.ColSample, b.params.Seed, tree)
	root := b.grower.newRoot()
	b.record(tree, root)
	b.grower.grow(root)
	b.landings = b.grower.landings(root, b.params.Eta)
	return assemble(root, b.grower.bins, b.params.Eta)
}

// record makes one pass over the rows: margins move, gradients follow, and
// are summed for the root.
func (b *booster) record(tree int, root *growNode) {
	sampler := b.sampler.of(tree)
	for again := true; again; {
		tallies := make([]tally, b.crew.size)
		b.ledger.prepare()
		b.ledger.begin([]histogramJob{{spans: root.rows, into: root.histogram}})
		b.crew.run(b.partition.bins.shards(), func(worker, shard int) {
			b.land(shard)
			b.recordShard(shard, sampler, &b.blocks[worker], &tallies[worker])
			b.ledger.visit(worker, shard)
		})
		b.landings = nil
		again = b.ledger.settle(tallies)
	}
}

// land moves the margins of a shard by the last tree and takes its rows back
// to the root.
func (b *booster) land(shard int) {
	first, _ := b.partition.bins.bounds(shard)
	for _, l := range b.landings {
		l.add(b.margins, first, b.partition.of(shard, l.rows[shard]))
	}
	if b.landings != nil {
		b.partition.reset(shard)
	}
}

func (b *booster) recordShard(shard int, sampler rowSampler, block *rowBlock, t *tally) {
	first, end := b.partition.bins.bounds(shard)
	for ; first < end; first += blockRows {
		last := min(first+blockRows, end)
		block.first, block.margin, block.label = first, b.margins[first:last], b.labels[first:last]
		b.weigh(block.weight[:last-first], first, sampler)
		b.ledger.record(block, t)
	}
}

// weigh sets the weights of the rows from first on in the tree of a sampler.
func (b *booster) weigh(weights []float32, first int, sampler rowSampler) {
	for i := range weights {
		weights[i] = 1
	}
	if b.weights != nil {
		copy(weights, b.weights[first:])
	}
	if sampler.share < 1 {
		for i := range weights {
			if !sampler.takes(first + i) {
				weights[i] = 0
			}
		}
	}
}
