package guardrails

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Limits of one condition.
const (
	maxCondition     = 2048 // bytes
	maxConditionCost = 10_000
)

// operatorsKnown are all that conditions can do: compare, combine, look into
// lists. There is no arithmetic, so that nothing can overflow or divide, and no
// clock.
var operatorsKnown = []string{
	operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
	operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.In, operators.NotStrictlyFalse,
}

// limits hold for every evaluation.
var limits = []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxConditionCost)}

// condition is a compiled "when".
type condition struct {
	program  cel.Program
	fields   []string         // of rec that it reads
	needs    []string         // of these, the ones that must be known: read, and not asked after with has()
	literals map[string][]any // that a field is compared with; those of no field in particular under ""
}

// language compiles conditions. It refuses to exist when the limit of cost does
// not hold any more, as after an upgrade of the library.
var language = sync.OnceValues(func() (*cel.Env, error) {
	functions := make([]*env.Function, len(operatorsKnown))
	for i, name := range operatorsKnown {
		functions[i] = env.NewFunction(name)
	}
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	lang, err := cel.NewCustomEnv(
		cel.StdLib(cel.StdLibSubset(&env.LibrarySubset{
			IncludeMacros: []string{operators.Has, operators.Exists, operators.All}, IncludeFunctions: functions,
		})),
		cel.CustomTypeAdapter(registry),
		cel.CustomTypeProvider(factsProvider{registry}),
		cel.Variable("rec", cel.ObjectType(recType)),
		cel.HomogeneousAggregateLiterals(),
		cel.ParserExpressionSizeLimit(maxCondition),
		cel.ParserRecursionLimit(40),
	)
	if err != nil {
		return nil, err
	}
	return lang, canary(lang)
})

// canary evaluates what must be too expensive.
func canary(lang *cel.Env) error {
	checked, issues := lang.Compile(`rec.flags.all(a, rec.flags.all(b, rec.flags.all(c, rec.flags.all(d, a == d))))`)
	if issues.Err() != nil {
		return issues.Err()
	}
	estimate, err := lang.EstimateCost(checked, sizes{})
	if err != nil {
		return err
	}
	program, err := lang.Program(checked, limits...)
	if err != nil {
		return err
	}
	_, _, err = program.Eval(known{&policyFacts{flags: make([]string, maxFlags)}})
	if err == nil || !strings.Contains(err.Error(), "cost limit") || estimate.Max <= maxConditionCost {
		return errors.Join(fmt.Errorf("the limit on the cost of conditions does not hold (estimated %d): do not use this build", estimate.Max), err)
	}
	return nil
}

// known gives conditions their one variable.
type known struct{ facts *policyFacts }

func (k known) ResolveName(name string) (any, bool) { return k.facts, name == "rec" }
func (k known) Parent() cel.Activation              { return nil }

// sizes bounds what conditions read.
type sizes struct{}

func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	switch path := n.Path(); {
	case slices.Equal(path, []string{"rec", "flags"}):
		return &cost.SizeEstimate{Max: maxFlags}
	case n.Type().Kind() == types.StringKind && len(path) > 0:
		return &cost.SizeEstimate{Max: maxText}
	}
	return nil
}

func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

// celFault is a fault at a place of an expression: line from 1, column from 0.
type celFault struct {
	line, column int
	detail       string
}

// compile reads a condition, or says everything that is wrong with it.
func compile(source string) (*condition, []celFault) {
	lang, err := language()
	if err != nil {
		return nil, []celFault{{1, 0, err.Error()}}
	}
	if len(source) > maxCondition {
		return nil, []celFault{{1, 0, fmt.Sprintf("the condition has %d bytes, more than %d", len(source), maxCondition)}}
	}
	parsed, issues := lang.Parse(source)
	if issues.Err() != nil {
		return nil, faultsOf(issues)
	}
	w := walk{info: parsed.NativeRep().SourceInfo(), condition: &condition{literals: map[string][]any{}}}
	w.expr(parsed.NativeRep().Expr())
	if len(w.faults) > 0 {
		return nil, w.faults
	}
	checked, issues := lang.Check(parsed)
	if issues.Err() != nil {
		return nil, faultsOf(issues)
	}
	if !checked.OutputType().IsExactType(types.BoolType) {
		return nil, []celFault{{1, 0, fmt.Sprintf("the condition is of type %s; it must be true or false", checked.OutputType())}}
	}
	estimate, err := lang.EstimateCost(checked, sizes{})
	if err != nil || estimate.Max > maxConditionCost {
		return nil, []celFault{{1, 0, fmt.Sprintf("the condition may cost %d, more than %d: nest less", estimate.Max, maxConditionCost)}}
	}
	c := w.condition
	c.needs = w.needs()
	if c.program, err = lang.Program(checked, limits...); err != nil {
		return nil, []celFault{{1, 0, err.Error()}}
	}
	return c, nil
}

