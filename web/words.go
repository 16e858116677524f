package web

import (
	"fmt"
	"math"
	"strings"
	"time"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

// risk says a probability in words. A level is one of low, some, high.
func risk(p float64) (percent int, likely, level string) {
	percent = int(math.Round(100 * p))
	switch {
	case p >= 0.7:
		return percent, "very likely wrong", "high"
	case p >= 0.5:
		return percent, "likely wrong", "high"
	case p >= 0.25:
		return percent, "quite possibly wrong", "some"
	case p >= 0.1:
		return percent, "possibly wrong", "some"
	default:
		return percent, "probably right", "low"
	}
}

// reasonWord marks a reason that lowers the risk, where it does not say so itself.
func reasonWord(text string, lowers bool) string {
	if lowers && !strings.Contains(text, "lowers the risk") {
		return "Against it: " + text
	}
	return text
}

// size writes an expected number of units.
func size(units float64) string {
	switch n := math.Round(units); {
	case !(n >= 1):
		return ""
	case n == 1:
		return "1 unit"
	default:
		return fmt.Sprintf("%.0f units", n)
	}
}

// unbroken keeps a figure and its sign on one line.
func unbroken(s string) string { return strings.ReplaceAll(s, " %", "\u00a0%") }

// ago counts calendar days at the site.
func ago(t, now time.Time, zone *time.Location) string {
	day := func(t time.Time) time.Time {
		y, m, d := t.In(zone).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	switch days := int(day(now).Sub(day(t)) / (24 * time.Hour)); {
	case days <= 0:
		return "today"
	case days == 1:
		return "yesterday"
	case days < 730:
		return fmt.Sprintf("%d days ago", days)
	default:
		return fmt.Sprintf("%d years ago", days/365)
	}
}

func minutes(m float64) string {
	if m < 1 {
		return "under 1 minute"
	}
	if n := int(math.Round(m)); n != 1 {
		return fmt.Sprintf("%d minutes", n)
	}
	return "1 minute"
}

// grouped writes an estimated amount, from a hundred on without cents: "1 234".
func grouped(m warehouse.Money) string {
	text := exact(m)
	if whole, _, _ := strings.Cut(text, "."); len(strings.TrimPrefix(whole, "-")) > 2 {
		return whole
	}
	return text
}

// exact writes an amount to the last cent: "1 234.50".
func exact(m warehouse.Money) string {
	whole, cents, _ := strings.Cut(m.String(), ".")
	digits := strings.TrimPrefix(whole, "-")
	var b strings.Builder
	b.WriteString(whole[:len(whole)-len(digits)])
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteRune('\u202f') // narrow, does not break
		}
		b.WriteRune(d)
	}
	if cents != "" {
		b.WriteString("." + cents)
	}
	return b.String()
}

// stateWord says where a step stands.
func stateWord(s guardrails.State) string {
	switch s {
	case guardrails.Blocked:
		return "blocked by policy"
	case guardrails.Pending:
		return "waits for approval"
	case guardrails.ChangesRequested:
		return "changes requested"
	case guardrails.Approved:
		return "approved, to be sent"
	case guardrails.Executing:
		return "being carried out"
	case guardrails.Unknown:
		return "outcome not known yet"
	case guardrails.CompensationFailed:
		return "could not be taken back"
	case guardrails.Compensating:
		return "being taken back"
	case guardrails.Compensated:
		return "taken back"
	case guardrails.Succeeded:
		return "done"
	case guardrails.Failed, guardrails.Rejected, guardrails.Withdrawn, guardrails.Expired, guardrails.Superseded, guardrails.Invalidated:
		return string(s)
	}
	return string(s)
}
