package triage

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Redacted is a text without the personal data that was found in it. Each find
// became a placeholder such as [EMAIL_1]; the same find has the same one.
type Redacted struct {
	Text string
	// Originals maps placeholders to what they stand for. It never leaves the
	// process.
	Originals map[string]string
}

// Restore puts the originals back.
func (r Redacted) Restore(text string) string {
	pairs := make([]string, 0, 2*len(r.Originals))
	for placeholder, original := range r.Originals {
		pairs = append(pairs, placeholder, original)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Redactor removes personal data.
type Redactor struct{ names *regexp.Regexp }

// NewRedactor makes a redactor that also knows names of people, such as a
// site's staff; each part of a name of three letters or more counts.
func NewRedactor(names []string) *Redactor {
	var parts []string
	for _, name := range names {
		for _, p := range append(strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && r != '-' && r != '\'' }), name) {
			if p = norm.NFKC.String(p); len([]rune(p)) >= 3 {
				parts = append(parts, regexp.QuoteMeta(p))
			}
		}
	}
	if len(parts) == 0 {
		return &Redactor{}
	}
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) }) // whole names first
	return &Redactor{regexp.MustCompile(`(?i)` + strings.Join(slices.Compact(parts), "|"))}
}

var (
	emailPattern = regexp.MustCompile(`(?i)[\pL\pN._%+'-]+\s?(?:@|\(at\)|\[at\])\s?[\pL\pN-]+(?:\.[\pL\pN-]+)+`)
	ibanStart    = regexp.MustCompile(`(?i)\b[A-Z]{2}[ -]?\d[ -]?\d`)
	groupedCard  = regexp.MustCompile(`\b(?:\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{1,7}|\d{13,19})\b`)
	cardPattern  = regexp.MustCompile(`\d(?:[ -]?\d){12,18}`)
	phonePattern = regexp.MustCompile(`(?:\+|\b00)\d(?:[\s./-]?\(?\d\)?){6,14}|\(\d{2,5}\)[\s./-]?\d(?:[\s./-]?\d){4,10}|\b0\d{1,4}(?:[\s./-]\d{2,8}){1,4}\b|\b\d{3}[\s./-]\d{3}[\s./-]\d{4}\b`)
	phoneWords   = regexp.MustCompile(`(?i)(?:tel|phone|mobile|mob|cell|call|whatsapp|fax|handy|telefon|tlf|tfno)[\pL]*\.?\s?(?:me|at|on|is|no|nr|number|:|\.|=|\s)*\s?(\+?\(?\d(?:[\s()./-]?\d){5,14})`)
)

