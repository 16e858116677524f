package models

import (
	"encoding/binary"
	"math"
)

// Categorical splits in flat trees: whether a category goes right depends only
// on the split's set of categories, so each different set gets a key of its own,
// computed once per row: the highest key for right, the lowest for left. Sets
// recur (a Yes/No column has two), so this is cheap; a tree with too many sets
// of its own is walked instead.

const (
	maxNewSets     = 64   // that one tree may add
	maxSetCategory = 4096 // categories that the sets tabulate
)

// categoryKeys are the sets of all flat trees.
type categoryKeys struct {
	first   int            // place of the first set's keys
	places  map[string]int // of a set's keys, by setName
	columns []categoryColumn
	of      []int // index in columns of each feature, plus 1
}

// categoryColumn tabulates the sets of one feature.
type categoryColumn struct {
	feature int
	places  []int
	right   [][]bool // by category, then set: does it go right; the last is for missing
}

func newCategoryKeys(features int) categoryKeys {
	return categoryKeys{first: 2 * lockstep * features, places: map[string]int{}, of: make([]int, features)}
}

// length is the number of keys of a group of rows.
func (k *categoryKeys) length() int { return k.first + lockstep*len(k.places) }

// setName identifies a feature, its set and where missing values go.
func setName(n *Node) string {
	b := binary.LittleEndian.AppendUint32(nil, uint32(n.Feature))
	if n.DefaultLeft {
		b = append(b, 1)
	}
	for _, c := range n.Categories {
		b = binary.LittleEndian.AppendUint32(b, uint32(c))
	}
	return string(b)
}

// takes reports whether the sets of a tree are few enough, and adds them.
func (k *categoryKeys) takes(t *Tree) bool {
	added := map[string]*Node{}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if n.Categories == nil {
			continue
		}
		if n.Categories[len(n.Categories)-1] >= maxSetCategory {
			return false
		}
		if name := setName(n); k.places[name] == 0 {
			added[name] = n
		}
	}
	if len(added) > maxNewSets || k.length()+lockstep*len(added) > math.MaxUint16 {
		return false
	}
	for i := range t.Nodes { // in the order of the nodes, not of the map
		n := &t.Nodes[i]
		if n.Categories == nil {
			continue
		}
		if name := setName(n); k.places[name] == 0 {
			k.add(n, name)
		}
	}
	return true
}

func (k *categoryKeys) add(n *Node, name string) {
	if k.of[n.Feature] == 0 {
		k.columns = append(k.columns, categoryColumn{feature: int(n.Feature), right: make([][]bool, maxSetCategory+1)})
		k.of[n.Feature] = len(k.columns)
	}
	c := &k.columns[k.of[n.Feature]-1]
	place := k.length()
	k.places[name] = place
	c.places = append(c.places, place)
	set := len(c.places) - 1
	for _, category := range n.Categories {
		c.mark(int(category), set)
	}
	if !n.DefaultLeft {
		c.mark(maxSetCategory, set)
	}
}

func (c *categoryColumn) mark(row, set int) {
	for len(c.right[row]) <= set {
		c.right[row] = append(c.right[row], false)
	}
	c.right[row][set] = true
}

// set writes the keys of one row as row l of its group.
func (k *categoryKeys) set(keys []uint64, row []float32, l int) {
	for i := range k.columns {
		c := &k.columns[i]
		var right []bool // shorter than places: the rest go left
		switch x := row[c.feature]; {
		case x != x: //nolint:staticcheck // NaN: missing
			right = c.right[maxSetCategory]
		case x >= 0 && x < maxSetCategory:
			right = c.right[int(x)]
		}
		for set, place := range c.places {
			key := uint64(0)
			if set < len(right) && right[set] {
				key = math.MaxUint32 << 32
			}
			keys[place+l] = key
		}
	}
}
