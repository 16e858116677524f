package guardrails

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"tallyman/warehouse"
)

// What a condition can see is bounded, so that its cost is.
const (
	maxFlags    = 32
	maxFlagText = 64
)

// policyFacts are what conditions see as "rec".
type policyFacts struct {
	kind        Kind
	site        string
	value       int64 // decides the band
	stake       int64
	recent      int64
	variance    int64
	currency    string
	class       string
	flags       []string
	repeats     int64
	score       int64
	withinTol   bool
	customerYes bool

	boxed [16]ref.Val // what conditions asked for, by field, so that it is made once
}

// factsOf returns what policy looks at. An amount that the action itself names
// is never less than that.
func factsOf(r *Recommendation) (policyFacts, error) {
	f := &r.Facts
	least, variance := amounts(r.Action)
	p := policyFacts{
		kind: r.Action.Kind(), site: string(r.Site), value: max(f.Banded(), least), stake: max(f.ValueMinor, least), recent: f.RecentMinor,
		variance: max(f.VariancePPM, variance), currency: string(f.Currency), class: f.Class, flags: f.Flags, repeats: f.Repeats,
		score: f.ScorePPM, withinTol: f.WithinTol, customerYes: f.CustomerAgree,
	}
	return p, p.check()
}

func (p *policyFacts) check() error {
	if len(p.flags) > maxFlags {
		return fmt.Errorf("it has %d flags, more than %d", len(p.flags), maxFlags)
	}
	for _, flag := range p.flags {
		if len(flag) > maxFlagText {
			return fmt.Errorf("its flag %.16q… has more than %d bytes", flag, maxFlagText)
		}
	}
	if len(p.class) > maxFlagText || len(p.currency) > maxFlagText || len(p.site) > maxText {
		return errors.New("its site, class or currency is too long")
	}
	if p.value < 0 || p.stake < 0 || p.variance < 0 {
		return errors.New("an amount is below zero; amounts are absolute")
	}
	return nil
}

// amounts returns the money that an action asks for and the variance that it
// books, in millionths of the larger of book and one unit.
func amounts(a Action) (minor, ppm int64) {
	switch a := a.(type) {
	case *SupplierChargeback:
		return size(a.Amount.Minor), 0
	case *InvoicePause:
		return size(a.Amount.Minor), 0
	case *InventoryAdjustment:
		return 0, variance(int64(a.Book), int64(a.Counted))
	case *OrderShortShipment:
		return 0, variance(int64(a.Ordered), int64(a.Shipped))
	case *CountPosition, *VerifyLoad, *HoldReceipt, *ReleaseReceipt, *ShipmentSubstitution, *RouteTicket, *PromoteModel, *ChangePolicy:
		return 0, 0
	}
	return UnknownAmount, UnknownAmount
}

func variance(book, counted int64) int64 {
	const million = 1_000_000
	if max(book, -book, counted, -counted) > maxExact || min(book, counted) < -maxExact {
		return UnknownAmount // no payload holds it
	}
	diff := size(counted - book)
	if diff > UnknownAmount/million {
		return UnknownAmount
	}
	return diff * million / max(size(book), int64(warehouse.Unit))
}

