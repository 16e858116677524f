package features

import (
	"time"

	"tallyman/warehouse"
)

// Stage says when in its life a subject was scored.
type Stage uint8

// The stages of an [Example].
const (
	AtCount   Stage = iota // a position, just before its count
	AtNotice               // a load's line, when its ASN came
	AtReceipt              // a load's line, just before its first receipt
)

// An Example is one subject as it was known at an instant, with the outcome
// that became known later.
type Example struct {
	Position warehouse.Position // of a load's line, without location
	Stage    Stage
	At       time.Time
	Vector   []float32
	Cost     warehouse.Cost // without currency

	// Of a count.
	Book     warehouse.Qty
	Variance warehouse.Qty // counted minus book
	Counted  time.Time     // when the count became known

	Inbound *Inbound // of a load's line, nil of a count
}

// Inbound is the load's line that an [Example] is about, and what became of it.
// The times are zero while the outcome is not known.
type Inbound struct {
	Load      warehouse.Load
	Line      warehouse.Line
	Supplier  warehouse.Supplier
	Late      bool
	LateKnown time.Time
	Short     warehouse.Qty // expected minus received
	Settled   time.Time
}
