package triage

import (
	"bytes"
	_ "embed" // the default model
	"sync"
)

//go:generate sh -c "go run tallyman/cmd/tallyman triage train --csv ../fixtures/tickets -o - > default.new && mv default.new default.model"

//go:embed default.model
var defaultModel []byte

// DefaultModel is the model of the default taxonomy that ships with the
// program. It was trained on a synthetic corpus, fixtures.Tickets: a warehouse
// should train its own as soon as it has labelled tickets.
var DefaultModel = sync.OnceValue(func() *Model {
	m, err := ReadModel(bytes.NewReader(defaultModel))
	if err != nil {
		panic(err) // a file of the program itself
	}
	return m
})