func size(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// recType is the type of "rec" in conditions.
const recType = "Recommendation"

// policyField is one member of "rec".
type policyField struct {
	name     string
	celType  *types.Type
	get      func(*policyFacts) ref.Val
	unknown  func(*policyFacts) bool // nil when it is always known
	describe string
}

// policyFields are all that a condition can ask about.
var policyFields = []policyField{
	{"action", types.StringType, func(f *policyFacts) ref.Val { return types.String(f.kind) }, nil, "the kind of action"},
	{"site", types.StringType, func(f *policyFacts) ref.Val { return types.String(f.site) }, nil, "the site's code"},
	{"value_minor", types.IntType, func(f *policyFacts) ref.Val { return types.Int(f.value) }, nil, "what decides the band: the stake and that of other steps on the same stock in 24 hours"},
	{"stake_minor", types.IntType, func(f *policyFacts) ref.Val { return types.Int(f.stake) }, nil, "what this step alone puts at stake"},
	{"recent_minor", types.IntType, func(f *policyFacts) ref.Val { return types.Int(f.recent) }, nil, "what the others do"},
	{"variance_ppm", types.IntType, func(f *policyFacts) ref.Val { return types.Int(f.variance) }, nil, "millionths of the larger of book and one unit"},
	{"repeats", types.IntType, func(f *policyFacts) ref.Val { return types.Int(f.repeats) }, nil, "earlier variances of the position in 90 days"},
	{"score_ppm", types.IntType, func(f *policyFacts) ref.Val { return types.Int(f.score) }, nil, "the model's probability in millionths"},
	{"flags", types.NewListType(types.StringType), (*policyFacts).flagList, nil, "such as serialised"},
	{"within_tolerance", types.BoolType, func(f *policyFacts) ref.Val { return types.Bool(f.withinTol) }, nil, "after a recount"},
	{"customer_agreed", types.BoolType, func(f *policyFacts) ref.Val { return types.Bool(f.customerYes) }, nil, "it is on record"},
	{"class", types.StringType, func(f *policyFacts) ref.Val { return types.String(f.class) }, func(f *policyFacts) bool { return f.class == "" }, "the SKU's class; may be unknown"},
	{"currency", types.StringType, func(f *policyFacts) ref.Val { return types.String(f.currency) }, func(f *policyFacts) bool { return f.currency == "" }, "of the amounts; may be unknown"},
}

func fieldNamed(name string) *policyField {
	for i := range policyFields {
		if policyFields[i].name == name {
			return &policyFields[i]
		}
	}
	return nil
}

// factsProvider tells CEL what "rec" is made of. Reading what is unknown is an
// error; has() asks first.
type factsProvider struct{ types.Provider }

func (p factsProvider) FindStructType(name string) (*types.Type, bool) {
	if name == recType {
		return types.NewTypeTypeWithParam(types.NewObjectType(recType)), true
	}
	return p.Provider.FindStructType(name)
}

func (p factsProvider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if name != recType {
		return p.Provider.FindStructFieldType(name, field)
	}
	i := slices.IndexFunc(policyFields, func(f policyField) bool { return f.name == field })
	if i < 0 {
		return nil, false
	}
	f := &policyFields[i]
	return &types.FieldType{
		Type: f.celType,
		IsSet: func(target any) bool {
			facts, ok := target.(*policyFacts)
			return ok && (f.unknown == nil || !f.unknown(facts))
		},
		GetFrom: func(target any) (any, error) {
			facts, ok := target.(*policyFacts)
			if !ok || f.unknown != nil && f.unknown(facts) {
				return nil, fmt.Errorf("%s is not known", field)
			}
			if facts.boxed[i] == nil {
				facts.boxed[i] = f.get(facts)
			}
			return facts.boxed[i], nil
		},
	}, true
}

// describe says the facts in words, without those that are zero.
func (p *policyFacts) describe() string {
	words := []string{string(p.kind)}
	for _, f := range policyFields {
		switch v := f.get(p).(type) {
		case types.Int:
			switch v {
			case 0:
			case UnknownAmount:
				words = append(words, f.name+" unknown")
			default:
				words = append(words, fmt.Sprintf("%s %d", f.name, v))
			}
		case types.String:
			if v != "" && f.name != "action" && f.name != "site" {
				words = append(words, f.name+" "+string(v))
			}
		case types.Bool:
			if v {
				words = append(words, f.name)
			}
		}
	}
	if len(p.flags) > 0 {
		words = append(words, "flags "+strings.Join(p.flags, "+"))
	}
	return strings.Join(words, ", ")
}

func (p *policyFacts) flagList() ref.Val {
	return types.NewStringList(types.DefaultTypeAdapter, p.flags)
}
