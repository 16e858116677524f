package triage

// Path says what gave a ticket its label.
type Path string

// The paths.
const (
	ByModel Path = "model" // the embedded model was sure
	ByLLM   Path = "llm"   // the embedded model was not, the language model was
	ByHuman Path = "human" // nobody was: the ticket waits in the unclear queue
)

// Settled is a label and why it was given.
type Settled struct {
	Label string
	Path  Path
	Why   string
	// Ask says that the label may get better: a language model should be asked
	// if there is one and the budget allows.
	Ask bool
}

// Settle decides what an embedded verdict is worth. Sure and in scope: it
// stands. Everything else is unclear until a language model or a human says
// more.
func (t *Taxonomy) Settle(v Verdict) Settled {
	_, known := t.Label(v.Label)
	switch {
	case !known:
		return Settled{t.Unclear, ByHuman, "the model's label is not in the taxonomy", true}
	case v.Label == t.Unclear:
		return Settled{t.Unclear, ByHuman, "the text does not say what is wrong", true}
	case v.Label == t.OutOfScope && !v.Abstain:
		return Settled{v.Label, ByModel, "the text is about something else", false}
	case v.Stray > strayLimit:
		return Settled{t.Unclear, ByHuman, "the text is unlike anything the model knows", true}
	case v.Abstain:
		return Settled{t.Unclear, ByHuman, "the model is not sure enough", true}
	}
	return Settled{v.Label, ByModel, "the model is sure", false}
}
