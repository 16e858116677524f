package guardrails

import "tallyman/warehouse"

// Action is what a recommendation asks for, down to the last unit: one of the
// types below. Its fields are texts and integers only: quantities in
// thousandths, money in minor units.
//
//sumtype:decl
type Action interface {
	// Kind names the action.
	Kind() Kind
	// fields lists the payload in the order of its canonical form. The first
	// ones, as many as keys says, identify the subject.
	fields() []field
	keys() int
}

// CountPosition asks people to count.
type CountPosition struct {
	Location warehouse.Location
	SKU      warehouse.SKU
}

// VerifyLoad asks for a second check at the dock.
type VerifyLoad struct{ Load warehouse.Load }

// HoldReceipt isolates a line of a load; the rest flows.
type HoldReceipt struct {
	Load   warehouse.Load
	Line   warehouse.Line
	SKU    warehouse.SKU
	Qty    warehouse.Qty
	Reason string
}

// ReleaseReceipt ends the hold of a line.
type ReleaseReceipt struct {
	Load   warehouse.Load
	Line   warehouse.Line
	SKU    warehouse.SKU
	Qty    warehouse.Qty
	Reason string
}

// InventoryAdjustment sets the book. Book is what it was when this was
// proposed: the target must refuse when it moved.
type InventoryAdjustment struct {
	Location warehouse.Location
	SKU      warehouse.SKU
	Lot      string // "" where lots are not kept
	Book     warehouse.Qty
	Counted  warehouse.Qty
	Reason   string
}

// SupplierChargeback claims an amount.
type SupplierChargeback struct {
	Supplier warehouse.Supplier
	Order    string
	Load     warehouse.Load
	Amount   warehouse.Money
	Reason   string
}

// ShipmentSubstitution ships a substitute.
type ShipmentSubstitution struct {
	Order      string
	Line       warehouse.Line
	SKU        warehouse.SKU
	Substitute warehouse.SKU
	Qty        warehouse.Qty
}

// OrderShortShipment ships less.
type OrderShortShipment struct {
	Order   string
	Line    warehouse.Line
	SKU     warehouse.SKU
	Ordered warehouse.Qty
	Shipped warehouse.Qty
}

// InvoicePause keeps an invoice from being paid.
type InvoicePause struct {
	Supplier warehouse.Supplier
	Invoice  string
	Amount   warehouse.Money
	Reason   string
}

// RouteTicket gives a ticket to a team.
type RouteTicket struct{ Ticket, Team string }

// PromoteModel puts a model in force.
type PromoteModel struct {
	Subject, Outcome string
	Model            int64
	Artifact         string // SHA-256, hex
}

// ChangePolicy puts a policy in force.
type ChangePolicy struct {
	Policy    string // its name
	Version   string // its content hash, hex
	Effective string // RFC 3339
	Report    string // hash of the simulation that was attached, hex
}

// Kind implements [Action].
func (*CountPosition) Kind() Kind { return KindCountPosition }

// Kind implements [Action].
func (*VerifyLoad) Kind() Kind { return KindVerifyLoad }

// Kind implements [Action].
func (*HoldReceipt) Kind() Kind { return KindHoldReceipt }

// Kind implements [Action].
func (*ReleaseReceipt) Kind() Kind { return KindReleaseReceipt }

// Kind implements [Action].
func (*InventoryAdjustment) Kind() Kind { return KindInventoryAdjustment }

// Kind implements [Action].
func (*SupplierChargeback) Kind() Kind { return KindSupplierChargeback }

// Kind implements [Action].
func (*ShipmentSubstitution) Kind() Kind { return KindShipmentSubstitution }

// Kind implements [Action].
func (*OrderShortShipment) Kind() Kind { return KindOrderShortShipment }

// Kind implements [Action].
func (*InvoicePause) Kind() Kind { return KindInvoicePause }

// Kind implements [Action].
func (*RouteTicket) Kind() Kind { return KindRouteTicket }

// Kind implements [Action].
func (*PromoteModel) Kind() Kind { return KindPromoteModel }

// Kind implements [Action].
func (*ChangePolicy) Kind() Kind { return KindChangePolicy }

// blank returns an empty action of a kind, nil for a kind that is none.
func blank(k Kind) Action {
	switch k {
	case KindCountPosition:
		return &CountPosition{}
	case KindVerifyLoad:
		return &VerifyLoad{}
	case KindHoldReceipt:
		return &HoldReceipt{}
	case KindReleaseReceipt:
		return &ReleaseReceipt{}
	case KindInventoryAdjustment:
		return &InventoryAdjustment{}
	case KindSupplierChargeback:
		return &SupplierChargeback{}
	case KindShipmentSubstitution:
		return &ShipmentSubstitution{}
	case KindOrderShortShipment:
		return &OrderShortShipment{}
	case KindInvoicePause:
		return &InvoicePause{}
	case KindRouteTicket:
		return &RouteTicket{}
	case KindPromoteModel:
		return &PromoteModel{}
	case KindChangePolicy:
		return &ChangePolicy{}
	}
	return nil
}

// Lane names what steps of one site have in common when their effects must
// follow one another, and when an amount could be split over them: the stock,
// the order or the document.
func Lane(site warehouse.Site, a Action) string {
	what := ""
	switch a := a.(type) {
	case *CountPosition:
		what = "sku/" + string(a.SKU)
	case *VerifyLoad:
		what = "load/" + string(a.Load)
	case *HoldReceipt:
		what = "sku/" + string(a.SKU)
	case *ReleaseReceipt:
		what = "sku/" + string(a.SKU)
	case *InventoryAdjustment:
		what = "sku/" + string(a.SKU)
	case *SupplierChargeback:
		what = "supplier/" + string(a.Supplier)
	case *ShipmentSubstitution:
		what = "order/" + a.Order
	case *OrderShortShipment:
		what = "order/" + a.Order
	case *InvoicePause:
		what = "supplier/" + string(a.Supplier)
	case *RouteTicket:
		what = "ticket/" + a.Ticket
	case *PromoteModel:
		what = "model/" + a.Subject + "/" + a.Outcome
	case *ChangePolicy:
		what = "policy"
	}
	return string(site) + "/" + what
}
