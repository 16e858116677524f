package warehouse

import (
	"fmt"
	"strings"
)

// GTIN is a Global Trade Item Number in its 14-digit form, left padded with
// zeros.
type GTIN string

// ParseGTIN reads a GTIN of 8, 12, 13 or 14 digits and verifies its check
// digit.
func ParseGTIN(s string) (GTIN, error) {
	switch len(s) {
	case 8, 12, 13, 14:
	default:
		return "", fmt.Errorf("%q is not 8, 12, 13 or 14 digits", clip(s))
	}
	if err := checkDigit(s); err != nil {
		return "", err
	}
	return GTIN(strings.Repeat("0", 14-len(s)) + s), nil
}

// SSCC is a Serial Shipping Container Code: 18 digits.
type SSCC string

// ParseSSCC verifies length and check digit.
func ParseSSCC(s string) (SSCC, error) {
	if len(s) != 18 {
		return "", fmt.Errorf("%q is not 18 digits", clip(s))
	}
	return SSCC(s), checkDigit(s)
}

// checkDigit verifies the last digit of a GS1 key: modulo 10 with weights 3
// and 1 from the right (GS1 General Specifications, section 7.9).
func checkDigit(s string) error {
	if !allDigits(s) {
		return fmt.Errorf("%q is not all digits", clip(s))
	}
	sum, weight := 0, 3
	for i := len(s) - 2; i >= 0; i-- {
		sum += int(s[i]-'0') * weight
		weight = 4 - weight
	}
	if want := byte('0' + (10-sum%10)%10); s[len(s)-1] != want {
		return fmt.Errorf("%q has check digit %c, want %c", s, s[len(s)-1], want)
	}
	return nil
}
