package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

// actionWord names a kind of action.
func actionWord(k guardrails.Kind) string {
	word := strings.ReplaceAll(string(k), "_", " ")
	return strings.ToUpper(word[:1]) + word[1:]
}

// titleOf says what a step asks for in one line.
func titleOf(s *store.Step) string {
	_, action, err := guardrails.ParsePayload(s.PayloadBytes)
	if err != nil {
		return actionWord(s.Kind) + " " + strings.Join(s.Subject, " ")
	}
	switch a := action.(type) {
	case *guardrails.CountPosition:
		return fmt.Sprintf("Count %s at %s", a.SKU, a.Location)
	case *guardrails.VerifyLoad:
		return fmt.Sprintf("Check load %s a second time", a.Load)
	case *guardrails.HoldReceipt:
		return fmt.Sprintf("Hold %s of %s, load %s", a.Qty, a.SKU, a.Load)
	case *guardrails.ReleaseReceipt:
		return fmt.Sprintf("Release %s of %s, load %s", a.Qty, a.SKU, a.Load)
	case *guardrails.InventoryAdjustment:
		return fmt.Sprintf("Set the book of %s at %s from %s to %s", a.SKU, a.Location, a.Book, a.Counted)
	case *guardrails.SupplierChargeback:
		return fmt.Sprintf("Charge %s %s back to %s", a.Amount, a.Amount.Currency, a.Supplier)
	case *guardrails.ShipmentSubstitution:
		return fmt.Sprintf("Ship %s instead of %s on order %s", a.Substitute, a.SKU, a.Order)
	case *guardrails.OrderShortShipment:
		return fmt.Sprintf("Ship %s of %s %s on order %s", a.Shipped, a.Ordered, a.SKU, a.Order)
	case *guardrails.InvoicePause:
		return fmt.Sprintf("Pause invoice %s of %s", a.Invoice, a.Supplier)
	case *guardrails.RouteTicket:
		return fmt.Sprintf("Give ticket %s to %s", a.Ticket, teamWord(a.Team))
	case *guardrails.PromoteModel:
		return fmt.Sprintf("Put model %d in force for %s of %s", a.Model, a.Outcome, a.Subject)
	case *guardrails.ChangePolicy:
		return fmt.Sprintf("Put policy %s %.8s in force", a.Policy, a.Version)
	}
	return actionWord(s.Kind)
}

// pair is a name and a value in words.
type pair struct{ Name, Value string }

// membersOf lists the members of a flat JSON object in their order, quantities
// and amounts in the units that people use.
func membersOf(object []byte) ([]pair, error) {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	var pairs []pair
	values := map[string]string{}
	for {
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if t.Kind() != '"' {
			continue // the braces
		}
		name := t.String()
		v, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		pairs, values[name] = append(pairs, pair{Name: name}), v.String()
	}
	for i := range pairs {
		pairs[i].Value = values[pairs[i].Name]
		if q, ok := strings.CutSuffix(pairs[i].Name, "_thousandths"); ok {
			pairs[i] = pair{q, thousandths(pairs[i].Value)}
		} else if m, ok := strings.CutSuffix(pairs[i].Name, "_minor"); ok {
			pairs[i] = pair{m, minor(pairs[i].Value, values["currency"])}
		}
		pairs[i].Name = strings.ReplaceAll(pairs[i].Name, "_", " ")
	}
	return pairs, nil
}

func thousandths(s string) string {
	var n int64
	if _, err := fmt.Sscan(s, &n); err != nil {
		return s
	}
	return warehouse.Qty(n).String()
}

func minor(s, currency string) string {
	var n int64
	if _, err := fmt.Sscan(s, &n); err != nil {
		return s
	}
	return amount(n, warehouse.Currency(currency))
}

// amount says a value to the last cent, which may be unknown.
func amount(n int64, c warehouse.Currency) string {
	if n == guardrails.UnknownAmount {
		return "not known, so treated as beyond every limit"
	}
	if n == 0 {
		return "nothing"
	}
	text := exact(warehouse.Money{Minor: n, Currency: c})
	if c != "" && c != warehouse.NoCurrency {
		text += " " + string(c)
	}
	return text
}

// targetWord says where an operation goes.
func targetWord(name string) string {
	switch name {
	case guardrails.TargetManual:
		return "people, who carry it out by hand and say so"
	case guardrails.TargetInternal:
		return "Tallyman itself"
	}
	return name
}

// needs says a requirement with how much of it is there.
func needs(r guardrails.Requirement, given int) string {
	if r.Humans() == 0 {
		return "nobody named"
	}
	text := strings.ReplaceAll(r.String(), "_", " ")
	if given > 0 {
		text += fmt.Sprintf(" (%d of %d given)", given, r.Humans())
	}
	return text
}

// left says how long something lasts still.
func left(until, now time.Time) string {
	switch d := until.Sub(now); {
	case d <= 0:
		return "expired"
	case d < time.Hour:
		return fmt.Sprintf("%d min left", int(d.Minutes())+1)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h left", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days left", int(d.Hours()/24))
	}
}

