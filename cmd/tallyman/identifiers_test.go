package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// identifier makes an e-mail address, a telephone number, an IBAN, a card number
// or the name of somebody who works at the site.
func identifier(r *rand.Rand) string {
	switch r.IntN(5) {
	case 0:
		return fmt.Sprintf("%s%s@%s", pick(r, "a.kowalski", "jane_doe", "m+dock", "team-7"), digits(r, 4), pick(r, "example.com", "mail.example.co.uk", "münchen.example"))
	case 1:
		return pick(r, "+49 "+digits(r, 3)+" "+digits(r, 7), "+1-"+digits(r, 3)+"-"+digits(r, 3)+"-"+digits(r, 4), "("+digits(r, 3)+") "+digits(r, 3)+"-"+digits(r, 4), "0048"+digits(r, 9))
	case 2:
		return grouped(r, iban(r))
	case 3:
		return grouped(r, card(r))
	}
	return pick(r, "Samuel Okafor-Lind", "Agnieszka Wójcik", "Agnieszka", "Okafor-Lind", "WÓJCIK")
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

func digits(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(byte('0' + r.IntN(10)))
	}
	return b.String()
}

func grouped(r *rand.Rand, s string) string {
	separator := pick(r, "", " ", "-")
	var b strings.Builder
	for i, c := range s {
		if i > 0 && i%4 == 0 {
			b.WriteString(separator)
		}
		b.WriteRune(c)
	}
	return b.String()
}

// iban has the check digits of ISO 13616: 98 less the rest by 97 of the account,
// the country and 00.
func iban(r *rand.Rand) string {
	account := digits(r, 18)
	rest := 0
	for _, c := range account + "131400" { // DE00
		rest = (rest*10 + int(c-'0')) % 97
	}
	return fmt.Sprintf("DE%02d%s", 98-rest, account)
}

// card has the check digit of ISO/IEC 7812-1.
func card(r *rand.Rand) string {
	body := "4" + digits(r, 14)
	sum := 0
	for i, c := range body {
		d := int(c - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return body + string(rune('0'+(10-sum%10)%10))
}
