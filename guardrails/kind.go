package guardrails

import "slices"

// Kind names what an action does.
type Kind string

// The kinds of action.
const (
	KindCountPosition        Kind = "count_position"        // count one SKU at one location
	KindVerifyLoad           Kind = "verify_load"           // check an inbound load a second time
	KindHoldReceipt          Kind = "hold_receipt"          // keep a received line from being used
	KindReleaseReceipt       Kind = "release_receipt"       // end such a hold
	KindInventoryAdjustment  Kind = "inventory_adjustment"  // set the book to what was counted
	KindSupplierChargeback   Kind = "supplier_chargeback"   // claim money from a supplier
	KindShipmentSubstitution Kind = "shipment_substitution" // ship another SKU than was ordered
	KindOrderShortShipment   Kind = "order_short_shipment"  // ship less than was ordered
	KindInvoicePause         Kind = "invoice_pause"         // keep an invoice from being paid
	KindRouteTicket          Kind = "route_ticket"          // give a ticket to a team
	KindPromoteModel         Kind = "promote_model"         // put a model in force
	KindChangePolicy         Kind = "change_policy"         // put a policy in force
)

// Kinds lists every kind.
var Kinds = []Kind{
	KindCountPosition, KindVerifyLoad, KindHoldReceipt, KindReleaseReceipt, KindInventoryAdjustment, KindSupplierChargeback,
	KindShipmentSubstitution, KindOrderShortShipment, KindInvoicePause, KindRouteTicket, KindPromoteModel, KindChangePolicy,
}

// Valid reports whether the kind is one of [Kinds].
func (k Kind) Valid() bool { return slices.Contains(Kinds, k) }

// Excludes returns whom no policy can let approve the kind, whatever it says:
// whoever proposed it and whoever did the work that it judges.
func (k Kind) Excludes() Parts {
	switch k {
	case KindInventoryAdjustment:
		return Proposer | Counter | Requester
	case KindHoldReceipt, KindReleaseReceipt, KindVerifyLoad:
		return Proposer | Receiver
	case KindSupplierChargeback:
		return Proposer | Buyer | Receiver
	case KindInvoicePause, KindShipmentSubstitution, KindOrderShortShipment:
		return Proposer | Requester
	case KindChangePolicy, KindPromoteModel:
		return Proposer | Beneficiary
	case KindCountPosition, KindRouteTicket:
		return Proposer
	}
	return AllParts
}

// Needs returns the parts whose players must be known before a step can be
// decided at all. An adjustment without a known counter is blocked.
func (k Kind) Needs() Parts {
	switch k {
	case KindInventoryAdjustment:
		return Counter
	case KindReleaseReceipt:
		return Receiver
	case KindSupplierChargeback:
		return Buyer
	case KindCountPosition, KindVerifyLoad, KindHoldReceipt, KindShipmentSubstitution, KindOrderShortShipment,
		KindInvoicePause, KindRouteTicket, KindPromoteModel, KindChangePolicy:
		return 0
	}
	return AllParts
}

// BreakGlass reports whether one human may act alone in an emergency.
func (k Kind) BreakGlass() bool {
	switch k {
	case KindCountPosition, KindVerifyLoad, KindReleaseReceipt:
		return true
	case KindHoldReceipt, KindInventoryAdjustment, KindSupplierChargeback, KindShipmentSubstitution, KindOrderShortShipment,
		KindInvoicePause, KindRouteTicket, KindPromoteModel, KindChangePolicy:
		return false
	}
	return false
}

// Internal reports whether the effect is Tallyman's own and needs no target.
func (k Kind) Internal() bool {
	switch k {
	case KindPromoteModel, KindChangePolicy:
		return true
	case KindCountPosition, KindVerifyLoad, KindHoldReceipt, KindReleaseReceipt, KindInventoryAdjustment, KindSupplierChargeback,
		KindShipmentSubstitution, KindOrderShortShipment, KindInvoicePause, KindRouteTicket:
		return false
	}
	return false
}

// Reproposed reports whether silence must be heard: a step that expires is
// proposed anew with a higher priority, since what it asks for goes on.
func (k Kind) Reproposed() bool {
	switch k {
	case KindHoldReceipt, KindReleaseReceipt, KindInventoryAdjustment, KindInvoicePause, KindSupplierChargeback, KindRouteTicket:
		return true
	case KindCountPosition, KindVerifyLoad, KindShipmentSubstitution, KindOrderShortShipment, KindPromoteModel, KindChangePolicy:
		return false
	}
	return true
}
