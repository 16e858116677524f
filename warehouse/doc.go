// Package warehouse says what happened: sites, SKUs, locations, loads, counts
// and the canonical event they all arrive as; quantities, costs and the check
// digits of GS1 keys. It decodes and validates, once, at the edge, so that
// every other package can trust the values it is given. It does no I/O beyond
// the reader it is handed and never reads a clock.
package warehouse
