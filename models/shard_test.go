package models

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Oracle: filtering the rows one by one.

func TestSplitKeepsRowsTogetherAndInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(25, 26))
	bins := &binned{rows: 1000, shardRows: 300}
	p := newPartition(bins, 2)
	column := make([]uint8, bins.rows)
	for r := range column {
		column[r] = uint8(random.IntN(maxCodes))
	}
	var table [maxCodes]uint8
	for code := range table {
		table[code] = uint8(random.IntN(2))
	}
	for shard, all := range p.whole {
		first, end := bins.bounds(shard)
		var left, right []uint16
		for r := first; r < end; r++ {
			if table[column[r]] == 1 {
				right = append(right, uint16(r-first))
			} else {
				left = append(left, uint16(r-first))
			}
		}
		middle := p.split(1, shard, all, column, &table)
		if got := p.of(shard, span{all.first, middle}); !slices.Equal(got, left) {
			t.Errorf("shard %d: left rows %v, want %v", shard, got, left)
		}
		if got := p.of(shard, span{middle, all.end}); !slices.Equal(got, right) {
			t.Errorf("shard %d: right rows %v, want %v", shard, got, right)
		}
	}
}

func TestShardsSuitTheThreads(t *testing.T) {
	for _, rows := range []int{1, 255, 256, 10_000, 146_800, 1_000_000} {
		for _, words := range []int{1, 4, 100, 10_000} {
			for _, threads := range []int{1, 2, 3, 16} {
				n := shardRows(rows, words, threads)
				if n < minShardRows || n > maxShardRows {
					t.Errorf("%d rows, %d words, %d threads: %d rows to a shard", rows, words, threads, n)
				}
				shards := (&binned{rows: rows, shardRows: n}).shards()
				rounds := (shards + threads - 1) / threads
				if rows > 4*threads*minShardRows && float64(rounds*threads) > 1.05*float64(shards) {
					t.Errorf("%d rows, %d words, %d threads: %d shards leave threads idle", rows, words, threads, shards)
				}
			}
		}
	}
}
