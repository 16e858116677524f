package warehouse

import (
	"math/big"
	"strings"
	"testing"
)

func TestParseQty(t *testing.T) {
	good := map[string]Qty{
		"0": 0, "-0": 0, "1": 1000, "12.5": 12500, "-0.5": -500, ".25": 250, "+3": 3000, "1.250": 1250, "1.2000": 1200,
		"1000000000000": MaxQty, "-1000000000000": -MaxQty, "007": 7000,
	}
	for s, want := range good {
		if got, err := ParseQty(s); got != want || err != nil {
			t.Errorf("ParseQty(%q) = %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "-", "+", ".", "-.", "1.2345", "NaN", "inf", "-Inf", "1e3", "1,000", "0x10", "1_000", " 1", "1 ", "--1", "1.2.3", "１",
		"1000000000000.001", "99999999999999999999", "1.",
	} {
		if got, err := ParseQty(s); err == nil {
			t.Errorf("ParseQty(%q) = %d, want an error", s, got)
		}
	}
}

func FuzzQty(f *testing.F) {
	for _, s := range []string{"0", "-12.345", ".5", "1e9", "99999999999999999999", "1.", "+0.000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseQty(s)
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok || want.Cmp(big.NewRat(int64(q), 1000)) != 0 {
			t.Fatalf("ParseQty(%q) = %d thousandths, the decimal is %v", s, q, want)
		}
		if back, err := ParseQty(q.String()); back != q || err != nil {
			t.Fatalf("%q -> %d -> %q -> %d, %v", s, q, q.String(), back, err)
		}
	})
}

func TestCostValue(t *testing.T) {
	tests := []struct {
		name           string
		cost, currency string
		qty            Qty
		want           string
	}{
		{"cents", "4.10", "USD", 80_000, "328.00"},
		{"half a cent rounds to even", "0.005", "USD", 1000, "0.00"},
		{"one and a half cents round to even", "0.015", "USD", 1000, "0.02"},
		{"losses round as gains do", "0.015", "USD", -1000, "-0.02"},
		{"a currency without minor units", "120", "JPY", 2500, "300"},
		{"a currency with thousandths", "0.0005", "KWD", 3000, "0.002"},
		{"a part of a unit", "3", "EUR", 333, "1.00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ParseCost(tt.cost, tt.currency)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Value(tt.qty)
			if err != nil || got.String() != tt.want {
				t.Errorf("%s %s × %s = %s, %v, want %s", tt.cost, tt.currency, tt.qty, got, err, tt.want)
			}
		})
	}
	if _, err := (Cost{1e15, "USD"}).Value(MaxQty); err == nil {
		t.Error("a value beyond int64 cents must be an error")
	}
	for _, bad := range []string{"-1", "1.0000001", "x", "9999999999"} {
		if _, err := ParseCost(bad, "USD"); err == nil {
			t.Errorf("ParseCost(%q) is accepted", bad)
		}
	}
	for _, bad := range []string{"usd", "US", "USDX", "U1D"} {
		if _, err := ParseCost("1", bad); err == nil {
			t.Errorf("currency %q is accepted", bad)
		}
	}
}

// The vectors are GS1's own examples.
func TestCheckDigits(t *testing.T) {
	for _, s := range []string{"96385074", "036000291452", "4006381333931", "10614141123459"} {
		got, err := ParseGTIN(s)
		if err != nil || len(got) != 14 || !strings.HasSuffix(string(got), s) {
			t.Errorf("ParseGTIN(%q) = %q, %v", s, got, err)
		}
		wrong := s[:len(s)-1] + string('0'+(s[len(s)-1]-'0'+1)%10)
		if _, err := ParseGTIN(wrong); err == nil {
			t.Errorf("ParseGTIN(%q) accepts a wrong check digit", wrong)
		}
	}
	for _, s := range []string{"006141411234567890", "106141410000000002"} {
		if _, err := ParseSSCC(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "123", "4006381333 31", "abcdefgh"} {
		if _, err := ParseGTIN(s); err == nil {
			t.Errorf("ParseGTIN(%q) is accepted", s)
		}
	}
}
