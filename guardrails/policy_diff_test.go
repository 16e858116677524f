package guardrails_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

func parsed(tb testing.TB, source string) *guardrails.Policy {
	tb.Helper()
	p, err := guardrails.ParsePolicy([]byte(source))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// highNeeds asks for finance too, an amount on.
func highNeeds(minor int) string {
	return policyWith(when(fmt.Sprintf("rec.value_minor >= %d", minor)),
		fmt.Sprintf("  - name: high\n    rec: {action: count_position, stake_minor: %d}\n    expect: {rules: [any, x], require: {supervisor: 1, finance: 1}}\n", minor))
}

func TestDiffSaysWhatIsLooser(t *testing.T) {
	before, after := parsed(t, highNeeds(100)), parsed(t, highNeeds(200))
	if d := guardrails.DiffPolicies(before, before); len(d) != 0 {
		t.Errorf("a policy differs from itself: %+v", d)
	}
	d := guardrails.DiffPolicies(before, after)
	if len(d) != 1 || d[0].Shift != guardrails.Looser || d[0].Kind != guardrails.KindCountPosition ||
		d[0].From.Requirement.String() != "finance + supervisor" || d[0].Example != "count_position, value_minor 100" {
		t.Errorf("later: %+v", d)
	}
	d = guardrails.DiffPolicies(after, before)
	if len(d) != 1 || d[0].Shift != guardrails.Stricter {
		t.Errorf("earlier: %+v", d)
	}
	if gained := guardrails.GainedRoles(parsed(t, policyWith("", "")), after); !reflect.DeepEqual(gained, []guardrails.Role{"finance"}) {
		t.Errorf("%v gain", gained)
	}
}

// Letting somebody stand in is looser, and so is letting them sooner; whoever can
// gains by it.
func TestDiffShowsLadders(t *testing.T) {
	with := func(slot string) *guardrails.Policy {
		return parsed(t, strings.Replace(policyWith("", ""), "{supervisor: 1}", "{supervisor: "+slot+"}", 1))
	}
	none, late, soon := with("1"), with("{count: 1, stand_in: {finance: 30m}}"), with("{count: 1, stand_in: {finance: 10m}}")
	for _, c := range []struct {
		before, after *guardrails.Policy
		shift         guardrails.Shift
		to            string
		gained        []guardrails.Role
	}{
		{none, late, guardrails.Looser, "supervisor (or finance after 30m), within 1h0m0s", []guardrails.Role{"finance"}},
		{late, soon, guardrails.Looser, "supervisor (or finance after 10m), within 1h0m0s", []guardrails.Role{"finance"}},
		{soon, late, guardrails.Stricter, "supervisor (or finance after 30m), within 1h0m0s", nil},
		{late, none, guardrails.Stricter, "supervisor, within 1h0m0s", nil},
	} {
		d := guardrails.DiffPolicies(c.before, c.after)
		if len(d) != len(guardrails.Kinds) || d[0].Shift != c.shift || d[0].To.String() != c.to {
			t.Errorf("%d changes, the first %+v", len(d), d[0])
		}
		if gained := guardrails.GainedRoles(c.before, c.after); !reflect.DeepEqual(gained, c.gained) {
			t.Errorf("to %s: %v gain", c.to, gained)
		}
	}
	steps := past(rand.New(rand.NewPCG(1, 0)), none, 10)
	if s := simulate(late, steps); s.Shifts[guardrails.Looser] != 10 || s.Loosened[0].To.String() != "supervisor (or finance after 30m), within 1h0m0s" || len(s.Approvals) != 0 {
		t.Errorf("%+v", s)
	}
}

func past(r *rand.Rand, p *guardrails.Policy, n int) []guardrails.PastStep {
	steps := make([]guardrails.PastStep, n)
	for i := range steps {
		s := &steps[i]
		s.ID, s.At = guardrails.StepID(fmt.Sprintf("st_%06d", i)), noon.Add(time.Duration(r.IntN(72))*time.Hour)
		s.Recommendation = guardrails.Recommendation{
			Site: "DC-1", Action: &guardrails.CountPosition{Location: "A", SKU: "S"},
			Facts: guardrails.Facts{ValueMinor: r.Int64N(300), Currency: "USD", VariancePPM: r.Int64N(100_000), Class: "A", Flags: []string{"fragile"}},
		}
		s.Value = s.Recommendation.Facts.Banded()
		j, err := p.Judge(&s.Recommendation, s.At)
		if err != nil {
			panic(err)
		}
		s.Required = guardrails.Outcome{Requirement: j.Requirement}
	}
	return steps
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func simulate(p *guardrails.Policy, steps []guardrails.PastStep) guardrails.Simulation {
	s := guardrails.NewSimulator(p)
	for i := range steps {
		s.Add(&steps[i])
	}
	return s.Result()
}

func TestSimulationCounts(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 0))
	before, after := parsed(t, highNeeds(100)), parsed(t, highNeeds(200))
	steps := past(r, before, 2000)
	var loosened int
	var minor int64
	for _, s := range steps {
		if s.Value >= 100 && s.Value < 200 {
			loosened++
			minor += s.Value
		}
	}
	got := simulate(after, steps)
	fewer := 0
	for _, d := range got.Approvals {
		if d.Role != "finance" {
			t.Errorf("seed %d: %+v", seed, d)
		}
		fewer += d.Extra
	}
	if len(got.Loosened) != loosened || got.LoosenedMinor[warehouse.Currency("USD")] != minor || fewer != -loosened ||
		got.Shifts[guardrails.Looser] != loosened || got.Shifts[guardrails.Same] != 2000-loosened || len(got.Blocked) != 0 {
		t.Errorf("seed %d: %d loosened of %d minor, %d fewer; want %d of %d: %v", seed,
			len(got.Loosened), got.LoosenedMinor["USD"], fewer, loosened, minor, got.Shifts)
	}
	r.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	if again := simulate(after, steps); !reflect.DeepEqual(got, again) {
		t.Errorf("seed %d: another order gives another result", seed)
	}
	halves := [2]*guardrails.Simulator{guardrails.NewSimulator(after), guardrails.NewSimulator(after)}
	for i := range steps {
		halves[r.IntN(2)].Add(&steps[i])
	}
	halves[0].Merge(halves[1])
	if merged := halves[0].Result(); !reflect.DeepEqual(got, merged) {
		t.Errorf("seed %d: two simulators find something else than one", seed)
	}
	if back := simulate(before, past(r, before, 100)); back.Shifts[guardrails.Same] != 100 || len(back.Approvals) != 0 {
		t.Errorf("seed %d: the same policy gives %+v", seed, back.Shifts)
	}
}

// fifty is a policy with fifty rules, all of which are asked of each step.
func fifty(tb testing.TB) *guardrails.Policy {
	tb.Helper()
	var rules, tests strings.Builder
	for i := range 49 {
		fmt.Fprintf(&rules, "  - id: r%d\n    actions: [any]\n    when: \"rec.value_minor > %d && rec.variance_ppm > %d || 'x%d' in rec.flags\"\n    require: {finance: 1}\n    expires_in: 1h\n",
			i, i*10, i*1000, i)
		fmt.Fprintf(&tests, "  - name: t%d\n    rec: {action: count_position, flags: [x%d]}\n    expect: {require: {supervisor: 1, finance: 1}}\n", i, i)
	}
	return parsed(tb, policyWith(rules.String(), tests.String()))
}

func BenchmarkSimulateFiftyRules(b *testing.B) {
	p := fifty(b)
	steps := past(rand.New(rand.NewPCG(1, 0)), p, 1000)
	n, before := 0, cpu(b)
	for b.Loop() {
		n += simulate(p, steps).Steps
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "steps/s")
	b.ReportMetric(float64(n)/(cpu(b)-before).Seconds(), "steps/cpu-s")
}

// cpu is the processor time of this process, which a loaded machine does not
// stretch.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
