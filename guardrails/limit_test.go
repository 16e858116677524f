package guardrails_test

import (
	"testing"

	"tallyman/guardrails"
)

func TestParseLimit(t *testing.T) {
	for text, want := range map[string]guardrails.Limit{
		"unlimited": {Unlimited: true}, "0": {}, "2500": {Minor: 250_000}, "2500.5": {Minor: 250_050}, "250000JPY": {Minor: 250_000}, "1.234KWD": {Minor: 1234},
	} {
		if got, err := guardrails.ParseLimit(text); err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "lots", "Unlimited", "-1", "1e9", "12 USD", "12usd", "1XY"} {
		if got, err := guardrails.ParseLimit(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}
