package scoring

import (
	"time"

	"tallyman/warehouse"
)

// Kind is what a request asks about.
type Kind string

// The kinds of request.
const (
	InboundLoad   Kind = "inbound_load"   // lines of a load, at receipt or before
	StockPosition Kind = "stock_position" // SKUs at locations
)

// A Request asks for the risk of one load, or of some positions, of a site.
type Request struct {
	Kind       Kind
	Site       warehouse.Site
	OccurredAt time.Time // when it happened on the floor
	Load       warehouse.Load
	Order      string
	Supplier   warehouse.Supplier
	Carrier    warehouse.Carrier
	ExpectedAt time.Time
	Lines      []LineRequest
}

// A LineRequest is one line of a load, or one position.
type LineRequest struct {
	Line     warehouse.Line
	SKU      warehouse.SKU
	Location warehouse.Location // position only
	Ordered  warehouse.MaybeQty
	Expected warehouse.MaybeQty // as the ASN says
	Scanned  warehouse.MaybeQty // as received so far
	Pack     warehouse.MaybeQty
	Cost     warehouse.Cost
	Attrs    []warehouse.Attr
}

// Level is a risk in words.
type Level string

// The levels, lowest first.
const (
	Low      Level = "low"
	Elevated Level = "elevated"
	High     Level = "high"
)

// Advice is what to do until a human has decided. It is never more than that.
type Advice string

// The advices.
const (
	Proceed Advice = "proceed"
	Verify  Advice = "verify" // count or check before it flows on
	Review  Advice = "review" // a human should look: too little is known
)

// A Signal is one outcome's risk.
type Signal struct {
	Outcome      Outcome
	Probability  float64
	Level        Level
	ExpectedLoss warehouse.Money // zero currency when no cost is known
}

// A Reason says in words why a risk is higher or lower than usual.
type Reason struct {
	Code         string  // stable, upper snake case
	Text         string  // one sentence a supervisor understands
	Contribution float64 // to the log odds; above zero raises the risk; [Certain] of a fact
	Value        float64 // of the feature that says most; NaN when unknown
}

// A LineEvaluation is the answer for one line.
type LineEvaluation struct {
	Line     warehouse.Line
	SKU      warehouse.SKU
	Location warehouse.Location
	Signals  []Signal
	Units    float64 // position: expected size of a difference, in base units
	Reasons  []Reason
	Missing  []string
	Vector   []float32 // as it was scored; its schema is the model's
}

// An Evaluation is the answer to a [Request].
type Evaluation struct {
	AsOf     time.Time
	Models   []Version // that answered, by outcome
	Schema   string    // hash of the schema of the vectors
	Lines    []LineEvaluation
	Signals  []Signal // the highest of the lines, with the sum of their losses
	Reasons  []Reason
	Advice   Advice
	Degraded bool     // no model was in force, or the state lags: rates instead
	Missing  []string // union over the lines
}
