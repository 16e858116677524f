package guardrails

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is something wrong with a policy file, and where.
type Fault struct {
	Line, Column int // from 1
	Detail       string
}

func (f Fault) String() string { return fmt.Sprintf("%d:%d: %s", f.Line, f.Column, f.Detail) }

// PolicyError is every fault of a policy file, in the order of the file.
type PolicyError struct{ Faults []Fault }

func (e *PolicyError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

func sortFaults(faults []Fault) {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}
