// Package llm asks a language model to choose one of a few opaque codes for a
// text. It speaks to any OpenAI-compatible server, expects it to misbehave, and
// returns an [Answer] whose every field was checked here, or an [*Error] that
// says in one stable word which way it went wrong.
//
// The package knows no tickets and no warehouse. A model sees no tools and no
// address, and the most it can do is choose a wrong code. Nothing is logged: no
// key, no prompt, no reply. Errors carry none of them either.
package llm
