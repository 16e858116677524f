package guardrails

// Limits of approving many steps at once.
const (
	MaxBulk      = 25
	MaxBulkMinor = 250_000 // of all together
)

// CheckBulk judges a bulk approval as a whole; each of its steps is then
// approved by itself. Only steps of one kind at one site that one human can
// approve may go together, and only such as the approver has opened.
func CheckBulk(steps []Step, opened map[StepID]bool) *Refusal {
	if len(steps) == 0 || len(steps) > MaxBulk {
		return refuse(CodeBulk, "%d steps; between 1 and %d go together", len(steps), MaxBulk)
	}
	var sum int64
	seen := map[StepID]bool{}
	for i := range steps {
		s := &steps[i]
		switch {
		case seen[s.ID]:
			return refuse(CodeBulk, "step %s is there twice", s.ID)
		case s.Kind != steps[0].Kind || s.Site != steps[0].Site:
			return refuse(CodeBulk, "step %s is of another action or site", s.ID)
		case s.Requirement.Humans() != 1 || s.Requirement.Auth != Session:
			return refuse(CodeBulk, "step %s needs %s and must be looked at by itself", s.ID, s.Requirement)
		case !opened[s.ID]:
			return refuse(CodeBulk, "step %s was not opened by you", s.ID)
		case s.Value > MaxBulkMinor-sum:
			return refuse(CodeBulk, "the steps are worth more than may be approved together")
		}
		seen[s.ID] = true
		sum += s.Value
	}
	return nil
}
