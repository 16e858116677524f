package web

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// comparison is how a model that is proposed did beside the one in force.
type comparison struct {
	Champion string // its number
	Rows     []compared
	Gates    []gate
}

// compared is one figure of both.
type compared struct{ Name, Champion, Challenger string }

type gate struct {
	Passed bool
	Text   string
}

// figures are those that people compare models by, in words, the most telling
// first.
var figures = []struct{ name, words string }{
	{"log_loss", "Log loss, lower is better"},
	{"auc", "AUC, higher is better"},
	{"brier", "Brier score, lower is better"},
	{"ece", "Calibration error, lower is better"},
	{"log_error", "Error of ln(1 + units), lower is better"},
}

var gateWords = map[string]string{
	"loss":        "Says better what will happen",
	"ranking":     "Ranks as well",
	"calibration": "Its probabilities are as true",
	"error":       "Says better how large a difference is",
}

// comparisonOf reads the evidence of a promotion; nil where it is none.
func comparisonOf(body []byte) (*comparison, []pair) {
	type contender struct {
		Model     int64               `json:"model"`
		DataFrom  time.Time           `json:"data_from"`
		DataUntil time.Time           `json:"data_until"`
		Metrics   map[string]*float64 `json:"metrics"`
	}
	var known struct {
		Champion   contender `json:"champion"`
		Challenger contender `json:"challenger"`
		Slice      struct {
			From      time.Time `json:"from"`
			Until     time.Time `json:"until"`
			Examples  int       `json:"examples"`
			Positives int       `json:"positives"`
		} `json:"slice"`
		Gates []struct {
			Name   string `json:"name"`
			Passed bool   `json:"passed"`
			Detail string `json:"detail"`
		} `json:"gates"`
	}
	if json.Unmarshal(body, &known) != nil || known.Challenger.Metrics == nil {
		return nil, nil
	}
	c := &comparison{Champion: strconv.FormatInt(known.Champion.Model, 10)}
	for _, f := range figures {
		if known.Challenger.Metrics[f.name] != nil {
			c.Rows = append(c.Rows, compared{f.words, figure(known.Champion.Metrics[f.name]), figure(known.Challenger.Metrics[f.name])})
		}
	}
	for _, g := range known.Gates {
		words := gateWords[g.Name]
		if words == "" {
			words = g.Name
		}
		c.Gates = append(c.Gates, gate{g.Passed, words + ": " + g.Detail})
	}
	return c, []pair{
		{"compared on", fmt.Sprintf("%d outcomes, %d of them positive, %s", known.Slice.Examples, known.Slice.Positives, span(known.Slice.From, known.Slice.Until))},
		{"the one in force was fitted to", span(known.Champion.DataFrom, known.Champion.DataUntil)},
		{"the new one was fitted to", span(known.Challenger.DataFrom, known.Challenger.DataUntil)},
	}
}

func figure(f *float64) string {
	if f == nil {
		return "–"
	}
	return strconv.FormatFloat(*f, 'f', 4, 64)
}

func span(from, until time.Time) string {
	return from.UTC().Format("2 January 2006") + " to " + until.UTC().Format("2 January 2006")
}
