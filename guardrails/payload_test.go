package guardrails_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

var actions = []guardrails.Action{
	&guardrails.CountPosition{Location: "A-01", SKU: `S,"1"`},
	&guardrails.VerifyLoad{Load: "ASN-1"},
	&guardrails.HoldReceipt{Load: "ASN-1", Line: "1", SKU: "S", Qty: 8000, Reason: "8 % short"},
	&guardrails.ReleaseReceipt{Load: "ASN-1", Line: "1", SKU: "S", Qty: 8000, Reason: "recounted"},
	&guardrails.InventoryAdjustment{Location: "A-01", SKU: "S", Book: 1000, Counted: -1, Reason: "count"},
	&guardrails.SupplierChargeback{Supplier: "V", Order: "PO-1", Amount: warehouse.Money{Minor: 1, Currency: "USD"}, Reason: "short"},
	&guardrails.ShipmentSubstitution{Order: "SO-1", Line: "1", SKU: "S", Substitute: "T", Qty: 1},
	&guardrails.OrderShortShipment{Order: "SO-1", Line: "1", SKU: "S", Ordered: 2000, Shipped: 1000},
	&guardrails.InvoicePause{Supplier: "V", Invoice: "I-1", Amount: warehouse.Money{Minor: 1, Currency: "USD"}, Reason: "short"},
	&guardrails.RouteTicket{Ticket: "T-1", Team: "receiving"},
	&guardrails.PromoteModel{Subject: "position", Outcome: "variance", Model: 7, Artifact: "ab"},
	&guardrails.ChangePolicy{Policy: "default", Version: "ab", Effective: "2026-12-01T00:00:00Z", Report: "cd"},
}

func TestPayloadsReadBack(t *testing.T) {
	for i, a := range actions {
		if a.Kind() != guardrails.Kinds[i] {
			t.Fatalf("action %d is %s", i, a.Kind())
		}
		b, err := guardrails.Payload("DC-1", a)
		if err != nil {
			t.Fatal(err)
		}
		site, got, err := guardrails.ParsePayload(b)
		if err != nil || site != "DC-1" {
			t.Fatalf("%s: %v", b, err)
		}
		if diff := cmp.Diff(a, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", b, diff)
		}
		if s := guardrails.SubjectOf(a); len(s) < 1 || len(s) > 3 {
			t.Errorf("%s is about %q", a.Kind(), s)
		}
	}
}

func TestEverySpellingHasOneHash(t *testing.T) {
	want := `{"action":"route_ticket","site":"DC-1","ticket":"T-1","team":"receiving"}`
	for _, spelling := range []string{
		want,
		` { "team" : "receiving", "ticket" : "T-1", "site" : "DC-1", "action" : "route_ticket" } `,
		`{"action":"route_ticket","site":"\u0044C-1","ticket":"\u0054-1","team":"receiving"}`,
	} {
		site, a, err := guardrails.ParsePayload([]byte(spelling))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := guardrails.Payload(site, a); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", spelling, got, err)
		}
	}
}

func TestPayloadRefuses(t *testing.T) {
	for spelling, want := range map[string]string{
		`{"action":"route_ticket","action":"route_ticket","site":"D","ticket":"T","team":"x"}`:                             "duplicate",
		`{"action":"route_ticket","site":"D","ticket":"T","team":"x","value":1}`:                                           "unknown",
		`{"action":"route_ticket","site":"D","ticket":"T"}`:                                                                "missing",
		`{"action":"route_ticket","site":"D","ticket":"T","team":""}`:                                                      "empty",
		`{"action":"route_ticket","site":"D","ticket":1,"team":"x"}`:                                                       "another type",
		`{"action":"fire_all","site":"D"}`:                                                                                 "none of",
		`{"action":"route_ticket","site":"","ticket":"T","team":"x"}`:                                                      "no site",
		`{"action":"promote_model","site":"D","subject":"p","outcome":"v","model":1.0,"artifact_sha256":"a"}`:              "whole number",
		`{"action":"promote_model","site":"D","subject":"p","outcome":"v","model":9007199254740992,"artifact_sha256":"a"}`: "beyond",
		`{"action":"promote_model","site":"D","subject":"p","outcome":"v","model":null,"artifact_sha256":"a"}`:             "neither",
		`[]`:   "object",
		`{} 1`: "follows",
	} {
		if _, _, err := guardrails.ParsePayload([]byte(spelling)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spelling, err, want)
		}
	}
}

func FuzzParsePayload(f *testing.F) {
	for _, a := range actions {
		b, _ := guardrails.Payload("DC-1", a)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		site, a, err := guardrails.ParsePayload(b)
		if err != nil {
			return
		}
		once, err := guardrails.Payload(site, a)
		if err != nil {
			t.Fatal(err)
		}
		site, a, err = guardrails.ParsePayload(once)
		if err != nil {
			t.Fatal(err)
		}
		if twice, _ := guardrails.Payload(site, a); !bytes.Equal(once, twice) {
			t.Errorf("%s and %s", once, twice)
		}
	})
}
