package triage

import (
	"bytes"
	_ "embed" // the default taxonomy
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"tallyman/warehouse"
)

//go:embed taxonomy.yaml
var defaultTaxonomy []byte

// DefaultName is the name of the taxonomy that ships with the program.
const DefaultName = "default"

// DefaultTaxonomy is the taxonomy that ships with the program.
func DefaultTaxonomy() *Taxonomy {
	t, err := ParseTaxonomy(defaultTaxonomy)
	if err != nil {
		panic(err) // a file of the program itself
	}
	return t
}

// Taxonomy is the closed set of labels, who owns what they name, and how urgent
// it is. It is data, in YAML; the program never invents a label.
type Taxonomy struct {
	Version    int
	Name       string
	Currency   warehouse.Currency // of value_from
	Unclear    string             `yaml:"unclear"`      // label of a text that gives no decision
	OutOfScope string             `yaml:"out_of_scope"` // label of a text about none of the others
	RaiseOne   []Fact             `yaml:"raise_one"`    // each alone raises a ticket by one level
	Signals    []Signal
	Labels     []Label
}

// Label is one kind of exception.
type Label struct {
	ID         string
	Name       string
	Definition string
	Owner      string
	OwnerIf    map[Fact]string `yaml:"owner_if"` // another owner if the fact holds
	Copies     []string
	Severity   Severity
	Raise      []Raise
	Restricted bool // only owner and copies may read the ticket
	Immediate  bool // a human is called at once
	Include    []string
	Exclude    []string
}

// Raise is a rule that makes a ticket more urgent. Exactly one condition is
// set.
type Raise struct {
	To        Severity
	If        Fact    `yaml:"if"`
	ShareFrom float64 `yaml:"share_from"` // percent of the quantity concerned
	ValueFrom int64   `yaml:"value_from"` // major units of the taxonomy's currency
}

// Signal is a set of words that adds to a ticket whatever a model says of it:
// urgency, a second label, readers, a narrower view. It never takes away.
type Signal struct {
	ID         string
	Label      string
	Severity   Severity
	Copies     []string
	Restricted bool
	Words      []string // a word that ends in * stands for all that begin so, ".." for up to three words
	Concepts   []string // what the default lexicon calls it; "a+b" for two that stand in one ticket
	Chance     float64  // what a model must give the label for the signal to hold without a word; 0 for never

	book *phraseBook
}

// Severity is how urgent a ticket is: S1 now, S2 in this shift, S3 within a
// business day, S4 when there is time. A smaller one is more urgent.
type Severity int

// The severities.
const (
	S1 Severity = iota + 1
	S2
	S3
	S4
)

// String is "S1" to "S4".
func (s Severity) String() string { return fmt.Sprintf("S%d", int(s)) }

