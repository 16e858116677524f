package models

// A booster adds trees, each fitted to the gradients at the margins that the
// trees before it reach.
type booster struct {
	params  Params
	weights []float32
	states  []rowState
	ledger  ledger
	grower  *grower
	blocks  []rowBlock // one per thread
	sampler rowSampler
}

// rowState is what the gradient of a row depends on, side by side in memory.
type rowState struct{ margin, label float32 }

func newBooster(train Dataset, p Params, m *Model) *booster {
	bins := newBinned(train, p.Bins, p.Threads)
	b := &booster{
		params: p, weights: train.Weight,
		states:  make([]rowState, train.X.Rows),
		ledger:  newLedger(bins, train, p),
		blocks:  make([]rowBlock, p.Threads),
		sampler: rowSampler{seed: p.Seed, share: p.RowSample},
	}
	b.grower = newGrower(bins, b.ledger, p)
	base := m.Objective.Margin(m.BaseScore)
	for r := range b.states {
		b.states[r] = rowState{margin: base, label: train.Y[r]}
	}
	b.record(0, b.everyRow())
	return b
}

func newLedger(bins *binned, train Dataset, p Params) ledger {
	if !packable(p.Objective, train.Weight, train.X.Rows) {
		return newExactLedger(p.Objective, bins, p.Threads)
	}
	total := 0.0
	for r := range train.Y {
		total += weightOf(train.Weight, r)
	}
	return newPackedLedger(bins, total, p.Threads)
}

// next grows a tree, adds it to the margins and records the gradients there.
func (b *booster) next(tree int) Tree {
	sampleColumns(b.grower.splitter.used, b.params.ColSample, b.params.Seed, tree)
	root := b.grower.grow()
	b.record(tree+1, b.grower.landings(root, b.params.Eta))
	return assemble(root, b.grower.bins, b.params.Eta)
}

// everyRow is a landing of all rows that changes nothing.
func (b *booster) everyRow() []landing {
	return []landing{{rows: b.grower.partitioner.of(b.grower.partitioner.all())}}
}

// record makes one pass over the rows: margins move, gradients follow.
func (b *booster) record(tree int, landings []landing) {
	sampler := b.sampler.of(tree)
	tallies := make([]tally, b.params.Threads)
	parallel(b.params.Threads, len(landings), func(worker, i int) {
		l, block := landings[i], &b.blocks[worker]
		for first := 0; first < len(l.rows); first += gatherRows {
			block.rows = l.rows[first:min(first+gatherRows, len(l.rows))]
			l.add(b.states, block.rows)
			b.gather(block, sampler)
			b.ledger.record(block, &tallies[worker])
		}
	})
	if b.ledger.settle(tallies) {
		b.record(tree, b.everyRow())
	}
}

// gather copies what the gradients of a block's rows depend on.
func (b *booster) gather(block *rowBlock, sampler rowSampler) {
	for i, r := range block.rows {
		state := b.states[r]
		block.margin[i], block.label[i] = state.margin, state.label
		block.weight[i] = 1
		if b.weights != nil {
			block.weight[i] = b.weights[r]
		}
		if !sampler.takes(r) {
			block.weight[i] = 0
		}
	}
}
