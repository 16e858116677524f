package main

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"

	"tallyman/warehouse"
)

// once keeps one event of each (source, id), the first, as an import does:
// exports overlap, and a count that is there twice would be two counts.
type once struct {
	events  []warehouse.Event
	seed    maphash.Seed
	byKey   map[uint64]int // place of the event whose key has this hash, or one less
	again   int            // the same once more
	differs int            // the same key with other content
	first   string         // where that was first
}

func newOnce() *once { return &once{seed: maphash.MakeSeed(), byKey: map[uint64]int{}} }

// add takes an event that stands in a line of a file.
func (o *once) add(e warehouse.Event, file string, line int) {
	h := maphash.Comparable(o.seed, [2]string{string(e.Source), e.ID})
	for {
		at, taken := o.byKey[h]
		if !taken {
			o.byKey[h] = len(o.events)
			o.events = append(o.events, e)
			return
		}
		if held := &o.events[at]; held.Source == e.Source && held.ID == e.ID {
			o.repeated(held, &e, file, line)
			return
		}
		h++
	}
}

func (o *once) repeated(held, e *warehouse.Event, file string, line int) {
	if bytes.Equal(held.AppendJSON(nil), e.AppendJSON(nil)) {
		o.again++
		return
	}
	if o.differs == 0 {
		o.first = fmt.Sprintf("%s, line %d, id %q", file, line, e.ID)
	}
	o.differs++
}

// tell says what was left out.
func (o *once) tell(w io.Writer) {
	if o.again > 0 {
		fmt.Fprintf(w, "%s left out: the same source, id and content was there before\n", plural(o.again, "record"))
	}
	if o.differs > 0 {
		fmt.Fprintf(w, "%s left out: an event of the same source and id, but with other content, was there before; first in %s\n",
			plural(o.differs, "record"), o.first)
	}
	if c := o.currencies(); len(c) > 1 {
		fmt.Fprintf(w, "unit costs are in %s: figures of value add them up as if they were one currency\n", strings.Join(c, ", "))
	}
}

// currencies returns those that unit costs name, in order of their appearance.
func (o *once) currencies() []string {
	var list []string
	for i := range o.events {
		c := o.events[i].Cost
		if c.Known() && c.Currency != warehouse.NoCurrency && !slices.Contains(list, string(c.Currency)) {
			list = append(list, string(c.Currency))
		}
	}
	return list
}
