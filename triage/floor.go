package triage

// Floor is the least urgent severity that the words of a text allow, and whether
// they restrict who may read it, whatever label it gets.
func (t *Taxonomy) Floor(text string) (Severity, bool) {
	r := Routing{Severity: S4}
	told := tell(text)
	for _, s := range t.Signals {
		if s.found(told) {
			r.add(t, s)
		}
	}
	return r.Severity, r.Restricted
}
