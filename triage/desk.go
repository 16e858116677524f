package triage

import (
	"bytes"
	"crypto/sha256"
	"sync"
	"sync/atomic"

	"tallyman/warehouse"
)

// Desk is what it takes to label tickets as they come: the taxonomy, the model
// in force and what it remembers of each site. It is safe for concurrent use. It
// asks nobody: a language model is for whoever settles tickets later.
type Desk struct {
	Taxonomy *Taxonomy
	// Asks says that unsure tickets are given to a language model later.
	Asks bool

	force atomic.Pointer[inForce]
}

// inForce is a model with what it remembers: vectors are of one vocabulary.
type inForce struct {
	model *Model
	id    int64
	hash  [sha256.Size]byte

	mu    sync.Mutex
	sites map[warehouse.Site]*Memory
}

// NewDesk works with a taxonomy and the model that comes with the program.
func NewDesk(t *Taxonomy, asks bool) *Desk {
	d := &Desk{Taxonomy: t, Asks: asks}
	d.Adopt(0, DefaultModel(), sha256.Sum256(defaultModel))
	return d
}

// Adopt puts a model in force. id is its number in the registry, 0 for the one
// of the program, and hash that of its file.
func (d *Desk) Adopt(id int64, m *Model, hash [sha256.Size]byte) {
	d.force.Store(&inForce{model: m, id: id, hash: hash, sites: map[warehouse.Site]*Memory{}})
}

// AdoptFile reads a model and puts it in force.
func (d *Desk) AdoptFile(id int64, file []byte) error {
	m, err := ReadModel(bytes.NewReader(file))
	if err != nil {
		return err
	}
	d.Adopt(id, m, sha256.Sum256(file))
	return nil
}

// Model is the model in force.
func (d *Desk) Model() *Model { return d.force.Load().model }

// InForce returns the number of the model in force and the hash of its file.
func (d *Desk) InForce() (id int64, hash [sha256.Size]byte) {
	f := d.force.Load()
	return f.id, f.hash
}

// Memory is what the model in force remembers of a site.
func (d *Desk) Memory(site warehouse.Site) *Memory {
	f := d.force.Load()
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.sites[site]
	if m == nil {
		m = NewMemory(f.model)
		f.sites[site] = m
	}
	return m
}

// Opinion is what the embedded model says of a text, settled by the taxonomy,
// and which model said it.
type Opinion struct {
	Verdict
	Settled Settled
	Model   int64
	Hash    [sha256.Size]byte
}

// Judge labels a text with the model in force.
func (d *Desk) Judge(text string) Opinion {
	f := d.force.Load()
	v := f.model.Classify(text)
	return Opinion{Verdict: v, Settled: d.Taxonomy.Settle(v), Model: f.id, Hash: f.hash}
}

// Guesses are the verdict's labels that somebody could mean instead of the
// settled one, best first.
func (o *Opinion) Guesses() []Choice {
	var guesses []Choice
	for _, c := range append([]Choice{o.Choice}, o.Alternatives...) {
		if c.Label != o.Settled.Label {
			guesses = append(guesses, c)
		}
	}
	return guesses
}
