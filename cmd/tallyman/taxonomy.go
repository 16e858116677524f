package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"tallyman/jobs"
	"tallyman/store"
	"tallyman/triage"
)

// ownTickets say what a warehouse calls its exceptions, where it does not call
// them as the program does.
type ownTickets struct {
	Taxonomy string `env:"TALLYMAN_TAXONOMY" type:"existingfile" placeholder:"FILE" help:"Labels, owners and rules of exception tickets, in YAML; those of the program when not given."`
	Tickets  string `env:"TALLYMAN_TICKETS" placeholder:"FILE" help:"Labelled tickets of that taxonomy (columns text and label; a file, or a folder of .csv files) for models to learn from, beside what people say."`
}

// refitThreads leaves half of the machine to the dock while a service refits.
func refitThreads() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// desk returns what labels tickets, with the model in force, and what its models
// learn from. Where no model of an own taxonomy was ever put in force, the first
// is fitted here.
func (o *ownTickets) desk(ctx context.Context, db *store.DB, asks bool, threads int) (*triage.Desk, jobs.Basis, error) {
	t, basis, err := o.read(threads)
	if err != nil {
		return nil, jobs.Basis{}, err
	}
	desk := triage.NewDesk(t, asks)
	if err := jobs.AdoptTicketModel(ctx, db, desk); err != nil {
		return nil, jobs.Basis{}, err
	}
	if id, _ := desk.InForce(); o.Taxonomy == "" || id != 0 {
		return desk, basis, nil
	}
	say(fmt.Sprintf("fitting the first model of taxonomy %s to %s", t.Name, plural(len(basis.Examples), "ticket")))
	m, err := triage.Train(ctx, basis.Examples, basis.Settings, nil)
	if err != nil {
		return nil, jobs.Basis{}, fmt.Errorf("%s: %w", o.Tickets, err)
	}
	if why := silence(m, basis.Settings.Precision); why != "" {
		say("the model of taxonomy " + t.Name + ": " + strings.TrimSpace(why))
	}
	var file bytes.Buffer
	if err := m.Write(&file); err != nil {
		return nil, jobs.Basis{}, err
	}
	return desk, basis, desk.AdoptFile(0, file.Bytes())
}

// read returns the taxonomy and what its models learn from: the program's, or
// those of the files.
func (o *ownTickets) read(threads int) (*triage.Taxonomy, jobs.Basis, error) {
	switch {
	case o.Taxonomy == "" && o.Tickets == "":
		return triage.DefaultTaxonomy(), jobs.Corpus(threads), nil
	case o.Taxonomy == "" || o.Tickets == "":
		return nil, jobs.Basis{}, errors.New("--taxonomy and --tickets go together: labels, and examples of them to learn from")
	}
	t, err := o.taxonomy()
	if err != nil {
		return nil, jobs.Basis{}, err
	}
	examples, err := readExamples(o.Tickets)
	if err != nil {
		return nil, jobs.Basis{}, err
	}
	if err := o.check(t, examples); err != nil {
		return nil, jobs.Basis{}, err
	}
	basis := jobs.Basis{Examples: examples, Settings: refitSettings(examples, nil)}
	basis.Settings.Threads, basis.Settings.OutOfScope = threads, ""
	if slices.ContainsFunc(examples, func(e triage.Example) bool { return e.Label == t.OutOfScope }) {
		basis.Settings.OutOfScope = t.OutOfScope
	}
	return t, basis, nil
}

func (o *ownTickets) taxonomy() (*triage.Taxonomy, error) {
	text, err := os.ReadFile(o.Taxonomy)
	if err != nil {
		return nil, err
	}
	t, err := triage.ParseTaxonomy(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Taxonomy, err)
	}
	if t.Name == triage.DefaultName {
		return nil, fmt.Errorf("%s: the name %q is that of the program's own taxonomy; give yours another, models are kept by it", o.Taxonomy, t.Name)
	}
	return t, nil
}

// check refuses examples whose label the taxonomy lacks, and says which labels
// have none.
func (o *ownTickets) check(t *triage.Taxonomy, examples []triage.Example) error {
	given := map[string]bool{}
	for _, e := range examples {
		if _, known := t.Label(e.Label); !known {
			return fmt.Errorf("%s: %q has the label %q, which %s lacks", o.Tickets, oneLine(e.Text), e.Label, o.Taxonomy)
		}
		given[e.Label] = true
	}
	var without []string
	for _, l := range t.Labels {
		if !given[l.ID] && l.ID != t.Unclear {
			without = append(without, l.ID)
		}
	}
	if len(without) > 0 {
		say("no example of " + strings.Join(without, ", ") + ": the embedded model will never say so")
	}
	return nil
}
