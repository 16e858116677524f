package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tallyman/features"
	"tallyman/models"
	"tallyman/scoring"
)

// weights is a model that XGBoost might have fitted to numbers: 10, or 30 from one
// unit on, of a column x.
func weights(t *testing.T, name string, high float32) string {
	t.Helper()
	m := &models.Model{
		Objective: models.SquaredError, Features: []string{"x"}, Kinds: []models.Kind{models.Numeric},
		Trees: []models.Tree{{Nodes: []models.Node{{Feature: 0, Left: 1, Threshold: 1, Cover: 2}, {Feature: -1, Left: -1, Value: 10, Cover: 1}, {Feature: -1, Left: -1, Value: high, Cover: 1}}}},
	}
	file := filepath.Join(t.TempDir(), name)
	if err := writeModel(file, m); err != nil {
		t.Fatal(err)
	}
	return file
}

// What a regression model predicts is no probability, and is not measured as one.
func TestPredictionsOfNumbersAreMeasuredAsNumbers(t *testing.T) {
	model := weights(t, "w.json", 30)
	table := write(t, "t.csv", "x,kg\n0,12\n1,30\n2,26.5\n0,10\n")
	out := filepath.Join(t.TempDir(), "p.csv")
	mustModelRun(t, "predict", "--model", model, "--csv", table, "--out", out)
	if got, err := os.ReadFile(out); err != nil || string(got) != "prediction\n10\n30\n30\n10\n" {
		t.Errorf("predictions are %q, %v", got, err)
	}
	report := filepath.Join(t.TempDir(), "r.json")
	eval := mustModelRun(t, "eval", "--model", model, "--csv", table, "--label", "kg", "--json", report)
	rmse, mae := math.Sqrt((4+12.25)/4), 5.5/4
	if want := fmt.Sprintf("RMSE %.6g  MAE %.6g  (always saying", rmse, mae); !strings.Contains(eval, want) || strings.Contains(eval, "AUC") {
		t.Errorf("eval does not say %q:\n%s", want, eval)
	}
	var got map[string]any
	if text, err := os.ReadFile(report); err != nil || json.Unmarshal(text, &got) != nil || math.Abs(got["rmse"].(float64)-rmse) > 1e-9 || got["mae"] != mae || got["measured_rows"] != 4.0 || got["auc"] != nil {
		t.Errorf("the report is %v, %v", got, err)
	}
	worse := weights(t, "worse.json", 50)
	if out := mustModelRun(t, "compare", worse, model, "--csv", table, "--label", "kg", "--resamples", "200"); !strings.Contains(out, "RMSE 2.01556  MAE 1.37500") || !strings.Contains(out, "  MAE      -10.") {
		t.Errorf("compare:\n%s", out)
	}
}

func TestFlagsThatContradictAreRefused(t *testing.T) {
	model, table := fitted(t)
	numbers := weights(t, "w.json", 30)
	fit := []string{"fit", "--csv", table, "--label", "late", "--out", filepath.Join(t.TempDir(), "m.json")}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{append(fit, "--calibration", "isotonic", "--no-calibration"), "--calibration and --no-calibration can't be used together"},
		{append(fit, "--early-stopping", "10", "--no-early-stopping"), "--early-stopping and --no-early-stopping can't be used together"},
		{append(fit, "--monotone", "days:+,days:-"), "--monotone says both days:+ and days:-"},
		{append(fit, "--categorical", "late"), "--categorical late: it is the label"},
		{append(fit, "--csv", "-", "--valid", "-"), "--csv and --valid are both the standard input"},
		{append(fit, "--out", "-", "--json", "-"), "--out and --json are both the standard output"},
		{[]string{"show", model, "--tree", "0", "--csv", table}, "can't be used together"},
		{[]string{"show", model, "--tree", "0", "--top", "3"}, "can't be used together"},
		{[]string{"show", model, "--tree=-1"}, "tree -1 does not exist"},
		{[]string{"show", model, "--top=-1"}, "--top is -1, want at least 0"},
		{[]string{"eval", "--model", model, "--csv", table, "--cut", "50"}, "--cut is 50, want a probability: 0 to 1"},
		{[]string{"eval", "--model", numbers, "--csv", table, "--label", "late", "--cut", "0.5"}, "--cut is of probabilities"},
		{[]string{"compare", model, numbers, "--csv", table}, "one predicts probabilities, the other numbers"},
	} {
		if _, err := modelRun(t, tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: error is %v, want one with %q", tt.args, err, tt.want)
		}
	}
	mustModelRun(t, append(fit, "--no-calibration", "--no-early-stopping", "--trees", "2")...)
}

