package guardrails

import (
	"fmt"
	"strings"

	"tallyman/warehouse"
)

// ParseLimit reads "unlimited" or an amount such as 2500, 2500.00 or 250000JPY.
// Without a currency the minor unit is the hundredth. Nothing stands for
// unlimited but the word.
func ParseLimit(text string) (Limit, error) {
	if text == "unlimited" {
		return Limit{Unlimited: true}, nil
	}
	number := strings.TrimRight(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	cost, err := warehouse.ParseCost(number, text[len(number):])
	if err != nil {
		return Limit{}, fmt.Errorf("limit %q: write an amount such as 2500.00 or the word unlimited: %w", text, err)
	}
	m, err := cost.Value(warehouse.Unit)
	if err != nil {
		return Limit{}, fmt.Errorf("limit %q: %w", text, err)
	}
	return Limit{Minor: m.Minor}, nil
}
