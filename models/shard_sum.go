package models

// A shardSum sums rows of a shard into histograms. It goes word by word: the
// cells of eight columns, 16 KB, stay in the first-level cache, and eight
// bins come with one load.
type shardSum struct {
	codes     []uint64 // of the shard's rows, row-major
	words     int
	columns   int
	gradients []int64 // of the shard's rows, packed
}

func (s shardSum) add(into []int64, rows []uint16) {
	if len(rows) == 0 {
		return
	}
	all := len(rows) == len(s.gradients)
	for w := range s.words {
		cells, codes := (*[wordCells]int64)(into[w*wordCells:]), s.codes[w:]
		few := s.columns-w*wordColumns <= wordColumns/2
		switch {
		case all && few:
			s.addAllFew(cells, codes)
		case all:
			s.addAll(cells, codes)
		case few:
			s.addFew(cells, codes, rows)
		default:
			s.addRows(cells, codes, rows)
		}
	}
}

// addAll adds a word of every row. This and the next three are one loop
// written out: as a function of its own the body would not be inlined.
func (s shardSum) addAll(cells *[wordCells]int64, codes []uint64) {
	at, words := 0, s.words
	for _, gh := range s.gradients {
		word := codes[at]
		at += words
		cells[uint8(word)] += gh
		cells[1*maxCodes+int(uint8(word>>8))] += gh
		cells[2*maxCodes+int(uint8(word>>16))] += gh
		cells[3*maxCodes+int(uint8(word>>24))] += gh
		cells[4*maxCodes+int(uint8(word>>32))] += gh
		cells[5*maxCodes+int(uint8(word>>40))] += gh
		cells[6*maxCodes+int(uint8(word>>48))] += gh
		cells[7*maxCodes+int(uint8(word>>56))] += gh
	}
}

// addAllFew is addAll for a word of at most four columns.
func (s shardSum) addAllFew(cells *[wordCells]int64, codes []uint64) {
	at, words := 0, s.words
	for _, gh := range s.gradients {
		word := uint32(codes[at])
		at += words
		cells[uint8(word)] += gh
		cells[1*maxCodes+int(uint8(word>>8))] += gh
		cells[2*maxCodes+int(uint8(word>>16))] += gh
		cells[3*maxCodes+int(uint8(word>>24))] += gh
	}
}

// addRows adds a word of some rows.
func (s shardSum) addRows(cells *[wordCells]int64, codes []uint64, rows []uint16) {
	gradients, words := s.gradients, s.words
	for _, r := range rows {
		word, gh := codes[int(r)*words], gradients[r]
		cells[uint8(word)] += gh
		cells[1*maxCodes+int(uint8(word>>8))] += gh
		cells[2*maxCodes+int(uint8(word>>16))] += gh
		cells[3*maxCodes+int(uint8(word>>24))] += gh
		cells[4*maxCodes+int(uint8(word>>32))] += gh
		cells[5*maxCodes+int(uint8(word>>40))] += gh
		cells[6*maxCodes+int(uint8(word>>48))] += gh
		cells[7*maxCodes+int(uint8(word>>56))] += gh
	}
}

// addFew is addRows for a word of at most four columns.
func (s shardSum) addFew(cells *[wordCells]int64, codes []uint64, rows []uint16) {
	gradients, words := s.gradients, s.words
	for _, r := range rows {
		word, gh := uint32(codes[int(r)*words]), gradients[r]
		cells[uint8(word)] += gh
		cells[1*maxCodes+int(uint8(word>>8))] += gh
		cells[2*maxCodes+int(uint8(word>>16))] += gh
		cells[3*maxCodes+int(uint8(word>>24))] += gh
	}
}
