package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"tallyman/warehouse"
)

// once keeps one event of each (source, id), the first, as an import does:
// exports overlap, and a count that is there twice would be two counts.
type once struct {
	events  []warehouse.Event
	byKey   map[eventKey]int // place among the events
	again   int              // the same once more
	differs int              // the same key with other content
	first   string           // where that was first
}

type eventKey struct {
	source warehouse.Source
	id     string
}

func newOnce() *once { return &once{byKey: map[eventKey]int{}} }

// add takes an event that stands in a line of a file.
func (o *once) add(e warehouse.Event, file string, line int) {
	key := eventKey{e.Source, e.ID}
	if at, there := o.byKey[key]; there {
		o.repeated(&o.events[at], &e, file, line)
		return
	}
	o.byKey[key] = len(o.events)
	o.events = append(o.events, e)
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
