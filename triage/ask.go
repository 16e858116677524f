package triage

import (
	"fmt"
	"slices"
	"strings"

	"tallyman/llm"
)

// shortlisted is how many labels a language model may choose from.
const shortlisted = llm.MaxChoices - 1

// none is the code of "none of these".
const none = "K"

// Example limits of a prompt.
const (
	MaxShown    = 8    // examples
	maxShownOne = 600  // bytes of one
	maxAsked    = 6000 // bytes of the ticket
)

const askSystem = `You sort exception tickets of a warehouse. People on the dock, suppliers, carriers and systems write them: terse, misspelt, in several languages. Choose the one code whose meaning says what happened to the goods, the load, the stock, the order, the system or the people. Judge by what did happen, not by what is denied, asked for or only mentioned. If several things happened, choose the one that must be acted on first. If no meaning fits, or the text does not say what happened, choose ` + none + `.`

// AskVersion names the wording of the question. It changes with every change of
// what a language model is told.
const AskVersion = "tickets/1"

// Question is what a language model is asked of one ticket, and what its codes
// stand for.
type Question struct {
	Prompt    llm.Prompt
	Shortlist []string // labels
	codes     map[string]string
}

// Shown is a ticket that people labelled.
type Shown struct {
	Text, Label string // the text as it may leave the building
}

// Ask makes the question for a ticket: at most ten labels that the embedded
// model thinks likeliest, as codes of one letter, and the examples that fit
// them. The texts must be redacted already.
func (t *Taxonomy) Ask(site, text string, guesses []Choice, examples []Shown) Question {
	q := Question{codes: map[string]string{none: t.Unclear}}
	for _, g := range guesses {
		if _, known := t.Label(g.Label); known && g.Label != t.Unclear && len(q.Shortlist) < shortlisted {
			q.Shortlist = append(q.Shortlist, g.Label)
		}
	}
	slices.Sort(q.Shortlist) // the order says nothing of what the embedded model thinks
	codeOf := map[string]string{}
	for i, id := range q.Shortlist {
		code := string(rune('A' + i))
		label, _ := t.Label(id)
		q.codes[code], codeOf[id] = id, code
		q.Prompt.Choices = append(q.Prompt.Choices, llm.Choice{Code: code, Means: label.card()})
	}
	q.Prompt.Choices = append(q.Prompt.Choices, llm.Choice{Code: none, Means: "None of these, or the text does not say what is wrong."})
	for _, e := range examples {
		if code := codeOf[e.Label]; code != "" && len(q.Prompt.Examples) < MaxShown {
			q.Prompt.Examples = append(q.Prompt.Examples, llm.Example{Text: clipBytes(e.Text, maxShownOne), Code: code})
		}
	}
	q.Prompt.Site, q.Prompt.System, q.Prompt.Text = site, askSystem, clipBytes(text, maxAsked)
	return q
}

// LabelOf is the label that an answered code stands for; the taxonomy's unclear
// for none of them.
func (q *Question) LabelOf(code string) string { return q.codes[code] }

// card is what a label means, with two examples and one of something else.
func (l Label) card() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. %s", l.Name, l.Definition)
	if n := min(2, len(l.Include)); n > 0 {
		fmt.Fprintf(&b, " Such as: %s.", strings.Join(l.Include[:n], "; "))
	}
	if len(l.Exclude) > 0 {
		other, _, _ := strings.Cut(l.Exclude[0], " (") // the label's id in brackets is not for the model
		fmt.Fprintf(&b, " Not: %s.", other)
	}
	return b.String()
}

// clipBytes keeps the beginning and the end of a long text.
func clipBytes(s string, most int) string {
	if len(s) <= most {
		return s
	}
	head := strings.ToValidUTF8(s[:most*3/4], "")
	tail := strings.ToValidUTF8(s[len(s)-most/5:], "")
	return head + " … " + tail
}
