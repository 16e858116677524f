package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// triageRun runs "tallyman triage" as a user would and returns what it prints.
func triageRun(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	parser, err := kong.New(&triageCmd{}, kong.Writers(&out, &out), kong.BindTo(context.Background(), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	k, err := parser.Parse(args)
	if err != nil {
		return out.String(), err
	}
	err = k.Run()
	return out.String(), err
}

// fruit is a file of three labels and texts about nothing of the kind.
func fruit(t *testing.T, from, to int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("text,label\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "the apple number %d is red,apple\nbanana %d yellow and bent,banana\n\"one pear, green, row %d\",pear\nthe weather on day %d is fine,oos\n", i, i, i, i)
	}
	return write(t, "fruit.csv", b.String())
}

func TestTriageTrainEvalClassify(t *testing.T) {
	model := filepath.Join(t.TempDir(), "fruit.model")
	out, err := triageRun(t, "train", "--csv", fruit(t, 0, 30), "--out", model)
	if err != nil || !strings.Contains(out, "4 labels from 120 examples") {
		t.Fatalf("train: %v\n%s", err, out)
	}
	report, page := filepath.Join(t.TempDir(), "report.json"), filepath.Join(t.TempDir(), "report.html")
	out, err = triageRun(t, "eval", "--model", model, "--csv", fruit(t, 30, 50), "--oos-label", "oos", "--compare", "--json", report, "--html", page)
	if err != nil || !strings.Contains(out, "accuracy 1.0000  golearn's naive Bayes") {
		t.Fatalf("eval: %v\n%s", err, out)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		Accuracy   float64            `json:"accuracy"`
		CoverageAt map[string]float64 `json:"coverage_at"`
		OOS        struct {
			AUROC float64 `json:"auroc"`
		} `json:"oos"`
		LatencyUS    map[string]float64 `json:"latency_us"`
		TrainSeconds float64            `json:"train_seconds"`
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	if e.Accuracy != 1 || e.CoverageAt["0.98"] != 1 || e.OOS.AUROC != 1 || e.LatencyUS["p99"] <= 0 || e.TrainSeconds <= 0 {
		t.Errorf("the report says %s", text)
	}
	if html, err := os.ReadFile(page); err != nil || !bytes.Contains(html, []byte("<polyline")) {
		t.Errorf("the page has no curve: %v", err)
	}
	out, err = triageRun(t, "classify", "--model", model, "a bent yellow banana")
	if err != nil || !strings.Contains(out, `"label":"banana"`) {
		t.Errorf("classify: %v\n%s", err, out)
	}
}

func TestTriageSaysWhatIsWrongWithAFile(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"other columns", "a,b\n1,2\n", `no column "text"; there are a, b: want text and label`},
		{"no labels", "Text,Team\n1,2\n", `no column "label"; there are Text, Team`},
		{"semicolons", "text;label\n1;2\n", "are the cells separated by commas?"},
		{"no rows", "text,label\n", "there are no examples"},
		{"one label", "text,label\na b,x\na c,x\n", "1 labels, want 2"},
		{"a blank label", "text,label\na b,\n", "line 2: the label is blank"},
	} {
		_, err := triageRun(t, "train", "--csv", write(t, "bad.csv", c.file), "--out", filepath.Join(t.TempDir(), "m"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// Spreadsheets write headers in their own way.
func TestTriageReadsHeadersAsPeopleWriteThem(t *testing.T) {
	for _, header := range []string{"text,label", "Text,LABEL", " text , label ", "\ufefftext,label", "\ufeff\"Text\",\"Label\"", "TEXT,note,text,label"} {
		rows := "\n"
		for range strings.Count(header, ",") - 1 {
			rows += "x,"
		}
		if strings.HasPrefix(header, "TEXT,") {
			rows = "\nwrong,x,"
		}
		got, err := readExamples(write(t, "examples.csv", header+rows+"two pallets short,short\n"))
		if err != nil || len(got) != 1 || got[0].Text != "two pallets short" || got[0].Label != "short" {
			t.Errorf("%q: %v, %v", header, got, err)
		}
	}
}

// Whose model says nothing is told why, and what would help.
func TestTriageSaysWhyAModelNeverAnswers(t *testing.T) {
	few := filepath.Join(t.TempDir(), "few.model")
	out, err := triageRun(t, "train", "--csv", fruit(t, 0, 20), "--out", few)
	if want := "abstains from every text: it takes 99 examples or more to see that 98 % of its answers are right, and it has 80; give it more, or ask for less: --precision 0.9 takes 19"; err != nil || !strings.Contains(out, want) {
		t.Errorf("train: %v\n%s", err, out)
	}
	if out, err = triageRun(t, "eval", "--model", few, "--csv", fruit(t, 30, 40)); err != nil || !strings.Contains(out, "abstains from every text: its 80 examples were too few") {
		t.Errorf("eval: %v\n%s", err, out)
	}
	if out, err = triageRun(t, "classify", "--model", few, "banana 7 yellow and bent"); err != nil || !strings.Contains(out, `"abstain":true,"why":"the model answers nothing: it has too few examples`) {
		t.Errorf("classify: %v\n%s", err, out)
	}
	var mixed strings.Builder
	mixed.WriteString("text,label\n")
	for i := range 200 {
		fmt.Fprintf(&mixed, "pallet %d of the load is here,%c\n", i, 'a'+i%2)
	}
	out, err = triageRun(t, "train", "--csv", write(t, "mixed.csv", mixed.String()), "--out", filepath.Join(t.TempDir(), "mixed.model"))
	if err != nil || !strings.Contains(out, "of its 200 examples too few were right when held out") {
		t.Errorf("train of mixed labels: %v\n%s", err, out)
	}
	less := filepath.Join(t.TempDir(), "less.model")
	if out, err = triageRun(t, "train", "--csv", fruit(t, 0, 20), "--out", less, "--precision", "0.9"); err != nil || strings.Contains(out, "abstains") {
		t.Errorf("train for less: %v\n%s", err, out)
	}
	if out, err = triageRun(t, "classify", "--model", less, "the apple number 5 is red"); err != nil || !strings.Contains(out, `"abstain":false,"stray"`) {
		t.Errorf("classify for less: %v\n%s", err, out)
	}
}