// Redact replaces e-mail addresses, account and card numbers with a right
// check sum, telephone numbers and the redactor's names. Order, item and
// container numbers stay. The text comes back in Unicode's form NFKC, without
// characters that nobody sees.
func (d *Redactor) Redact(text string) Redacted {
	text = strings.Map(func(r rune) rune {
		if invisible(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, norm.NFKC.String(strings.ToValidUTF8(text, " ")))
	r := redaction{originals: map[string]string{}, placeholders: map[string]string{}, counts: map[string]int{}}
	// What already looks like a placeholder would not come back right.
	text = strings.NewReplacer("[EMAIL_", "(EMAIL_", "[IBAN_", "(IBAN_", "[CARD_", "(CARD_", "[PHONE_", "(PHONE_", "[NAME_", "(NAME_").Replace(text)
	text = r.replace(text, emailPattern, "EMAIL", nil)
	text = r.ibans(text)
	text = r.replace(text, cardPattern, "CARD", validCard)
	text = r.cards(text)
	text = phoneWords.ReplaceAllStringFunc(text, func(match string) string {
		number := phoneWords.FindStringSubmatch(match)[1]
		return strings.TrimSuffix(match, number) + r.placeholder("PHONE", number)
	})
	text = r.phones(text)
	if d.names != nil {
		text = r.names(text, d.names)
	}
	return Redacted{text, r.originals}
}

type redaction struct {
	originals, placeholders map[string]string
	counts                  map[string]int
}

func (r *redaction) replace(text string, pattern *regexp.Regexp, kind string, valid func(string) bool) string {
	return pattern.ReplaceAllStringFunc(text, func(match string) string {
		if valid != nil && !valid(match) {
			return match
		}
		return r.placeholder(kind, match)
	})
}

// cards replaces card numbers in groups that stand after another number: where
// a match is none, the next group may begin one.
func (r *redaction) cards(text string) string {
	var b strings.Builder
	for {
		at := groupedCard.FindStringIndex(text)
		if at == nil {
			return b.String() + text
		}
		start, end := at[0], at[1]
		if match := text[start:end]; validCard(match) {
			b.WriteString(text[:start] + r.placeholder("CARD", match))
		} else {
			if next := strings.IndexAny(match, " -"); next > 0 {
				end = start + next + 1
			}
			b.WriteString(text[:end])
		}
		text = text[end:]
	}
}

// phones replaces telephone numbers that stand alone and have nine digits or
// more, or a plus sign. A number that runs into the next one ends before it.
func (r *redaction) phones(text string) string {
	var b strings.Builder
	for text != "" {
		at := phonePattern.FindStringIndex(text)
		if at == nil {
			break
		}
		start, end := at[0], at[1]
		for end > start && end < len(text) && isCode(text[end]) {
			end = start + max(0, strings.LastIndexAny(text[start:end], " \t\n\r./-("))
		}
		number, count := strings.TrimRight(text[start:end], " \t\n\r./-("), 0
		for i := range len(number) {
			count += one(number[i] >= '0' && number[i] <= '9')
		}
		end = start + len(number)
		if before := start > 0 && isCode(text[start-1]); before || count < 9 && (count < 7 || number[0] != '+') {
			end = at[1] // no telephone number
			b.WriteString(text[:end])
		} else {
			b.WriteString(text[:start])
			b.WriteString(r.placeholder("PHONE", number))
		}
		text = text[end:]
	}
	b.WriteString(text)
	return b.String()
}

// ibans replaces account numbers. Their length is not known, so the longest run
// from a country code on that has the right check digits is taken.
func (r *redaction) ibans(text string) string {
	var b strings.Builder
	end := 0
	for _, at := range ibanStart.FindAllStringIndex(text, -1) {
		if at[0] < end {
			continue
		}
		last := 0
		for i, n := at[0], 0; i < len(text) && n < 34 && (isCode(text[i]) || text[i] == ' ' || text[i] == '-'); i++ {
			if !isCode(text[i]) {
				continue
			}
			n++
			whole := i+1 == len(text) || !isCode(text[i+1])
			if n >= 15 && whole && validIBAN(text[at[0]:i+1]) {
				last = i + 1
			}
		}
		if last > 0 {
			b.WriteString(text[end:at[0]])
			b.WriteString(r.placeholder("IBAN", text[at[0]:last]))
			end = last
		}
	}
	b.WriteString(text[end:])
	return b.String()
}

// names replaces names that are whole words: \b knows no letters beyond ASCII.
func (r *redaction) names(text string, pattern *regexp.Regexp) string {
	var b strings.Builder
	end := 0
	for _, at := range pattern.FindAllStringIndex(text, -1) {
		before, after := []rune(text[:at[0]]), []rune(text[at[1]:])
		if len(before) > 0 && unicode.IsLetter(before[len(before)-1]) || len(after) > 0 && unicode.IsLetter(after[0]) || insidePlaceholder(text, at[0]) {
			continue
		}
		b.WriteString(text[end:at[0]])
		b.WriteString(r.placeholder("NAME", text[at[0]:at[1]]))
		end = at[1]
	}
	b.WriteString(text[end:])
	return b.String()
}

func insidePlaceholder(text string, at int) bool {
	open := strings.LastIndexByte(text[:at], '[')
	return open >= 0 && !strings.ContainsAny(text[open:at], "] ")
}

func (r *redaction) placeholder(kind, original string) string {
	key := kind + "\x00" + original
	if p, ok := r.placeholders[key]; ok {
		return p
	}
	r.counts[kind]++
	p := fmt.Sprintf("[%s_%d]", kind, r.counts[kind])
	r.placeholders[key], r.originals[p] = p, original
	return p
}

// validIBAN verifies the check digits: ISO 13616, modulo 97.
func validIBAN(s string) bool {
	s = strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(s))
	rest := 0
	for _, c := range s[4:] + s[:4] {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return rest == 1
}

// validCard verifies the check digit (Luhn, ISO/IEC 7812-1). A number that is
// also a GS1 key of a container or an item stays.
func validCard(s string) bool {
	digits := strings.NewReplacer(" ", "", "-", "").Replace(s)
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0 && (len(digits) != 18 || len(checkedKeys(digits)) == 0)
}
