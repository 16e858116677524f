package scoring

import (
	"math"
	"testing"

	"tallyman/warehouse"
)

func TestLevelsAreRelativeToWhatIsUsual(t *testing.T) {
	for _, test := range []struct {
		p, usual float64
		want     Level
	}{
		{0.05, 0.05, Low},
		{0.094, 0.05, Low},
		{0.096, 0.05, Elevated},
		{0.18, 0.05, High},
		{0.3, 0.25, Low},
		{0.5, 0.45, High},
		{0, 0, Low},
		{1, 0, High},
		{1, 1, High},
		{0, 1, Low},
	} {
		if got := level(test.p, test.usual); got != test.want {
			t.Errorf("%v where %v is usual is %s, want %s", test.p, test.usual, got, test.want)
		}
	}
}

func TestAmountsAddUpInOneCurrencyOnly(t *testing.T) {
	eur, usd, none := amount{1, "EUR"}, amount{2, "USD"}, amount{3, warehouse.NoCurrency}
	for _, test := range []struct {
		amounts []amount
		want    amount
	}{
		{nil, amount{}},
		{[]amount{{}, eur, eur}, amount{2, "EUR"}},
		{[]amount{none, eur}, amount{4, "EUR"}},
		{[]amount{eur, none}, amount{4, "EUR"}},
		{[]amount{eur, usd}, amount{}},
		{[]amount{none, none}, amount{6, warehouse.NoCurrency}},
	} {
		if got := sum(test.amounts); got != test.want {
			t.Errorf("sum of %v is %v, want %v", test.amounts, got, test.want)
		}
	}
	if got := loss(math.NaN(), warehouse.Cost{Micros: 1, Currency: "EUR"}).times(0.5).money(); got != (warehouse.Money{}) {
		t.Errorf("loss of unknown units is %v, want none", got)
	}
}