// A pipe can be read once, and a fit reads its table twice.
func TestATableMayBeAPipe(t *testing.T) {
	model, table := fitted(t)
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	fromFIFO := func() string {
		go func() { _ = os.WriteFile(fifo, text, 0o600) }()
		return fifo
	}
	fromStdin := func() string {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		before := os.Stdin
		os.Stdin = r
		t.Cleanup(func() { os.Stdin = before })
		go func() {
			_, _ = w.Write(text)
			_ = w.Close()
		}()
		return "-"
	}
	for name, pipe := range map[string]func() string{"a named pipe": fromFIFO, "the standard input": fromStdin} {
		out := filepath.Join(t.TempDir(), "m.json")
		if _, err := modelRun(t, "fit", "--csv", pipe(), "--label", "late", "--out", out, "--trees", "60"); err != nil {
			t.Errorf("fit to %s: %v", name, err)
			continue
		}
		if got, err := os.ReadFile(out); err != nil || string(got) != string(want) {
			t.Errorf("the fit to %s is another one, %v", name, err)
		}
		if out := mustModelRun(t, "compare", model, model, "--csv", pipe(), "--resamples", "5"); !strings.Contains(out, "on 3000 rows") {
			t.Errorf("compare on %s:\n%s", name, out)
		}
		if out := mustModelRun(t, "eval", "--model", model, "--csv", pipe()); !strings.Contains(out, "3000 rows") {
			t.Errorf("eval on %s:\n%s", name, out)
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// The categories of a tree are told by the names that the table, or the site, has for
// them.
func TestShowTreeNamesCategories(t *testing.T) {
	text := "zone,y\n"
	for range 100 {
		text += "A,0\n\"B, cold\",1\nC,0\n"
	}
	model := filepath.Join(t.TempDir(), "m.json")
	mustModelRun(t, "fit", "--csv", write(t, "t.csv", text), "--label", "y", "--out", model, "--trees", "1", "--no-early-stopping", "--no-calibration")
	if tree := mustModelRun(t, "show", model, "--tree", "0"); !strings.Contains(tree, `zone not in ["B, cold"]`) && !strings.Contains(tree, `zone not in ["A" "C"]`) {
		t.Errorf("the tree is\n%s", tree)
	}

	schema := features.NewSchema(features.PositionSubject)
	schema.Attrs = []features.AttrColumn{{Name: "shelf", Values: []string{"floor", "rack"}}}
	names := schema.Names()
	m := &models.Model{Objective: models.Logistic, BaseScore: 0.5, Features: names, Kinds: make([]models.Kind, len(names))}
	m.Kinds[len(names)-1] = models.Categorical
	m.Trees = []models.Tree{{Nodes: []models.Node{
		{Feature: int32(len(names) - 1), Left: 1, Categories: []int32{1}, Cover: 2}, {Feature: -1, Left: -1, Value: -1, Cover: 1}, {Feature: -1, Left: -1, Value: 1, Cover: 1},
	}}}
	s, err := scoring.NewScorer(scoring.Variance, &schema, m)
	if err != nil {
		t.Fatal(err)
	}
	artifact, err := s.Artifact()
	if err != nil {
		t.Fatal(err)
	}
	if tree := mustModelRun(t, "show", write(t, "variance.json", string(artifact)), "--tree", "0"); !strings.Contains(tree, `attr.shelf not in ["rack"]`) {
		t.Errorf("the tree of a warehouse's model is\n%s", tree)
	}
}
