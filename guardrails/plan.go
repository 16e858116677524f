package guardrails

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"tallyman/warehouse"
)

// Operation is one call that the execution of a step makes: which bytes go to
// which target, and which bytes take the effect back.
type Operation struct {
	Target     string // its name
	Body       []byte // exactly what is sent
	Compensate []byte // what undoes it; nil when nothing does
	Final      string // why nothing does; "" otherwise
}

// Plan is the operations of a step, in order. When one fails for good, those
// before it are taken back, the last one first.
type Plan []Operation

// NewPlan returns the plan of an action: the same for each target that takes it,
// in the order given.
func NewPlan(site warehouse.Site, a Action, targets []string) (Plan, error) {
	body, err := Payload(site, a)
	if err != nil {
		return nil, err
	}
	inverse, why, err := Inverse(site, a)
	if err != nil {
		return nil, fmt.Errorf("inverse of %s: %w", a.Kind(), err)
	}
	var p Plan
	for _, t := range targets {
		p = append(p, Operation{Target: t, Body: body, Compensate: inverse, Final: why})
	}
	return p, nil
}

// takenBack is the reason that an inverse gives.
const takenBack = "taken back: another operation of the same step failed"

// Inverse returns the bytes that take an applied action back, or why there are
// none. An action that has an opposite is undone by it; a task that is only
// asked for is cancelled.
func Inverse(site warehouse.Site, a Action) (body []byte, why string, err error) {
	switch a := a.(type) {
	case *CountPosition, *VerifyLoad, *InvoicePause, *RouteTicket:
		body, err = cancel(site, a)
	case *HoldReceipt:
		body, err = Payload(site, &ReleaseReceipt{Load: a.Load, Line: a.Line, SKU: a.SKU, Qty: a.Qty, Reason: takenBack})
	case *ReleaseReceipt:
		body, err = Payload(site, &HoldReceipt{Load: a.Load, Line: a.Line, SKU: a.SKU, Qty: a.Qty, Reason: takenBack})
	case *InventoryAdjustment:
		body, err = Payload(site, &InventoryAdjustment{
			Location: a.Location, SKU: a.SKU, Lot: a.Lot, Book: a.Counted, Counted: a.Book, Reason: takenBack,
		})
	case *SupplierChargeback:
		why = "the supplier has the claim; a credit is a decision of its own"
	case *ShipmentSubstitution, *OrderShortShipment:
		why = "what has left the dock does not come back"
	case *PromoteModel:
		why = "the model before it comes back by a step of its own"
	case *ChangePolicy:
		why = "the policy before it comes back by a step of its own"
	}
	return body, why, err
}

// cancel is the message that calls off a task that was asked for.
func cancel(site warehouse.Site, a Action) ([]byte, error) {
	of, err := Payload(site, a)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]byte(`{"action":"cancel","of":`), of, []byte("}")), nil
}

// Hash covers every byte that would be sent, to whom, and what undoes it. Plans of
// before inverses were bound have an own form, which they keep.
func (p Plan) Hash() Hash {
	h := sha256.New()
	bound := slices.ContainsFunc(p, func(o Operation) bool { return o.Compensate != nil || o.Final != "" })
	if bound {
		h.Write([]byte("tallyman/plan/v2\x00"))
	} else {
		h.Write([]byte("tallyman/plan/v1\x00"))
	}
	for _, o := range p {
		writeText(h, o.Target)
		writeText(h, string(o.Body))
		writeText(h, string(o.Compensate))
		if bound {
			writeText(h, o.Final)
		}
	}
	return Hash(h.Sum(nil))
}