// evidence is what a step rests on.
type evidence struct {
	Percent       int
	Likely, Level string // "" without a score
	Facts         []pair
	Reasons       []string
	Compared      *comparison // of a promotion
	Raw           string      // the exact text
}

// evidenceOf reads what proposers write: a score, reasons, and facts of theirs.
func evidenceOf(s *store.Step) evidence {
	body := s.EvidenceBytes
	e := evidence{Raw: pretty(body)}
	if s.Kind == guardrails.KindPromoteModel {
		e.Compared, e.Facts = comparisonOf(body)
		return e
	}
	var known struct {
		ScorePPM *int64 `json:"score_ppm"`
		Reasons  []struct {
			Text         string  `json:"text"`
			Direction    string  `json:"direction"`
			Contribution float64 `json:"contribution"`
		} `json:"reasons"`
		Signals map[string]struct {
			Score *float64 `json:"score"`
		} `json:"signals"`
	}
	if json.Unmarshal(body, &known) != nil {
		return e
	}
	if known.ScorePPM != nil {
		e.Percent, e.Likely, e.Level = risk(float64(*known.ScorePPM) / 1e6)
		if s.Kind != guardrails.KindCountPosition {
			e.Likely = "is the chance that the model gives"
		}
	}
	for _, r := range known.Reasons {
		e.Reasons = append(e.Reasons, reasonWord(r.Text, r.Direction == "down" || r.Contribution < 0))
	}
	for _, name := range slices.Sorted(maps.Keys(known.Signals)) {
		if signal := known.Signals[name]; signal.Score != nil {
			percent, _, _ := risk(*signal.Score)
			e.Facts = append(e.Facts, pair{"chance of " + strings.ReplaceAll(name, "_", " "), fmt.Sprintf("%d %%", percent)})
		}
	}
	return e
}

func pretty(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		return string(body)
	}
	return b.String()
}

// notice is what just happened, or why it did not.
type notice struct {
	Title, Text string
	Link, Go    string
	Calm        bool
}

// refused says a refusal to who got it.
func refused(r *guardrails.Refusal, v *store.StepView, me guardrails.PersonID) *notice {
	n := &notice{Title: "This was not carried out", Text: sentence(r.Detail)}
	switch r.Code {
	case guardrails.CodeSuperseded:
		n.Title, n.Text = "A newer step has taken its place", "What you looked at is no longer asked. Nothing was decided."
	case guardrails.CodeExpired:
		n.Title, n.Text = "It expired before you decided", "Silence is not consent: nothing was approved, and nothing is sent."
	case guardrails.CodeBinding:
		n.Title, n.Text = "It changed while you looked", "What you saw is not what would be carried out now. Below is the new one; look again."
	case guardrails.CodeNotPending, guardrails.CodeSlotFilled:
		n.Title = "Somebody was faster"
		for _, d := range v.Decisions {
			if d.Person == me && d.Binding == v.Binding {
				n.Title = "You have decided this already"
			}
		}
		n.Text = sentence(r.Detail)
	case guardrails.CodeAlreadyDecided:
		n.Title = "You have decided this already"
	case guardrails.CodeStepUp:
		n.Title, n.Link, n.Go = "Sign in again first", again(v.ID), "Sign in again"
	case guardrails.CodeReasonMissing:
		n.Title, n.Text = "Say why", "A reason is needed. Nothing was decided yet."
	case guardrails.CodeBlocked:
		n.Title = "It is blocked"
	case guardrails.CodeSelfApproval, guardrails.CodePart, guardrails.CodeUnprovenPart, guardrails.CodeRoleMissing, guardrails.CodeValueLimit,
		guardrails.CodeTooEarly, guardrails.CodeDailyLimit, guardrails.CodeDelegation, guardrails.CodeInactive, guardrails.CodeMachine:
		n.Title = "You cannot approve this one"
	case guardrails.CodeNotExpired, guardrails.CodeDenied, guardrails.CodeNoHuman, guardrails.CodeWeaker, guardrails.CodeNotAllowed,
		guardrails.CodeBreakGlass, guardrails.CodeBreakGlassLimit, guardrails.CodeBreakGlassReview, guardrails.CodeKillSwitch, guardrails.CodeFrozen,
		guardrails.CodeQuorumLost, guardrails.CodeApprovalAge, guardrails.CodeMoved, guardrails.CodeModel, guardrails.CodeSameHuman, guardrails.CodeBulk:
	}
	if v.Successor != "" {
		n.Link, n.Go = "/steps/"+string(v.Successor), "Open the step that is live now"
	}
	return n
}

func again(id guardrails.StepID) string { return "/signin?again=1&next=/steps/" + string(id) }

// sentence begins with a capital letter and ends with a full stop, where it does
// not end otherwise.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	s = string(unicode.ToUpper(first)) + s[size:]
	if strings.ContainsAny(s[len(s)-1:], ".!?") {
		return s
	}
	return s + "."
}
