package models

// A wordSum sums rows of a shard into the cells of eight columns. The cells,
// 16 KB, stay in the first-level cache, and eight bins come with one load.
type wordSum struct {
	codes     []uint64 // of each row of the shard
	gradients []int64  // of each row of the shard, packed
	few       bool     // no more than four of the columns are in use
	fetched   uint64   // keeps fetch from being optimised away
}

// fetch reads the codes in order, which the memory system does much faster
// than in the order of nodes that follows.
func (s *wordSum) fetch() {
	for i := 0; i < len(s.codes); i += 8 {
		s.fetched += s.codes[i]
	}
}

func (s *wordSum) add(cells *[wordCells]int64, rows []uint16) {
	switch all := len(rows) == len(s.gradients); {
	case all && s.few:
		s.addAllFew(cells)
	case all:
		s.addAll(cells)
	case s.few:
		s.addFew(cells, rows)
	default:
		s.addRows(cells, rows)
	}
}

// addAll adds every row. This and the next three are one loop written out: as
// a function of its own the body would not be inlined.
func (s *wordSum) addAll(cells *[wordCells]int64) {
	codes := s.codes
	for i, gh := range s.gradients {
		word := codes[i]
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

// addAllFew is addAll for at most four columns.
func (s *wordSum) addAllFew(cells *[wordCells]int64) {
	codes := s.codes
	for i, gh := range s.gradients {
		word := uint32(codes[i])
		cells[uint8(word)] += gh
		cells[1*maxCodes+int(uint8(word>>8))] += gh
		cells[2*maxCodes+int(uint8(word>>16))] += gh
		cells[3*maxCodes+int(uint8(word>>24))] += gh
	}
}

// addRows adds some rows.
func (s *wordSum) addRows(cells *[wordCells]int64, rows []uint16) {
	codes, gradients := s.codes, s.gradients
	for _, r := range rows {
		word, gh := codes[r], gradients[r]
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

// addFew is addRows for at most four columns.
func (s *wordSum) addFew(cells *[wordCells]int64, rows []uint16) {
	codes, gradients := s.codes, s.gradients
	for _, r := range rows {
		word, gh := uint32(codes[r]), gradients[r]
		cells[uint8(word)] += gh
		cells[1*maxCodes+int(uint8(word>>8))] += gh
		cells[2*maxCodes+int(uint8(word>>16))] += gh
		cells[3*maxCodes+int(uint8(word>>24))] += gh
	}
}
