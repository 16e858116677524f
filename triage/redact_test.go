package triage

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"tallyman/fixtures"
)

// The oracle: identifiers that are made here and put into tickets of the
// corpus. None may be left, and all must come back.

var staff = []string{"Agnieszka Wójcik", "John O'Brien", "Mehmet Yıldız", "Li Na Chen", "Jean-Luc Picaud"}

func digits(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(byte('0' + r.IntN(10)))
	}
	return b.String()
}

// grouped writes s in groups of four, with a separator or none.
func grouped(r *rand.Rand, s string) string {
	separator := []string{"", " ", "-"}[r.IntN(3)]
	var b strings.Builder
	for i, c := range s {
		if i > 0 && i%4 == 0 {
			b.WriteString(separator)
		}
		b.WriteRune(c)
	}
	return b.String()
}

func madeIBAN(r *rand.Rand) string {
	country := []struct {
		code   string
		digits int
	}{{"DE", 18}, {"PL", 24}, {"ES", 20}, {"FR", 23}, {"NO", 11}}[r.IntN(5)]
	account := digits(r, country.digits)
	for check := range 97 {
		if iban := fmt.Sprintf("%s%02d%s", country.code, check+2, account); validIBAN(iban) {
			return grouped(r, iban)
		}
	}
	panic("no check digits fit")
}

func madeCard(r *rand.Rand) string {
	body := []string{"4", "51", "37"}[r.IntN(3)]
	body += digits(r, 15-len(body))
	for check := range 10 {
		if card := body + strconv.Itoa(check); validCard(card) {
			return grouped(r, card)
		}
	}
	panic("no check digit fits")
}

func madePhone(r *rand.Rand) string {
	switch r.IntN(5) {
	case 0:
		return "+49 " + digits(r, 3) + " " + digits(r, 7)
	case 1:
		return "+1-" + digits(r, 3) + "-" + digits(r, 3) + "-" + digits(r, 4)
	case 2:
		return "(" + digits(r, 3) + ") " + digits(r, 3) + "-" + digits(r, 4)
	case 3:
		return "0" + digits(r, 3) + " " + digits(r, 6)
	}
	return "0048" + digits(r, 9)
}

func madeEmail(r *rand.Rand) string {
	first := []string{"a.kowalski", "jane_doe", "m+dock", "ärger", "team-7"}[r.IntN(5)]
	return first + digits(r, 2) + "@" + []string{"example.com", "mail.example.co.uk", "münchen.example"}[r.IntN(3)]
}

func TestNoIdentifierIsLeftAndAllComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	d := NewRedactor(staff)
	tickets := fixtures.Tickets()
	for range 2000 {
		identifier := []func(*rand.Rand) string{madeIBAN, madeCard, madePhone, madeEmail, func(r *rand.Rand) string { return staff[r.IntN(len(staff))] }}[r.IntN(5)](r)
		text := tickets[r.IntN(len(tickets))].Text
		carrier := text + []string{" ", " call ", "; ", " (", "\n"}[r.IntN(5)] + identifier + []string{"", " thanks", ".", ") ok", "\nregards"}[r.IntN(5)]
		got := d.Redact(carrier)
		if strings.Contains(got.Text, identifier) || strings.Contains(flat(got.Text), flat(identifier)) {
			t.Errorf("%q is left in %q", identifier, got.Text)
		}
		if back := got.Restore(got.Text); !strings.Contains(back, identifier) {
			t.Errorf("%q did not come back: %q", identifier, back)
		}
	}
}

func flat(s string) string { return strings.NewReplacer(" ", "", "-", "").Replace(s) }

func TestWhatAWarehouseNeedsStays(t *testing.T) {
	d := NewRedactor(staff)
	for _, text := range []string{
		"PO 4471882 short 18 ctn", "SSCC 006141411234567890 damaged", "ean 4006381333931", "item A-1007 lot 2026-08-14",
		"chennai plant", "[NOTE] see aisle 4", "pallet 3 of 12, bay 07-14",
	} {
		if got := d.Redact(text); got.Text != text {
			t.Errorf("%q became %q", text, got.Text)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("call me +49 171 1234567 or a@b.example, DE89 3704 0044 0532 0130 00 [EMAIL_1]")
	d := NewRedactor(staff)
	f.Fuzz(func(t *testing.T, text string) {
		once := d.Redact(text)
		if !utf8.ValidString(once.Text) {
			t.Errorf("%q became %q, which is not UTF-8", text, once.Text)
		}
		again := d.Redact(text)
		if once.Text != again.Text {
			t.Errorf("%q became %q and %q", text, once.Text, again.Text)
		}
	})
}
