// Package triage gives free text a label out of a closed taxonomy, says how
// sure it is, and abstains when it is not. It decides nothing: a label is a
// proposal where to route a ticket. Severity, owner and visibility come from
// the taxonomy and from rules in code, never from a model, so that a hostile
// text can at worst choose a wrong queue.
//
// The words: an [Example] is a text with its label; a [Model] is what [Train]
// learns from examples; a [Verdict] is what a model says about one text; in
// scope means about one of the labels, out of scope about none of them.
package triage
