package models

// A booster adds trees, each fitted to the gradients at the margins that the
// trees before it reach.
type booster struct {
	params    Params
	weights   []float32
	states    []rowState
	partition *partition
	ledger    ledger
	grower    *grower
	blocks    []rowBlock // one per thread
	sampler   rowSampler
}

// rowState is what the gradient of a row depends on, side by side in memory.
type rowState struct{ margin, label float32 }

func newBooster(train Dataset, p Params, m *Model) *booster {
	bins := newBinned(train, p.Bins, p.Threads)
	rows := newPartition(bins, p.Threads)
	b := &booster{
		params: p, weights: train.Weight,
		states:    make([]rowState, train.X.Rows),
		partition: rows,
		ledger:    newLedger(bins, rows, train, p),
		blocks:    make([]rowBlock, p.Threads),
		sampler:   rowSampler{seed: p.Seed, share: p.RowSample},
	}
	b.grower = newGrower(bins, rows, b.ledger, p)
	base := m.Objective.Margin(m.BaseScore)
	for r := range b.states {
		b.states[r] = rowState{margin: base, label: train.Y[r]}
	}
	b.record(0, b.everyRow())
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

// next grows a tree, adds it to the margins and records the gradients there.
func (b *booster) next(tree int) Tree {
	sampleColumns(b.grower.splitter.used, b.params.ColSample, b.params.Seed, tree)
	root := b.grower.grow()
	b.record(tree+1, b.grower.landings(root, b.params.Eta))
	return assemble(root, b.grower.bins, b.params.Eta)
}

// everyRow is a landing of all rows that changes nothing.
func (b *booster) everyRow() []landing { return []landing{{rows: b.partition.reset()}} }

// record makes one pass over the rows: margins move, gradients follow.
func (b *booster) record(tree int, landings []landing) {
	sampler := b.sampler.of(tree)
	tallies := make([]tally, b.params.Threads)
	b.ledger.prepare()
	parallel(b.params.Threads, b.partition.bins.shards(), func(worker, shard int) {
		for _, l := range landings {
			b.recordShard(shard, l, sampler, &b.blocks[worker], &tallies[worker])
		}
	})
	if b.ledger.settle(tallies) {
		b.record(tree, b.everyRow())
	}
}

func (b *booster) recordShard(shard int, l landing, sampler rowSampler, block *rowBlock, t *tally) {
	rows := b.partition.of(shard, l.rows[shard])
	block.first, _ = b.partition.bins.bounds(shard)
	for len(rows) > 0 {
		n := min(gatherRows, len(rows))
		block.rows, rows = rows[:n], rows[n:]
		l.add(b.states, block.first, block.rows)
		b.gather(block, sampler)
		b.ledger.record(block, t)
	}
}

// gather copies what the gradients of a block's rows depend on.
func (b *booster) gather(block *rowBlock, sampler rowSampler) {
	states := b.states[block.first:]
	for i, r := range block.rows {
		block.margin[i], block.label[i], block.weight[i] = states[r].margin, states[r].label, 1
	}
	if b.weights != nil {
		weights := b.weights[block.first:]
		for i, r := range block.rows {
			block.weight[i] = weights[r]
		}
	}
	if sampler.share < 1 {
		for i, r := range block.rows {
			if !sampler.takes(block.first + int(r)) {
				block.weight[i] = 0
			}
		}
	}
}