// UnmarshalYAML reads "S1" to "S4".
func (s *Severity) UnmarshalYAML(n *yaml.Node) error {
	for _, known := range []Severity{S1, S2, S3, S4} {
		if n.Value == known.String() {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("line %d: severity %q, want S1, S2, S3 or S4", n.Line, n.Value)
}

// Fact is something structured data says about a ticket; never its text.
type Fact string

// The facts rules may use.
const (
	OrderDueToday  Fact = "order_due_today" // an order due today is short of it
	Regulated      Fact = "regulated"       // the item is regulated or hazardous
	Recall         Fact = "recall"          // the lot is recalled
	ThirdRepeat    Fact = "third_repeat"    // third in 30 days of this supplier and label
	Shipped        Fact = "shipped"         // the goods have left
	PostingStopped Fact = "posting_stopped" // nothing is posted between systems
	ZoneStopped    Fact = "zone_stopped"    // a zone cannot work
	CarrierCaused  Fact = "carrier_caused"  // it happened in transport
)

var facts = []Fact{OrderDueToday, Regulated, Recall, ThirdRepeat, Shipped, PostingStopped, ZoneStopped, CarrierCaused}

// UnmarshalYAML reads one of the known facts.
func (f *Fact) UnmarshalYAML(n *yaml.Node) error {
	if *f = Fact(n.Value); !slices.Contains(facts, *f) {
		return fmt.Errorf("line %d: fact %q is unknown; there are %v", n.Line, n.Value, facts)
	}
	return nil
}

const maxTaxonomyBytes = 1 << 20

// ParseTaxonomy reads a taxonomy and checks it: a key that is not known, a label
// named twice, an owner left out or a rule that could lower something is an
// error that names the line or the label.
func ParseTaxonomy(text []byte) (*Taxonomy, error) {
	if len(text) > maxTaxonomyBytes {
		return nil, fmt.Errorf("taxonomy has %d bytes, want at most %d", len(text), maxTaxonomyBytes)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	var t Taxonomy
	if err := d.Decode(&t); err != nil {
		return nil, fmt.Errorf("taxonomy: %w", err)
	}
	if err := d.Decode(new(yaml.Node)); err == nil {
		return nil, errors.New("taxonomy: a second document follows; want one")
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("taxonomy %s: %w", t.Name, err)
	}
	return &t, nil
}

// Label finds a label by its id.
func (t *Taxonomy) Label(id string) (Label, bool) {
	i := slices.IndexFunc(t.Labels, func(l Label) bool { return l.ID == id })
	if i < 0 {
		return Label{}, false
	}
	return t.Labels[i], true
}

func (t *Taxonomy) check() error {
	currency, err := warehouse.ParseCurrency(string(t.Currency))
	if err != nil {
		return err
	}
	t.Currency = currency
	switch {
	case t.Name == "" || strings.ContainsFunc(t.Name, notOfIDs):
		return errors.New("name it in small letters, digits and . _ -")
	case t.Version < 1:
		return fmt.Errorf("version is %d, want 1 or more", t.Version)
	case len(t.Labels) < 2 || len(t.Labels) > maxLabels:
		return fmt.Errorf("there are %d labels, want 2 to %d", len(t.Labels), maxLabels)
	}
	seen := map[string]bool{}
	for _, l := range t.Labels {
		if seen[l.ID] {
			return fmt.Errorf("label %q is there twice", l.ID)
		}
		seen[l.ID] = true
		if err := l.check(t.Currency); err != nil {
			return fmt.Errorf("label %q: %w", l.ID, err)
		}
	}
	if !seen[t.Unclear] {
		return fmt.Errorf("unclear is %q, which is no label", t.Unclear)
	}
	if t.OutOfScope != "" && !seen[t.OutOfScope] {
		return fmt.Errorf("out_of_scope is %q, which is no label", t.OutOfScope)
	}
	for i := range t.Signals {
		if err := t.Signals[i].prepare(seen); err != nil {
			return fmt.Errorf("signal %q: %w", t.Signals[i].ID, err)
		}
	}
	return nil
}

func notOfIDs(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789._-", r)
}

func (l Label) check(currency warehouse.Currency) error {
	switch {
	case l.ID == "" || strings.ContainsFunc(l.ID, notOfIDs):
		return errors.New("an id is of small letters, digits and . _ -")
	case l.Name == "" || l.Definition == "":
		return errors.New("name and definition are needed")
	case l.Owner == "":
		return errors.New("somebody must own it: set owner")
	case l.Severity == 0:
		return errors.New("severity is needed")
	}
	for _, r := range l.Raise {
		set := 0
		for _, is := range []bool{r.If != "", r.ShareFrom != 0, r.ValueFrom != 0} {
			set += one(is)
		}
		switch {
		case set != 1:
			return fmt.Errorf("a raise has %d conditions, want one of if, share_from, value_from", set)
		case r.To == 0 || r.To >= l.Severity:
			return fmt.Errorf("a raise goes to %v, which is not above %v", r.To, l.Severity)
		case r.ShareFrom < 0 || r.ShareFrom > 100 || r.ValueFrom < 0:
			return errors.New("share_from is 0 to 100, value_from not below 0")
		case r.ValueFrom > 0 && currency == warehouse.NoCurrency:
			return errors.New("value_from needs the taxonomy's currency")
		}
	}
	return nil
}

func (s *Signal) prepare(labels map[string]bool) error {
	switch {
	case s.ID == "" || len(s.Words)+len(s.Concepts) == 0:
		return errors.New("id and words or concepts are needed")
	case !labels[s.Label]:
		return fmt.Errorf("label %q is not in the taxonomy", s.Label)
	case s.Severity == 0:
		return errors.New("severity is needed")
	case s.Chance < 0 || s.Chance > 1:
		return fmt.Errorf("chance is %v, want 0 to 1", s.Chance)
	}
	s.book = newPhraseBook()
	for _, w := range s.Words {
		if !s.book.add(0, w) {
			return fmt.Errorf("the word %q says nothing", w)
		}
	}
	for _, c := range s.Concepts {
		if !DefaultLexicon().mayFind(c) {
			return fmt.Errorf("concept %q is not in the lexicon; a pair is in order of the alphabet", c)
		}
	}
	return nil
}
