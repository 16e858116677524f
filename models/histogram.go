package models

// sums are the totals of gradients and Hessians over some rows.
type sums struct{ g, h float64 }

func (s sums) plus(t sums) sums  { return sums{s.g + t.g, s.h + t.h} }
func (s sums) minus(t sums) sums { return sums{s.g - t.g, s.h - t.h} }

// wordCells is the number of cells for one word of columns: of column c of
// the word, code k is in cell c*maxCodes+k.
const wordCells = wordColumns * maxCodes

// A histogram holds, per column and code, the sums over the rows of a node.
// Which of the slices is used is up to the ledger that made it.
type histogram struct {
	packed []int64
	exact  []sums
}

// A histogramJob asks for the histogram of a node's rows.
type histogramJob struct {
	spans []span // of the node, per shard
	into  histogram
}

// A ledger keeps every row's gradient and Hessian and sums them. There are
// two: packedLedger, fast, for bounded gradients, and exactLedger for all.
type ledger interface {
	// prepare, record of every block of rows by any worker, and settle compute
	// and store the gradients of all rows. If settle returns true, all three
	// must be repeated with the same margins.
	prepare()
	record(block *rowBlock, tally *tally)
	settle(tallies []tally) (repeat bool)
	// newHistogram allocates a histogram.
	newHistogram() histogram
	// begin, visit of every shard, by any worker in any order, and then, once,
	// complete of every word of every job sum the rows of each job into its
	// histogram.
	begin(jobs []histogramJob)
	visit(worker, shard int)
	complete(job, word int)
	// subtract takes child from parent, in the cells of one word.
	subtract(parent, child histogram, word int)
	// column reads the sums of each code of a column.
	column(from histogram, column int, into *[maxCodes]sums)
}

// blockRows is how many rows are computed on at once.
const blockRows = 256

// A rowBlock is what the gradients of at most blockRows rows in a row depend
// on.
type rowBlock struct {
	first         int // row
	margin, label []float32
	weight        [blockRows]float32
}

// A tally is what one worker adds up while it records.
type tally struct{ g, h int64 }