func faultsOf(issues *cel.Issues) []celFault {
	var faults []celFault
	for _, e := range issues.Errors() {
		detail := e.Message
		if name, ok := strings.CutPrefix(detail, "undefined field '"); ok {
			detail = fmt.Sprintf("rec has no %s; it has %s", strings.TrimSuffix(name, "'"), strings.Join(fieldNames(), ", "))
		}
		faults = append(faults, celFault{e.Location.Line(), e.Location.Column(), detail})
	}
	return faults
}

func fieldNames() []string {
	names := make([]string, len(policyFields))
	for i, f := range policyFields {
		names[i] = f.name
	}
	return names
}

// holds evaluates the condition. What it must know and nobody does is an error.
func (c *condition) holds(f *policyFacts) (bool, error) {
	for _, name := range c.needs {
		if fieldNamed(name).unknown(f) {
			return false, fmt.Errorf("%s is not known", name)
		}
	}
	out, _, err := c.program.Eval(known{f})
	if err != nil {
		return false, err
	}
	is, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("the condition is %v, neither true nor false", out)
	}
	return is, nil
}

// walk goes through a parsed condition, collects what it is about and refuses
// what the language does not have.
type walk struct {
	*condition
	info   *ast.SourceInfo
	asked  []string // with has()
	beside string   // the field that literals are being compared with
	faults []celFault
}

func (w *walk) fault(e ast.Expr, format string, args ...any) {
	at := w.info.GetStartLocation(e.ID())
	if at == common.NoLocation {
		at = common.NewLocation(1, 0)
	}
	w.faults = append(w.faults, celFault{at.Line(), at.Column(), fmt.Sprintf(format, args...)})
}

func (w *walk) expr(e ast.Expr) {
	switch e.Kind() {
	case ast.SelectKind:
		w.selection(e)
	case ast.CallKind:
		call := e.AsCall()
		if !slices.Contains(operatorsKnown, call.FunctionName()) {
			w.fault(e, "%s is not part of the language; conditions compare, combine with && || !, and use in, has, exists and all", spell(call.FunctionName()))
		}
		if call.IsMemberFunction() {
			w.expr(call.Target())
		}
		w.arguments(call.Args())
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			w.expr(item)
		}
	case ast.LiteralKind:
		w.literal(e)
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		for _, part := range []ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} {
			w.expr(part)
		}
	case ast.IdentKind:
		if e.AsIdent() == "rec" {
			w.fault(e, "rec stands for all that is known; name one of %s", strings.Join(fieldNames(), ", "))
		}
	case ast.MapKind, ast.StructKind, ast.UnspecifiedExprKind:
		w.fault(e, "conditions make no objects")
	}
}

func (w *walk) arguments(args []ast.Expr) {
	beside := w.beside
	for _, arg := range args {
		if name := fieldOf(arg); len(args) == 2 && name != "" {
			w.beside = name
		}
	}
	for _, arg := range args {
		w.expr(arg)
	}
	w.beside = beside
}

func fieldOf(e ast.Expr) string {
	if e.Kind() != ast.SelectKind || e.AsSelect().IsTestOnly() {
		return ""
	}
	if of := e.AsSelect().Operand(); of.Kind() == ast.IdentKind && of.AsIdent() == "rec" {
		return e.AsSelect().FieldName()
	}
	return ""
}

func (w *walk) selection(e ast.Expr) {
	s := e.AsSelect()
	if s.Operand().Kind() != ast.IdentKind || s.Operand().AsIdent() != "rec" {
		w.expr(s.Operand())
		return
	}
	if !slices.Contains(w.fields, s.FieldName()) {
		w.fields = append(w.fields, s.FieldName())
	}
	if s.IsTestOnly() {
		w.asked = append(w.asked, s.FieldName())
	}
}

func (w *walk) literal(e ast.Expr) {
	switch v := e.AsLiteral().(type) {
	case types.Int:
		w.literals[w.beside] = append(w.literals[w.beside], int64(v))
	case types.String:
		w.literals[w.beside] = append(w.literals[w.beside], string(v))
	case types.Bool:
	default:
		w.fault(e, "%v is a %s; conditions know whole numbers, texts and true or false", v.Value(), v.Type().TypeName())
	}
}

func (w *walk) needs() []string {
	var needs []string
	for _, name := range w.fields {
		if f := fieldNamed(name); f != nil && f.unknown != nil && !slices.Contains(w.asked, name) {
			needs = append(needs, name)
		}
	}
	return needs
}

func spell(function string) string {
	if op, ok := operators.FindReverse(function); ok && op != "" {
		return op
	}
	return function
}
