package scoring

import (
	"testing"

	"tallyman/warehouse"
)

func TestScannedQuantitiesAreFacts(t *testing.T) {
	for _, test := range []struct {
		name                    string
		scanned, expected, pack string
		code                    string
	}{
		{"as announced", "40", "40", "", ""},
		{"nothing scanned yet", "", "40", "", ""},
		{"nothing announced", "40", "", "", ""},
		{"short", "37", "40", "", "SCANNED_SHORT"},
		{"none came", "0", "40", "", "SCANNED_SHORT"},
		{"over", "41", "40", "", "SCANNED_OVER"},
		{"a dozen for one", "4", "48", "", "QTY_RATIO_UOM_LIKE"},
		{"one for a dozen", "48", "4", "", "QTY_RATIO_UOM_LIKE"},
		{"the line's own pack", "4", "100", "25", "PACK_FACTOR_MISMATCH"},
		{"a factor that is no pack", "4", "28", "", "SCANNED_SHORT"},
		{"a pack of one explains nothing", "4", "8", "1", "SCANNED_SHORT"},
		{"fractions", "0.5", "6", "", "QTY_RATIO_UOM_LIKE"},
		{"sent back", "-5", "40", "", "SCANNED_SHORT"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := LineRequest{Scanned: maybe(t, test.scanned), Expected: maybe(t, test.expected), Pack: maybe(t, test.pack)}
			got, ok := scanned(&l)
			if got.Code != test.code || ok != (test.code != "") {
				t.Errorf("code is %q (%v), want %q: %s", got.Code, ok, test.code, got.Text)
			}
		})
	}
}

func maybe(t *testing.T, s string) warehouse.MaybeQty {
	t.Helper()
	if s == "" {
		return warehouse.MaybeQty{}
	}
	q, err := warehouse.ParseQty(s)
	if err != nil {
		t.Fatal(err)
	}
	return warehouse.Some(q)
}

func TestAShortScanMakesTheLineCertain(t *testing.T) {
	events := world(t)
	req := loadOf(events)
	req.Lines[0].Expected = warehouse.Some(100 * warehouse.Unit)
	req.Lines[0].Scanned = warehouse.Some(93 * warehouse.Unit)
	req.Lines[0].Cost = warehouse.Cost{Micros: 2_500_000, Currency: "EUR"}
	got, _ := trained(t, events).Evaluate(req, now)
	sound(t, &got)
	line := got.Lines[0]
	want := Signal{Discrepancy, 1, High, warehouse.Money{Minor: 1750, Currency: "EUR"}}
	if line.Signals[0] != want {
		t.Errorf("signal is %+v, want %+v", line.Signals[0], want)
	}
	if line.Reasons[0].Code != "SCANNED_SHORT" || got.Reasons[0].Contribution != Certain || got.Advice != Verify {
		t.Errorf("reasons %+v and advice %s, want the short scan first and to verify", got.Reasons, got.Advice)
	}
}
