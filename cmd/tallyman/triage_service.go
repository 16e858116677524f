package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"tallyman/jobs"
	"tallyman/llm"
	"tallyman/store"
	"tallyman/triage"
)

// triageProbeCmd asks a server some trick questions.
type triageProbeCmd struct{ languageModel }

// Help explains the command at length.
func (*triageProbeCmd) Help() string {
	return `Asks the server about seven short questions, some of which try to talk the model out
of the format. What it enforces decides how tickets are asked about; whatever it
enforces, every answer is checked here. Nothing of a ticket is sent.`
}

// Run asks and prints.
func (c *triageProbeCmd) Run(ctx context.Context, k *kong.Context) error {
	if c.LLMBaseURL == "" {
		return errors.New("no server: set TALLYMAN_LLM_BASE_URL and TALLYMAN_LLM_MODEL, or --llm-base-url and --llm-model")
	}
	client, err := c.client(llm.Price{}, nil)
	if err != nil {
		return err
	}
	caps, err := client.Probe(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", c.LLMBaseURL, err)
	}
	yes := map[bool]string{true: "yes", false: "no"}
	paths := map[llm.Path]string{
		llm.PathSchema: "a JSON schema, also against a prompt that says otherwise",
		llm.PathJSON:   "some JSON object, not its schema",
		llm.PathText:   "nothing: answers are asked for in plain text",
	}
	_, err = fmt.Fprintf(k.Stdout, `model                 %s
fingerprint           %s
enforces              %s
temperature and seed  %s
log probabilities     %s
same answer twice     %s
says when cut off     %s
limit on tokens       %s
`, caps.Model, orNone(caps.Fingerprint), paths[caps.Path], map[bool]string{true: "accepted", false: "refused"}[caps.Sampling], yes[caps.LogProbs],
		yes[caps.Deterministic], yes[caps.Truncation], map[bool]string{true: "max_tokens", false: "max_completion_tokens"}[caps.LegacyMaxTokens])
	return err
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// triageSuspectsCmd lists labels that may be wrong.
type triageSuspectsCmd struct {
	database
	ownTickets
	CSV   string `name:"csv" placeholder:"FILE" help:"Judge these examples (columns text and label) instead of what people said in the service."`
	Most  int    `default:"50" help:"How many to list, the most doubtful first."`
	JSON  bool   `name:"json" help:"One JSON object a line."`
	Alone bool   `help:"Learn from these labels alone, not from the tickets that come with the program too."`
}

// Help explains the command at length.
func (*triageSuspectsCmd) Help() string {
	return `Lists labels that models which did not learn from them find wrong. Look at them before
the model is fitted anew: open the ticket and give it the right label. It takes some
minutes and changes nothing.`
}

// suspected is one label in doubt.
type suspected struct {
	Ticket store.TicketID `json:"ticket,omitempty"`
	Given  string         `json:"given"`
	Likely string         `json:"likely"`
	PGiven float64        `json:"p_given"`
	PLike  float64        `json:"p_likely"`
	Text   string         `json:"text"`
}

// Run judges and lists.
func (c *triageSuspectsCmd) Run(ctx context.Context, k *kong.Context) error {
	taxonomy, basis, err := c.read(runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	lessons, tickets, err := c.lessons(ctx, taxonomy)
	if err != nil {
		return err
	}
	if len(lessons) == 0 {
		return errors.New("nobody has labelled a ticket yet: people do at /tickets, or give examples with --csv")
	}
	var base []triage.Example
	if !c.Alone {
		base = basis.Examples
	}
	found, err := triage.Suspects(ctx, base, lessons, refitSettings(base, lessons), say)
	if err != nil {
		return err
	}
	out := json.NewEncoder(k.Stdout)
	for _, s := range found[:min(c.Most, len(found))] {
		l := lessons[s.Lesson]
		row := suspected{Given: l.Label, Likely: s.Likely, PGiven: s.Given, PLike: s.P, Text: l.Text}
		if tickets != nil {
			row.Ticket = tickets[s.Lesson]
		}
		if c.JSON {
			err = out.Encode(row)
		} else {
			_, err = fmt.Fprintf(k.Stdout, "%s  given %s (%.2f), likelier %s (%.2f)\n    %s\n", row.Ticket, row.Given, row.PGiven, row.Likely, row.PLike, printable(oneLine(row.Text)))
		}
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "%d of %s in doubt\n", len(found), plural(len(lessons), "label"))
	return nil
}

func (c *triageSuspectsCmd) lessons(ctx context.Context, t *triage.Taxonomy) ([]triage.Lesson, []store.TicketID, error) {
	if c.CSV != "" {
		examples, err := readExamples(c.CSV)
		lessons := make([]triage.Lesson, len(examples))
		for i, e := range examples {
			lessons[i] = triage.Lesson{Text: e.Text, Label: e.Label}
		}
		return lessons, nil, err
	}
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return nil, nil, err
	}
	defer closeAll()
	taught, err := db.Taught(ctx, t, time.Time{})
	ids := make([]store.TicketID, len(taught))
	for i := range taught {
		ids[i] = taught[i].Ticket
	}
	return jobs.Lessons(taught), ids, err
}

func refitSettings(base []triage.Example, lessons []triage.Lesson) triage.Settings {
	all := base
	for _, l := range lessons {
		all = append(all, triage.Example{Text: l.Text, Label: l.Label})
	}
	s := triage.DefaultSettings()
	s.OutOfScope, s.Threads = outOfScopeLabel("", all), runtime.GOMAXPROCS(0)
	s.Lexicon, _ = lexiconFor("", all) // without a file nothing fails
	return s
}

func oneLine(text string) string {
	const most = 160
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// triageRefitCmd fits the model of a service anew.
type triageRefitCmd struct {
	database
	ownTickets
}

// Run fits, compares and proposes.
func (c *triageRefitCmd) Run(ctx context.Context, k *kong.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	desk, basis, err := c.desk(ctx, db, false, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	r, err := jobs.Refit(ctx, db, desk, basis, time.Now())
	if err != nil {
		return err
	}
	out := json.NewEncoder(k.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(r)
}
